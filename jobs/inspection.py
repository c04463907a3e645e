"""What the checkpoints, the tables and the topic say of each other, before the stream starts.

Spark would begin anew from an empty checkpoint, skip or repeat records with one of another lake, and read a topic that
was made anew from wherever the old one ended. Here each is named, in words that follow "the checkpoint …".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.checkpoints import Checkpoint, DamagedCheckpoint, kafka_offsets, read_checkpoint
from jobs.errors import DataCheckFailed, SettingsError
from jobs.lake import Lake
from jobs.provenance import Loss, Origin, accepted_losses
from schemas.tables import BRONZE, PER_MINUTE, SILVER, Table

INGEST, GOLD = QUERIES = ("ingest", "gold")

# First and next offset of each partition.
KafkaOffsets = Mapping[int, tuple[int, int]]


def require_same_topic(lake: Lake, known: Origin, origin: Origin) -> None:
    """Raise `SettingsError` for another topic, `DataCheckFailed` for one made anew, than the lake was filled from."""
    if known.topic != origin.topic:
        raise SettingsError(
            f"The lake {lake.path} is filled from the topic '{known.topic}', kafka.topic is '{origin.topic}': set it "
            "to the first, or choose another --lake."
        )
    if (known.cluster_id, known.topic_id) != (origin.cluster_id, origin.topic_id):
        is_anew = known.cluster_id == origin.cluster_id
        what = "was made anew" if is_anew else "is on another Kafka cluster"
        way = "" if is_anew else "set kafka.bootstrap to the first cluster, or "
        raise DataCheckFailed(
            f"The topic '{origin.topic}' {what} since the lake {lake.path} was filled from it, so its offsets mean "
            f"other records than those in bronze: {way}choose another --lake."
        )


def inspect_ingest(lake: Lake, topic: str, kafka: KafkaOffsets) -> tuple[str | None, list[Loss]]:
    """What does not fit about the checkpoint of `ingest`, None for nothing, and what Kafka deleted before it was read.

    Raises `DataCheckFailed` when the tables hold more of the topic than the topic ever had.
    """
    checkpoint, fault = _read(lake, INGEST, BRONZE)
    if checkpoint:
        done = kafka_offsets(checkpoint.done, topic)
        began = kafka_offsets(checkpoint.initial, topic)
        held = next_offsets(lake, topic, since=done)
        # A partition that was added later is read from its first record.
        reached = {p: max(held.get(p, 0), began.get(p, 0)) for p in {*kafka, *held}}
        fault = _misfit(checkpoint, topic, reached, kafka)
    if fault:
        reached = next_offsets(lake, topic)
    elif not checkpoint:
        return None, []
    _require_topic_reaches(lake, topic, reached, kafka)
    losses = [Loss(topic, p, reached[p], kafka[p][0]) for p in sorted(reached) if kafka[p][0] > reached[p]]
    if not fault:
        fault = _unrepeatable(done, losses, kafka)
    return fault, losses


def inspect_gold(lake: Lake, known: Origin | None, lateness_seconds: int) -> str | None:
    """What does not fit about the checkpoint of `gold`; None for nothing."""
    checkpoint, fault = _read(lake, GOLD, PER_MINUTE)
    silver = lake.open(SILVER)
    if not checkpoint or not silver:
        return fault
    position, newest = checkpoint.planned, lake.newest_version(SILVER)
    if position.get("reservoirId") != str(silver.metadata().id):
        return f"follows another table than this lake's {SILVER.name}"
    # Behind the newest version is the next one, which is still to come.
    if position["reservoirVersion"] > newest + 1:
        return f"has read {SILVER.name} up to version {position['reservoirVersion'] - 1}, it has {newest} only"
    if known and known.lateness_seconds < lateness_seconds:
        return (
            f"has closed windows by a stream.lateness of {known.lateness_seconds:,} seconds, which is "
            f"{lateness_seconds:,} now, so that some would be open again"
        )
    return None


def next_offsets(lake: Lake, topic: str, since: Mapping[int, int] | None = None) -> dict[int, int]:
    """Partition → the offset behind the last record that the lake has, or has accepted as lost.

    `since` are offsets that it is known to have reached: older files are not looked at.
    """
    known = [f'"partition" = {partition} AND "offset" >= {offset - 1}' for partition, offset in (since or {}).items()]
    recent = " OR ".join([f'"partition" > {max(since)}', *known]) if since else "true"
    rows = lake.query(f"""
        SELECT "partition", max("offset") + 1 AS next FROM {BRONZE.name}
        WHERE topic = '{topic}' AND ({recent}) GROUP BY 1
    """)
    reached = {int(row["partition"]): int(row["next"]) for row in rows.to_pylist()}
    for loss in accepted_losses(lake.path, topic):
        reached[loss.partition] = max(loss.next, reached.get(loss.partition, 0))
    return reached


def _read(lake: Lake, query: str, table: Table) -> tuple[Checkpoint | None, str | None]:
    """A query's checkpoint, None when there is none; and what is wrong with that, seeing the table it writes."""
    try:
        checkpoint = read_checkpoint(Path(lake.checkpoint_path(query)))
    except DamagedCheckpoint as damage:
        return None, f"is damaged ({damage})"
    has_rows = lake.newest_append(table)[0] >= 0
    return checkpoint, f"is missing or empty, but {table.name} has rows" if has_rows and not checkpoint else None


def _misfit(checkpoint: Checkpoint, topic: str, tables: Mapping[int, int], kafka: KafkaOffsets) -> str | None:
    """Where the checkpoint says something else than the tables, or than the topic."""
    if set(checkpoint.planned) != {topic}:
        return f"follows '{', '.join(checkpoint.planned)}', not the topic '{topic}'"
    done, planned = kafka_offsets(checkpoint.done, topic), kafka_offsets(checkpoint.planned, topic)
    for p in sorted({*tables, *planned}):
        reached, end = tables.get(p, 0), kafka.get(p, (0, 0))[1]
        if reached > planned.get(p, 0):
            return f"is older than the tables: it has offset {planned.get(p, 0)} of partition {p}, they have {reached}"
        if reached < done.get(p, 0):
            return f"is newer than the tables: it has offset {done[p]} of partition {p}, which they do not reach"
        if planned.get(p, 0) > end:
            return f"has offset {planned[p]} of partition {p}, of which the topic has {end} only"
    return None


def _unrepeatable(done: Mapping[int, int], losses: Sequence[Loss], kafka: KafkaOffsets) -> str | None:
    """A batch that was written but not finished is read again, unless Kafka has deleted it meanwhile."""
    lost = {loss.partition for loss in losses}
    for p in sorted(set(done) - lost):
        if done[p] < kafka.get(p, (0, 0))[0]:
            return f"would read partition {p} again from offset {done[p]}, which Kafka has deleted and bronze has"
    return None


def _require_topic_reaches(lake: Lake, topic: str, reached: Mapping[int, int], kafka: KafkaOffsets) -> None:
    for p in sorted(reached):
        end = kafka.get(p, (0, 0))[1]
        if reached[p] > end:
            raise DataCheckFailed(
                f"The lake {lake.path} has offset {reached[p]} of partition {p} of '{topic}', the topic has {end} "
                "only, so it is not the one that the lake was filled from: set kafka.topic and kafka.bootstrap to that "
                "one, or choose another --lake."
            )
