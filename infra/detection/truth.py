"""The planted cases of fraud, as the simulation's manifest names them, and what the rules say they look for."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jobs.alerts.rulebook import Rule
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
    cases = [_case_of_line(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len({case.case_id for case in cases}) < len(cases):
        raise SettingsError(f"The manifest {path} has a case twice: give that of one simulation, as it was written.")
    return cases


def case_of(said: Mapping[str, Any]) -> PlantedCase:
    """A case as the manifest says it; raises `ValueError`, `TypeError` or `KeyError` for what is none."""
    first, last = (datetime.fromisoformat(said[f"{end}_event_time"]) for end in ("first", "last"))
    references = tuple(str(reference) for reference in said["transaction_references"])
    if not references or first.tzinfo is None or last < first:
        raise ValueError
    return PlantedCase(str(said["case_id"]), str(said["typology"]), references, first, last)


def aims_of(rules: Iterable[Rule]) -> list[RuleAim]:
    """What the rules say they look for."""
    return [RuleAim(rule.id, rule.state, tuple(rule.typologies)) for rule in rules]


def _case_of_line(path: Path, number: int, line: str) -> PlantedCase:
    try:
        return case_of(json.loads(line))
    except (ValueError, TypeError, KeyError):
        raise SettingsError(
            f"Line {number} of the manifest {path} is no case: expected is an object with case_id, typology, "
            "transaction_references, first_event_time and last_event_time, as --fraud-manifest writes it."
        ) from None
