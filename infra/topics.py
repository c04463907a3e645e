"""The topic and what Kafka says of it, through its administration interface; works with any cluster."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from infra.kafka_clients import client_options, refusal
from jobs.errors import DependencyMissing, SettingsError
from jobs.settings import Settings

ANSWER_MILLISECONDS = 8_000
DAY_MILLISECONDS = 86_400_000
TIMESTAMP_TYPE = "message.timestamp.type"


@dataclass(frozen=True)
class Topic:
    """A topic as Kafka has it; one made anew under the same name has another `topic_id`."""

    topic_id: str
    max_message_bytes: int


@dataclass(frozen=True)
class TopicState:
    """A topic as a stream finds it: which one it is, and first and next offset of each partition."""

    cluster_id: str
    topic_id: str
    offsets: Mapping[int, tuple[int, int]]


def create_topic(settings: Settings) -> bool:
    """Make the topic as the settings say, and that of the alerts; false when the first was there already.

    Raises `SettingsError` when the topic that is there has fewer partitions or takes its record times from producers,
    or when the cluster has too few brokers for the replication; `DependencyMissing` when no broker answers.
    """
    with administration(settings) as admin:
        is_new = _describe(admin, settings.kafka.topic) is None and _create(admin, settings, settings.kafka.topic)
        if not is_new:
            _require_fit(admin, settings)
        if _describe(admin, settings.alerts.topic) is None:
            _create(admin, settings, settings.alerts.topic)
    return is_new


def end_offsets(settings: Settings) -> dict[int, tuple[int, int]]:
    """First and next offset of each partition of the topic; their difference counts the records that are kept.

    Raises `DependencyMissing` when no broker answers within ten seconds or the topic is not there, `AccessDenied` when
    Kafka refuses us; so do all functions here.
    """
    with administration(settings) as admin:
        return _offsets(admin, settings, _required(admin, settings))


def topic_state(settings: Settings) -> TopicState:
    """The topic of the settings as it is now; raises as `end_offsets` does."""
    with administration(settings) as admin:
        described = _required(admin, settings)
        offsets = _offsets(admin, settings, described)
        return TopicState(str(admin.describe_cluster()["cluster_id"]), str(described["topic_id"]), offsets)


def read_topic(settings: Settings, patience_seconds: int) -> Topic:
    """What Kafka says of the topic of the settings, asked for so long while no broker answers.

    Raises `DependencyMissing` when none did, or the topic is not there.
    """
    with administration(settings, milliseconds=patience_seconds * 1000) as admin:
        described = _required(admin, settings)
        configs = _configs(admin, settings.kafka.topic)
        return Topic(str(described["topic_id"]), int(configs["max.message.bytes"]["value"]))


def require_alert_topic(settings: Settings) -> None:
    """Raise `DependencyMissing` when the topic of alerts is not there."""
    with administration(settings) as admin:
        if _describe(admin, settings.alerts.topic) is None:
            raise _missing(settings, settings.alerts.topic)


def cluster_id(settings: Settings) -> str | None:
    """The identifier of the cluster that answers at the address of the settings; null when none answers soon."""
    try:
        with administration(settings, milliseconds=1_000) as admin:
            return str(admin.describe_cluster()["cluster_id"])
    except DependencyMissing:
        return None


@contextlib.contextmanager
def administration(settings: Settings, milliseconds: int = ANSWER_MILLISECONDS) -> Iterator[Any]:
    """An administration client whose failures are sentences."""
    limits = {"bootstrap_timeout_ms": milliseconds, "request_timeout_ms": milliseconds}
    try:
        with KafkaAdminClient(**client_options(settings.kafka), **limits) as admin:
            yield admin
    except KafkaError as problem:
        raise refusal(problem, settings.kafka) or DependencyMissing(
            f"No Kafka broker answers at {settings.kafka.bootstrap} ({type(problem).__name__}): "
            "start one with `momo broker start`, or set kafka.bootstrap to yours."
        ) from None


def _required(admin: Any, settings: Settings) -> dict[str, Any]:
    """Kafka's description of the topic; raises `DependencyMissing` when it does not exist."""
    described = _describe(admin, settings.kafka.topic)
    if described is None:
        raise _missing(settings, settings.kafka.topic)
    return described


def _missing(settings: Settings, topic: str) -> DependencyMissing:
    return DependencyMissing(
        f"Kafka at {settings.kafka.bootstrap} has no topic '{topic}': create it with `momo topics`."
    )


def _offsets(admin: Any, settings: Settings, described: dict[str, Any]) -> dict[int, tuple[int, int]]:
    partitions = sorted(TopicPartition(settings.kafka.topic, p["partition_index"]) for p in described["partitions"])
    first = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    following = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    return {p.partition: (first[p].offset, following[p].offset) for p in partitions}


def _describe(admin: Any, topic: str) -> dict[str, Any] | None:
    """Kafka's description of the topic, null when it does not exist."""
    (described,) = admin.describe_topics([topic])
    if described["error_code"] == TopicAuthorizationFailedError.errno:
        raise TopicAuthorizationFailedError(topic)
    return described if described["error_code"] == 0 else None


def _create(admin: Any, settings: Settings, name: str) -> bool:
    topic = settings.topic
    new = {
        "num_partitions": topic.partitions,
        "replication_factor": topic.replication,
        "configs": {
            TIMESTAMP_TYPE: "LogAppendTime",
            "retention.ms": str(topic.retention_days * DAY_MILLISECONDS),
            "min.insync.replicas": str(topic.min_insync_replicas),
            "max.message.bytes": str(topic.max_message_bytes),
        },
    }
    try:
        admin.create_topics({name: new}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return False
    except InvalidReplicationFactorError:
        raise SettingsError(
            f"topic.replication is {topic.replication}, but Kafka at {settings.kafka.bootstrap} has fewer brokers: "
            "set it to at most their number."
        ) from None
    return True


def _require_fit(admin: Any, settings: Settings) -> None:
    """An existing topic is never changed here: more partitions would break the order of each payer's events."""
    name, wanted = settings.kafka.topic, settings.topic.partitions
    described = _describe(admin, name)
    found = len(described["partitions"]) if described else 0
    if found < wanted:
        raise SettingsError(
            f"The topic '{name}' has {found} partitions, topic.partitions is {wanted}: lower the setting, "
            "or add partitions yourself (from then on a payer's events are in order only anew)."
        )
    if _configs(admin, name)[TIMESTAMP_TYPE]["value"] != "LogAppendTime":
        raise SettingsError(
            f"The topic '{name}' keeps the producers' record times ({TIMESTAMP_TYPE}=CreateTime), arrival times are "
            f"needed: set {TIMESTAMP_TYPE}=LogAppendTime on it, or set kafka.topic to another name."
        )


def _configs(admin: Any, topic: str) -> Any:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    configs = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    # kafka-python passes over the answer's error; a topic that we may look at has some.
    if not configs:
        raise TopicAuthorizationFailedError(topic)
    return configs
