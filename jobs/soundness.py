"""What settings must not say: pairs that contradict each other, and what is fit for one machine alone."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import SettingsError

if TYPE_CHECKING:
    from jobs.settings import Settings

# Three copies of a record, two of them on disk before it is acknowledged: one broker may be lost.
LEAST_REPLICATION, LEAST_IN_SYNC = 3, 2
# Kept in memory alone, or emptied by a restart or a cleaner.
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run", tempfile.gettempdir())


def require(settings: "Settings") -> None:
    """Raise `SettingsError` with a sentence for each thing that is wrong.

    Checkpoints are in the lake's folder. Where a stream begins, and that a loss stops it, are no settings.
    """
    reasons = list(_contradictions(settings))
    if settings.production.strict:
        reasons += _unfit_for_production(settings)
    if reasons:
        raise SettingsError(" ".join(reasons))


def _contradictions(settings: "Settings") -> Iterator[str]:
    keys, batch = settings.stream.dedup_keys, settings.kafka.max_offsets_per_trigger
    # A batch that is carried again after a stop must consist of keys that are known.
    if keys < 2 * batch:
        yield (
            f"The setting 'stream.dedup_keys' is {keys:,}, at least two batches of 'kafka.max_offsets_per_trigger' "
            f"({batch:,} each) are needed: raise the one or lower the other."
        )
    kafka = settings.kafka
    if kafka.security_protocol != "PLAINTEXT" and not kafka.username:
        yield (
            f"The setting 'kafka.security_protocol' is {kafka.security_protocol}, but 'kafka.username' is empty: "
            "set it to the name that Kafka knows this program by."
        )


def _unfit_for_production(settings: "Settings") -> Iterator[str]:
    kafka, topic, lake = settings.kafka, settings.topic, settings.lake_path
    if kafka.security_protocol == "PLAINTEXT":
        yield "In production the setting 'kafka.security_protocol' must not be PLAINTEXT: set it to SASL_SSL."
    if topic.replication < LEAST_REPLICATION:
        yield (
            f"In production the setting 'topic.replication' must be at least {LEAST_REPLICATION}, it is "
            f"{topic.replication}."
        )
    if topic.min_insync_replicas < LEAST_IN_SYNC:
        yield (
            f"In production the setting 'topic.min_insync_replicas' must be at least {LEAST_IN_SYNC}, it is "
            f"{topic.min_insync_replicas}."
        )
    if any(lake.resolve().is_relative_to(Path(folder).resolve()) for folder in TEMPORARY):
        yield (
            f"In production the setting 'lake.path' must not be in a temporary folder, it is {lake}: "
            "choose a disk that stays."
        )
