"""Phone numbers in one spelling: E.164 digits, as the number is dialled today.

Who is written in two ways would be two persons in every count and join. What reads as no number of a country that the
reference tables know stays as it is.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.errors import SettingsError
from jobs.settings import ROOT

REFERENCE = ROOT / "conf" / "reference"

# What a number may be at all, known or not.
NUMBER = r"[0-9]{6,15}"


@dataclass(frozen=True)
class Renumbering:
    """Numbers of a country that have a prefix more since `changed_on`; `old_number` is their form before, a pattern."""

    calling_code: str
    changed_on: datetime
    old_number: str
    new_prefix: str

    @property
    def pattern(self) -> str:
        """The whole number as it was."""
        return f"(?:00)?{self.calling_code}({self.old_number})"


@dataclass(frozen=True)
class NumberPlan:
    """How many digits follow each country's calling code in a mobile number, and what has changed in time."""

    national_digits: Mapping[str, int]
    renumberings: tuple[Renumbering, ...]

    @cached_property
    def pattern(self) -> str:
        """A number of a known country, perhaps with 00 before it, or with the zero that is dialled at home."""
        by_digits = groupby(sorted(self.national_digits, key=self._digits), self._digits)
        numbers = [f"({'|'.join(codes)})(?:0(?=[1-9]))?([0-9]{{{digits}}})" for digits, codes in by_digits]
        return f"(?:00)?(?:{'|'.join(numbers)})"

    def _digits(self, calling_code: str) -> int:
        return self.national_digits[calling_code]

    @cached_property
    def changes_on(self) -> list[datetime]:
        """When numbers changed, the first change first."""
        return sorted({change.changed_on for change in self.renumberings})

    def canonical(self, digits: Column, at: Column) -> Column:
        """A number as it is dialled today, by the time of its event; null for null.

        Nearly all are written so, and are found out without a pattern.
        """
        begin = F.substring(digits, 1, 3)
        short_codes = [f"{code}0" for code in self.national_digits if len(code) == 2]
        has_zero = digits.startswith("00") | (F.substring(digits, 4, 1) == "0") | begin.isin(*short_codes)
        changed = {change.calling_code for change in self.renumberings}
        is_old = (at < F.lit(self.changes_on[-1])) & begin.isin(*changed)
        return F.when(has_zero | is_old, F.coalesce(self.known(digits, at), digits)).otherwise(digits)

    def known(self, digits: Column, at: Column) -> Column:
        """As `canonical`, and null for digits that are no number of a known country."""
        groups = 2 * len(set(self.national_digits.values()))
        kept = "".join(f"${group}" for group in range(1, groups + 1))
        found = F.when(digits.rlike(_whole(self.pattern)), F.regexp_replace(digits, _whole(self.pattern), kept))
        for change in self.renumberings:
            was_so = (at < F.lit(change.changed_on)) & digits.rlike(_whole(change.pattern))
            today = F.regexp_replace(digits, _whole(change.pattern), f"{change.calling_code}{change.new_prefix}$1")
            found = found.when(was_so, today)
        return found

    def canonical_text(self, digits: str, at: datetime) -> str:
        """As `canonical`, of one text."""
        return self.known_text(digits, at) or digits

    def known_text(self, digits: str, at: datetime) -> str | None:
        """As `known`, of one text."""
        if found := re.fullmatch(self.pattern, digits):
            return "".join(found.groups(default=""))
        for change in self.renumberings:
            if at < change.changed_on and (found := re.fullmatch(change.pattern, digits)):
                return f"{change.calling_code}{change.new_prefix}{found[1]}"
        return None

    def spellings(self, canonical: str) -> set[str]:
        """All digits that have ever stood for this number."""
        spelt = {canonical}
        if found := re.fullmatch(self.pattern, canonical):
            code, national = filter(None, found.groups())
            spelt |= set() if national.startswith("0") else {f"{code}0{national}"}
            for change in self.renumberings:
                old = national.removeprefix(change.new_prefix)
                if code == change.calling_code and old != national and re.fullmatch(change.old_number, old):
                    spelt.add(f"{code}{old}")
        return spelt | {f"00{digits}" for digits in spelt}


def read_number_plan(folder: Path = REFERENCE) -> NumberPlan:
    """The plan of the project's reference tables."""
    changes = tuple(
        Renumbering(
            calling_code=row["calling_code"],
            changed_on=datetime.fromisoformat(row["changed_on"]).replace(tzinfo=UTC),
            old_number=row["old_number"],
            new_prefix=row["new_prefix"],
        )
        for row in _rows(folder / "renumberings.csv")
    )
    digits = {row["calling_code"]: int(row["national_digits"]) for row in _rows(folder / "countries.csv")}
    return NumberPlan(digits, changes)


def digits_of(number: str) -> str:
    """A number as people write it, `+256 777 123456`, as digits."""
    return number.replace(" ", "").removeprefix("+")


def read_numbers(lines: Iterable[str]) -> list[str]:
    """A number a line, as digits; raises `SettingsError` that tells the line, never what is in it."""
    numbers = []
    for place, line in enumerate(lines, start=1):
        digits = digits_of(line.strip())
        if digits and not re.fullmatch(NUMBER, digits):
            raise SettingsError(f"Line {place} is not a phone number: 6 to 15 digits are expected, with or without +.")
        numbers += [digits] if digits else []
    return numbers


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _whole(pattern: str) -> str:
    # \z, for Java's $ would let a trailing line feed pass.
    return rf"\A(?:{pattern})\z"
