"""What the checkpoint of a streaming query says, read from its files without Spark.

Spark writes the end of each batch to `offsets/N` before it runs, and `commits/N` after it. After a stop it goes on from
the newest pair: a batch without a commit runs again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# A place in a source, in its own terms: {topic: {partition: offset}} of Kafka, a version of a Delta table.
Position = Mapping[str, Any]

# The batch before the first.
_NONE = -1


class DamagedCheckpoint(Exception):
    """What is wrong with the files, in words that follow "the checkpoint is damaged"."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a query began, where its newest finished batch ends (`done`), and its newest begun one (`planned`).

    A source that does not say where it began has an empty `initial`; before the first finished batch that is `done`.
    """

    initial: Position
    done: Position
    planned: Position


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in this folder; None when no batch was ever begun. Raises `DamagedCheckpoint`."""
    planned, done = _newest(folder / "offsets"), _newest(folder / "commits")
    if planned == done == _NONE:
        return None
    if done > planned:
        raise DamagedCheckpoint(f"its file offsets/{done} is missing")
    _values(folder / "metadata")
    if done != _NONE:
        _values(folder / "commits" / str(done))
    # Spark wants the batch before the newest too. That one is finished, or the newest had not begun.
    ends = [_position(folder / "offsets" / str(batch)) for batch in range(max(planned - 1, 0), planned + 1)]
    began = folder / "sources" / "0" / "0"
    initial = _position(began, after=0) if began.exists() else {}
    return Checkpoint(initial, ends[-1] if done == planned else [initial, *ends][-2], ends[-1])


def kafka_offsets(position: Position, topic: str) -> dict[int, int]:
    """Partition → offset of the topic; a position in another topic has none."""
    return {int(partition): int(offset) for partition, offset in position.get(topic, {}).items()}


def move_aside(folder: Path) -> Path | None:
    """Put it where neither Spark nor maintenance looks, under a name with the time; None when there is none."""
    if not folder.exists():
        return None
    aside = folder.parent / "aside" / f"{folder.name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    aside.parent.mkdir(exist_ok=True)
    return folder.rename(aside)


def _newest(folder: Path) -> int:
    return max((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), default=_NONE)


def _position(file: Path, after: int = 1) -> Position:
    """The position of the only source, `after` so many other lines."""
    values = _values(file)
    position = values[after] if len(values) > after else None
    if not isinstance(position, dict):
        raise DamagedCheckpoint(f"its file {file.parent.name}/{file.name} is cut off")
    return position


def _values(file: Path) -> list[Any]:
    """The JSON lines of a file, without the version above them."""
    try:
        # The Kafka source puts a zero byte before the version.
        lines = file.read_bytes().removeprefix(b"\0").decode().splitlines()
        values = [json.loads(line) for line in lines if not line.startswith("v")]
    except FileNotFoundError:
        raise DamagedCheckpoint(f"its file {file.parent.name}/{file.name} is missing") from None
    except ValueError:
        values = []
    if not values:
        raise DamagedCheckpoint(f"its file {file.parent.name}/{file.name} is empty or cut off")
    return values
