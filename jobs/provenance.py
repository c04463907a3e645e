"""Where a lake's rows come from, written down beside the tables: the topic, and what of it was accepted as lost.

Not in the checkpoints, for these may get lost.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobs.errors import DataCheckFailed

_ORIGIN, _LOSSES = "_origin.json", "_accepted_losses.jsonl"


@dataclass(frozen=True)
class Origin:
    """The topic that a lake is filled from, and the lateness that gold's state was begun with, in seconds.

    A topic made anew under the same name has another `topic_id`.
    """

    topic: str
    cluster_id: str
    topic_id: str
    lateness_seconds: int


@dataclass(frozen=True)
class Loss:
    """Records of a partition that are gone for good: from offset `first` up to, not including, `next`."""

    topic: str
    partition: int
    first: int
    next: int

    @property
    def records(self) -> int:
        """How many."""
        return self.next - self.first

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.records:,} records of partition {self.partition}, offsets {self.first}–{self.next - 1}"


def origin_of(lake: Path) -> Origin | None:
    """What was written down at the last start; None before the first. Raises `DataCheckFailed` when it is damaged."""
    file = lake / _ORIGIN
    try:
        return Origin(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise DataCheckFailed(
            f"{file} should say which topic this lake is filled from, and is damaged: remove it if you are sure that "
            "it is the topic of the settings, and start again."
        ) from None


def write_origin(lake: Path, origin: Origin) -> None:
    """Write it down, in place of what was there."""
    _write_whole(lake / _ORIGIN, json.dumps(asdict(origin)))


def accepted_losses(lake: Path, topic: str) -> list[Loss]:
    """What was accepted as lost of this topic; no two overlap."""
    file = lake / _LOSSES
    lines = map(json.loads, file.read_text().splitlines()) if file.exists() else ()
    losses = [Loss(line["topic"], line["partition"], line["first"], line["next"]) for line in lines]
    return [loss for loss in losses if loss.topic == topic]


def accept_losses(lake: Path, losses: Iterable[Loss]) -> None:
    """Add losses to those written down, with the time."""
    file, at = lake / _LOSSES, datetime.now(UTC).isoformat(timespec="seconds")
    before = file.read_text() if file.exists() else ""
    _write_whole(file, before + "".join(json.dumps({**asdict(loss), "accepted_at": at}) + "\n" for loss in losses))


def _write_whole(file: Path, text: str) -> None:
    """Whole, or as it was before, whatever happens meanwhile."""
    unfinished = file.with_suffix(".new")
    with unfinished.open("w") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    unfinished.rename(file)
