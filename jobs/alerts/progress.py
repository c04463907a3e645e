"""How far into silver the alerts have come, in the form of a checkpoint of Spark's.

So maintenance keeps for them what they have still to read, as for any other reader (`jobs.retention`).
"""

import json
import shutil
from pathlib import Path

from jobs import retention
from jobs.lake import Lake
from schemas.tables import SILVER

NAME = "alerts"
_BATCH = "0"


def reached(lake: Lake) -> int:
    """The version of silver of which all rows are done; -1 when nothing says so."""
    return retention.version_done(Path(lake.checkpoint_path("")), NAME, _silver_id(lake))


def note(lake: Lake, version: int) -> None:
    """All rows up to this version of silver are done."""
    position = {
        "sourceVersion": 1,
        "reservoirId": _silver_id(lake),
        "reservoirVersion": version + 1,
        "index": -1,
        "isStartingVersion": False,
    }
    folder = Path(lake.checkpoint_path(NAME))
    _replace(folder / "offsets" / _BATCH, f"v1\n{json.dumps(position)}\n")
    _replace(folder / "commits" / _BATCH, "v1\n{}\n")


def forget(lake: Lake) -> None:
    """Nobody goes on from here: nothing needs to be kept for it."""
    shutil.rmtree(lake.checkpoint_path(NAME), ignore_errors=True)


def _silver_id(lake: Lake) -> str:
    table = lake.open(SILVER)
    return str(table.metadata().id) if table else ""


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.tmp")
    unfinished.write_text(text)
    unfinished.replace(file)
