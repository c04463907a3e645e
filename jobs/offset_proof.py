"""Whether bronze has every offset of the topic, but for what was accepted as lost."""

from collections.abc import Iterable, Mapping

from jobs.lake import Lake
from jobs.provenance import Loss
from schemas.tables import BRONZE


def held_offsets(lake: Lake, topic: str, losses: Iterable[Loss]) -> dict[int, tuple[int, int, int]]:
    """Partition → first offset, offset after the last, and how many, in bronze or accepted as lost."""
    rows = lake.query(f"""
        SELECT "partition", min("offset") AS first, max("offset") + 1 AS next, count(DISTINCT "offset") AS n
        FROM {BRONZE.name} WHERE topic = '{topic}' GROUP BY "partition"
    """)
    held = {row["partition"]: (row["first"], row["next"], row["n"]) for row in rows.to_pylist()}
    for loss in losses:
        first, after, count = held.get(loss.partition, (loss.first, loss.next, 0))
        held[loss.partition] = (min(first, loss.first), max(after, loss.next), count + loss.records)
    return held


def offset_differences(kafka: Mapping[int, tuple[int, int]], bronze: Mapping[int, tuple[int, int, int]]) -> list[str]:
    """Every gap and every end that does not agree, as a sentence."""
    differences = []
    for partition, (first, after, count) in sorted(bronze.items()):
        begin, end = kafka.get(partition, (0, 0))
        if count != after - first:
            missing = after - first - count
            differences.append(f"partition {partition}: {missing} offsets are missing between {first} and {after}")
        if first > begin:
            differences.append(f"partition {partition}: bronze begins at offset {first}, the topic at {begin}")
        if after > end:
            ends = f"bronze reaches offset {after}, the topic only {end}"
            differences.append(f"partition {partition}: {ends}: another topic?")
    return differences
