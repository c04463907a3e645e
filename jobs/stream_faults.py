"""What ended a streaming query, as a sentence: Spark's, Delta's and Kafka's own conditions, told by their names.

Most are found before a start (`inspection`); these are what happens meanwhile, and what only Spark can see.
"""

import re
from dataclasses import dataclass

from jobs.errors import AccessDenied, DataCheckFailed, DependencyMissing, LakeLocked, PlatformError


@dataclass(frozen=True)
class Fault:
    """Names of which one stands in the message, and what to say; `{query}` is the query that stopped."""

    names: tuple[str, ...]
    error: type[PlatformError]
    sentence: str


_ANEW = "`momo stream --recover {query}` moves its checkpoint aside and goes on from the tables."

FAULTS = (
    Fault(
        # As Kafka's Java client names them: of a topic or a group, by SASL or SSL.
        ("AuthorizationException", "AuthenticationException"),
        AccessDenied,
        "Kafka does not let the stream read its topic: see kafka.username, and have its rights granted with "
        "`momo access`.",
    ),
    Fault(
        ("KAFKA_DATA_LOSS", "OffsetOutOfRangeException", "ome data may have been missed", "_WITH_TRIGGER_AVAILABLENOW"),
        DataCheckFailed,
        "The stream stopped because Kafka has deleted records before they were read, or the topic was changed: start "
        "it again, and it says which and what to do.",
    ),
    Fault(
        ("UnknownTopicOrPartitionException",),
        DependencyMissing,
        "The stream stopped because Kafka no longer has the topic: if it was deleted, choose another --lake for a new "
        "one; if Kafka is only being repaired, start the stream again when it is.",
    ),
    Fault(
        ("CONCURRENT_STREAM_LOG_UPDATE",),
        LakeLocked,
        "The stream stopped because another process runs {query} from the same checkpoint: stop that, and start again.",
    ),
    Fault(
        (
            "STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE",
            "STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE",
            "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
            "STATE_STORE_INVALID_CONFIG_AFTER_RESTART",
        ),
        DataCheckFailed,
        f"The state of {{query}} is that of other windows, from before the program or its settings changed: {_ANEW}",
    ),
    Fault(
        (
            "DELTA_MISSING_FILES_UNEXPECTED_VERSION",
            "DELTA_LOG_FILE_NOT_FOUND",
            "DELTA_TRUNCATED_TRANSACTION_LOG",
            "DELTA_VERSION_NOT_FOUND",
            "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE",
        ),
        DataCheckFailed,
        f"The stream stopped because {{query}} cannot go on in its table from where it was: {_ANEW}",
    ),
    Fault(
        (
            "CANNOT_LOAD_STATE_STORE",
            "STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY",
            "STREAMING_CHECKPOINT_MISSING_METADATA_FILE",
            "BATCH_METADATA_NOT_FOUND",
            "MALFORMED_LOG_FILE",
            "INVALID_LOG_VERSION",
            "CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED",
            "ChecksumException",
            "Incomplete log file",
        ),
        DataCheckFailed,
        f"The checkpoint of {{query}} is damaged: {_ANEW}",
    ),
)


def told(message: str) -> PlatformError:
    """The error for a user, with its exit code, of the message with which Spark ended a query."""
    found = re.search(r"Identifier: (\w+)", message)
    query = found.group(1) if found else "it"
    for fault in FAULTS:
        if any(name in message for name in fault.names):
            return fault.error(fault.sentence.format(query=query))
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    # A long number may be somebody's phone.
    first = re.sub(r"\d{6,}", "…", first)
    return PlatformError(
        f"The stream stopped: {first} Start it again: it goes on where it was; the log above says more."
    )
