"""The planted cases of fraud, as the simulation's manifest names them, and what the rules say they look for."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobs.errors import SettingsError


@dataclass(frozen=True)
class PlantedCase:
    """One case of fraud: the references of its transactions, and the times of its first and last event."""

    case_id: str
    typology: str
    transaction_references: tuple[str, ...]
    first_event_time: datetime
    last_event_time: datetime


@dataclass(frozen=True)
class RuleAim:
    """A rule of any version, and the typologies it is there for; none for a rule that looks for something else."""

    rule_id: str
    state: str
    typologies: tuple[str, ...]


def read_manifest(path: Path) -> list[PlantedCase]:
    """The cases of a manifest, one JSON object a line; raises `SettingsError` that names the line at fault."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not text"
        raise SettingsError(f"The manifest {path} cannot be read: {reason}; name a file of --fraud-manifest.") from None
    cases = [_case(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len({case.case_id for case in cases}) < len(cases):
        raise SettingsError(f"The manifest {path} has a case twice: give that of one simulation, as it was written.")
    return cases


def _case(path: Path, number: int, line: str) -> PlantedCase:
    try:
        said = json.loads(line)
        first, last = (datetime.fromisoformat(said[f"{end}_event_time"]) for end in ("first", "last"))
        references = tuple(str(reference) for reference in said["transaction_references"])
        if not references or first.tzinfo is None or last < first:
            raise ValueError
        return PlantedCase(str(said["case_id"]), str(said["typology"]), references, first, last)
    except (ValueError, TypeError, KeyError):
        raise SettingsError(
            f"Line {number} of the manifest {path} is no case: expected is an object with case_id, typology, "
            "transaction_references, first_event_time and last_event_time, as --fraud-manifest writes it."
        ) from None
