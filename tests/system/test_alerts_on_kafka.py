"""Alerts in their own topic: active ones alone, keyed by their id, and taken back by an empty record."""

import json
import uuid

import pytest
from kafka import KafkaConsumer, TopicPartition

from infra.broker import create_topic
from infra.topics import end_offsets
from jobs.alerts.alert_topic import AlertTopic
from jobs.alerts.sending import Sending
from jobs.errors import DependencyMissing
from jobs.lake import Lake
from jobs.settings import Settings
from tests.alerts.lakes import RULES, Followed, paid

pytestmark = pytest.mark.kafka


@pytest.fixture
def with_alerts(topic: Settings) -> Settings:
    """Settings of a broker with a topic of alerts that holds nothing yet."""
    alerts = topic.alerts.model_copy(update={"topic": f"alerts.{uuid.uuid4().hex[:12]}"})
    settings = topic.model_copy(update={"alerts": alerts})
    create_topic(settings)
    return settings


def records(settings: Settings) -> list[tuple[str, dict | None]]:
    """All records of the topic of alerts, by the key of their partition in order."""
    named = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"topic": settings.alerts.topic})})
    offsets = end_offsets(named)
    found = []
    with KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap) as consumer:
        for partition, (first, end) in offsets.items():
            place = TopicPartition(settings.alerts.topic, partition)
            consumer.assign([place])
            consumer.seek(place, first)
            while end > first and consumer.position(place) < end:
                for record in consumer.poll(timeout_ms=500).get(place, []):
                    found.append((record.key.decode(), json.loads(record.value) if record.value else None))
    return found


def test_alerts_of_active_rules_go_to_their_topic(with_alerts, tmp_path):
    followed = Followed(Lake(tmp_path / "lake"), tmp_path / "rules")
    active = RULES.replace("state: active", "state: shadow").replace("state: shadow", "state: active", 2)
    (followed.rules / "rules.yaml").write_text(active)
    followed.start(Sending(AlertTopic(with_alerts)))

    followed.write(paid("T-1", "ana", "ben", "10:01:00", "100"), paid("T-2", "ben", "eve", "10:05:00", "90"))
    followed.write(paid("T-3", "ana", "eve", "10:06:00", "2000000"), paid("T-4", "joe", "ben", "10:06:00", "100"))

    (fan_out,) = [alert for alert in followed.alerts() if alert["rule_id"] == "fan_out"]
    sent = records(with_alerts)
    (told,) = [value for key, value in sent if key == fan_out["alert_id"]]
    assert (told["rule_id"], told["band"], told["entity"]) == ("fan_out", "two", "ana")
    assert (told["values"], told["window_start"]) == ({"distinct_payees": "2"}, "2026-03-27T10:00:00+00:00")
    # What passed through ben was most of what had come, then no more.
    others = [value and value["rule_id"] for key, value in sent if key != fan_out["alert_id"]]
    assert others == ["passed", None]
    assert {alert["rule_id"]: alert["state"] for alert in followed.alerts()} == {"fan_out": "active", "large": "shadow"}


def test_a_topic_that_is_not_there_is_named(topic):
    elsewhere = topic.model_copy(update={"alerts": topic.alerts.model_copy(update={"topic": "not.there"})})

    with pytest.raises(DependencyMissing, match=r"topic 'not.there'.*`momo topics`"):
        AlertTopic(elsewhere)
