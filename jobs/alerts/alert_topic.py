"""Alerts on their way to whoever acts on them: one Kafka record per alert, keyed by its id.

At least once: a record may come again, with the same key. A record without a value takes its alert back.
"""

import json
from collections.abc import Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from infra.kafka_clients import client_options, refusal
from infra.topics import require_alert_topic
from jobs.alerts.alert_table import Alert
from jobs.errors import DependencyMissing, PlatformError
from jobs.settings import Settings
from schemas.tables import ALERTS

PATIENCE_SECONDS = 60


class AlertTopic:
    """Sends alerts to the topic of the settings; raises `DependencyMissing` or `AccessDenied` where it cannot."""

    def __init__(self, settings: Settings) -> None:
        self._kafka, self._topic = settings.kafka, settings.alerts.topic
        require_alert_topic(settings)
        self._producer = self._connect()

    def send(self, alerts: Iterable[Alert]) -> None:
        """Send them, and return when Kafka has all of them."""
        try:
            sent = [self._producer.send(self._topic, key=_key(alert), value=_value(alert)) for alert in alerts]
            for future in sent:
                future.get(timeout=PATIENCE_SECONDS)
        except KafkaError as problem:
            raise self._failed(problem) from None

    def _connect(self) -> Any:
        try:
            producer = KafkaProducer(
                **client_options(self._kafka),
                client_id="momo-alerts",
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                max_block_ms=PATIENCE_SECONDS * 1000,
                bootstrap_timeout_ms=PATIENCE_SECONDS * 1000,
                delivery_timeout_ms=PATIENCE_SECONDS * 1000,
                request_timeout_ms=PATIENCE_SECONDS * 500,
            )
        except KafkaError as problem:
            raise self._failed(problem) from None
        return producer

    def _failed(self, problem: Exception) -> PlatformError:
        return refusal(problem, self._kafka) or DependencyMissing(
            f"Kafka at {self._kafka.bootstrap} does not take alerts for the topic '{self._topic}' "
            f"({type(problem).__name__}): look at the broker, make the topic with `momo topics`, and start again."
        )


def _key(alert: Alert) -> bytes:
    return str(alert["alert_id"]).encode()


def _value(alert: Alert) -> bytes | None:
    if alert["is_gone"]:
        return None
    said = {name: alert[name] for name in ALERTS.column_names if name not in ("window_date", "revision")}
    return json.dumps({**said, "values": json.loads(alert["values"])}, default=_text).encode()


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
