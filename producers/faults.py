"""Faults on purpose: what a real topic does to its readers, by plan and seed, with a manifest of what must come of it.

No record of the input is changed or lost: each comes out once, at most later than it came in. All else is added.
"""

import heapq
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import orjson

from jobs.errors import SettingsError
from producers.malformed import ODDITIES, Record, suits, with_other_amount
from producers.wire import WireRecord

KINDS = ("late", "out_of_order", "duplicates", "conflicts", *ODDITIES)
BLOCK = 1000
SCHEMA_FILE = Path(__file__).resolve().parent.parent / "schemas" / "transaction_event.json"
CONTRACT = jsonschema_rs.validator_for(orjson.loads(SCHEMA_FILE.read_bytes()), validate_formats=True)


@dataclass(frozen=True)
class FaultPlan:
    """How many faults of each kind in every thousand input records, and how far records are moved, in records.

    `late` holds a record back by `late_by_records`, `out_of_order` by at most `swap_within_records`; a repeat or a
    conflict follows its record within `repeat_within_records`. Raises `SettingsError`.
    """

    seed: int
    per_thousand: Mapping[str, int] = field(default_factory=dict)
    late_by_records: int = 1500
    swap_within_records: int = 5
    repeat_within_records: int = 300

    def __post_init__(self) -> None:
        """Refuse unknown kinds and numbers out of range."""
        for kind, number in self.per_thousand.items():
            if kind not in KINDS:
                raise SettingsError(f"The fault kind '{kind}' is unknown: known are {', '.join(KINDS)}.")
            _require_whole(f"per_thousand.{kind}", number, least=0, most=BLOCK)
        _require_whole("seed", self.seed, least=0)
        for name in ("late_by_records", "swap_within_records", "repeat_within_records"):
            _require_whole(name, getattr(self, name), least=1)


def load_plan(path: Path) -> FaultPlan:
    """The plan in a TOML file such as `conf/faults.toml`; raises `SettingsError` that names what is wrong."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as problem:
        raise SettingsError(f"The fault plan {path} cannot be read: {problem.strerror}; name a file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"The fault plan {path} is not TOML: {problem}.") from None
    known = [a_field.name for a_field in fields(FaultPlan)]
    for name in values:
        if name not in known:
            raise SettingsError(f"The fault plan's '{name}' is unknown: known are {', '.join(known)}.")
    if "seed" not in values:
        raise SettingsError(f"The fault plan {path} has no seed: add a line such as seed = 7.")
    if not isinstance(values.get("per_thousand", {}), dict):
        raise SettingsError("The fault plan's per_thousand is not a table: write [per_thousand] and a line a kind.")
    return FaultPlan(**values)


class FaultInjector:
    """Applies a plan to one stream of records: same plan and same input, same output.

    However long the input, it holds no more than three records for each of the last `late_by_records` (or
    `swap_within_records`, if more) + `repeat_within_records`.
    """

    def __init__(self, plan: FaultPlan) -> None:
        """Nothing is drawn before `apply`."""
        self._plan = plan
        self._records_in = 0
        self._records_out = 0
        self._injected: Counter[str] = Counter()

    @property
    def manifest(self) -> dict[str, Any]:
        """What went in and out, and what the tables must show for it; final once the output is exhausted.

        `expected` holds for good input whose (reference, status) pairs are unique; its numbers add up to `records_out`.
        Of a conflict the first is in silver, the second is counted in `conflicts`.
        """
        quarantine: Counter[str] = Counter()
        silver = self._records_in
        for kind, oddity in ODDITIES.items():
            if oddity.rule is None:
                silver += self._injected[kind]
            elif self._injected[kind]:
                quarantine[oddity.rule] += self._injected[kind]
        return {
            "records_in": self._records_in,
            "records_out": self._records_out,
            "injected": {kind: self._injected[kind] for kind in KINDS if self._injected[kind]},
            "expected": {
                "silver": silver,
                "quarantine": dict(quarantine),
                "duplicates": self._injected["duplicates"],
                "conflicts": self._injected["conflicts"],
            },
        }

    def apply(self, records: Iterable[WireRecord]) -> Iterator[WireRecord]:
        """The records with the plan's faults, read as they are asked for; the input may be endless.

        A fault waits for the next record that it can be made from. Added records keep the event time of the record they
        were made from, so that a paced replay does not wait for the year 2999.
        """
        random = Random(self._plan.seed)
        places: dict[str, set[int]] = {}
        due: Counter[str] = Counter()
        held: list[tuple[int, bool, int, WireRecord]] = []
        order = count()
        for place, record in enumerate(records):
            if place % BLOCK == 0:
                places = self._draw_places(random)
            due.update(kind for kind in places if place % BLOCK in places[kind])
            self._records_in += 1
            for delay, released in self._with_faults(record, due, random):
                # What was held back for n records comes after the nth of them.
                heapq.heappush(held, (place + delay, delay > 0, next(order), released))
            while held and held[0][0] <= place:
                yield self._out(heapq.heappop(held)[-1])
        while held:
            yield self._out(heapq.heappop(held)[-1])

    def _draw_places(self, random: Random) -> dict[str, set[int]]:
        return {kind: set(random.sample(range(BLOCK), self._plan.per_thousand.get(kind, 0))) for kind in KINDS}

    def _with_faults(self, record: WireRecord, due: Counter[str], random: Random) -> Iterator[tuple[int, WireRecord]]:
        """The record and what is made from it, each with the number of input records it is held back by."""
        parsed = _parsed(record)
        delay = 0
        if self._take("late", due):
            delay = self._plan.late_by_records
        elif self._take("out_of_order", due):
            delay = random.randint(1, self._plan.swap_within_records)
        yield delay, record
        # After the record itself, however late it is: the first of two is the true one.
        if parsed and self._take("duplicates", due):
            yield delay + random.randint(1, self._plan.repeat_within_records), record
        # A second reversal of one transaction would be a fault of its own.
        if not parsed or "transactionReference" not in parsed or parsed["type"] == "reversal":
            return
        if self._take("conflicts", due):
            conflict = record._replace(value=with_other_amount(parsed))
            yield delay + random.randint(1, self._plan.repeat_within_records), conflict
        for kind, oddity in ODDITIES.items():
            if suits(kind, parsed) and self._take(kind, due):
                own = parsed | {"transactionReference": f"{parsed['transactionReference']}-{kind}"}
                yield 0, record._replace(key=None if kind == "null_key" else record.key, value=oddity.text(own))

    def _take(self, kind: str, due: Counter[str]) -> bool:
        if not due[kind]:
            return False
        due[kind] -= 1
        self._injected[kind] += 1
        return True

    def _out(self, record: WireRecord) -> WireRecord:
        self._records_out += 1
        return record


def _parsed(record: WireRecord) -> Record | None:
    """The record's fields when it keeps the wire contract, else null: faults are made from good records alone."""
    try:
        fields_found = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return None
    return fields_found if CONTRACT.is_valid(fields_found) else None


def _require_whole(name: str, number: object, least: int, most: int | None = None) -> None:
    if type(number) is not int or number < least or (most is not None and number > most):
        span = f"{least} or more" if most is None else f"from {least} to {most}"
        raise SettingsError(f"The fault plan's {name} is {number!r}: give a whole number, {span}.")
