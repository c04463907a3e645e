"""The rules: YAML files that an analyst writes, read strictly, and read anew when they change.

`conf/rules/amounts.yaml` says what is near a limit, round, or the top of a commission band in which currency,
`typologies.yaml` what alerts add up to; every other file there holds one rule or a list of them (docs/alerts.md).
"""

import logging
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from jobs.alerts.facts import Facts, read_facts
from jobs.alerts.rule_files import AMOUNTS, TYPOLOGIES, Currency, Number, Strict, files_of, sentence_of, yaml_of
from jobs.alerts.vocabulary import BY_NAME, Kind
from jobs.errors import SettingsError
from jobs.settings import Duration, duration_seconds

logger = logging.getLogger("momo.alerts")

# Few, for all rules of a window share its sums.
WINDOWS = {"10 minutes": 600, "1 hour": 3600, "1 day": 86400}
MICROSECONDS = 1_000_000
KIND_OF: Mapping[str, Kind] = {
    "payer": "person",
    "payee": "person",
    "agent": "agent",
    "business": "business",
    "pair": "pair",
}
# What a party is suspected by: what is sent, and what says nothing by itself.
COUNTED = ("active", "hint")
# What an explanation may say besides the rule's own measures.
SAID_OF_ALL = ("window", "currency", "band")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
Threshold = Number | dict[Currency, Number]


class Condition(Strict):
    """A measure that must be at least, or at most, something; money per currency."""

    measure: str
    at_least: Threshold | None = None
    at_most: Threshold | None = None

    @model_validator(mode="after")
    def _fits_its_measure(self) -> "Condition":
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"'{self.measure}' needs at_least or at_most")
        for threshold in (self.at_least, self.at_most):
            _require_fit(self.measure, threshold)
        return self


class Band(Strict):
    """How bad it is: the last band whose `at_least` is reached counts."""

    name: Name
    at_least: Threshold
    severity: Literal["low", "medium", "high", "critical"]
    score: Annotated[int, Field(ge=1, le=1000)]


class Event(Strict):
    """A transaction of an example; `times` of them follow one another `every` so long, `{n}` is their number."""

    type: str = "transfer"
    sender: str = Field(alias="from")
    to: str
    amount: Number
    at: Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d(:\d\d)?$")] = "10:00"
    currency: Currency | None = None
    days_before: Annotated[int, Field(ge=0, le=400)] = 0
    status: Literal["completed", "failed", "pending"] = "completed"
    times: Annotated[int, Field(ge=1, le=500)] = 1
    every: Duration = "10 seconds"
    add: Number = Decimal(0)
    to_country: str | None = None


class Example(Strict):
    """Transactions of one day and of days before, and the band that they reach; `silent` for none."""

    name: str
    given: Annotated[list[Event], Field(min_length=1)]
    expect: str


class Rule(Strict):
    """A rule as its file says it."""

    id: Name
    version: Annotated[int, Field(ge=1)]
    state: Literal["active", "hint", "shadow", "paused"]
    owner: str
    scope: Literal["row", "window"] = "window"
    entity: Literal["payer", "payee", "agent", "business", "pair"]
    window: Literal["10 minutes", "1 hour", "1 day"] | None = None
    every: Duration | None = None
    requires: list[Condition] = []
    measure: str
    bands: Annotated[list[Band], Field(min_length=1)]
    cooldown: Duration | None = None
    explanation: str
    typologies: Annotated[dict[Name, Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1)]
    examples: Annotated[list[Example], Field(min_length=2)]

    @model_validator(mode="after")
    def _fits_together(self) -> "Rule":
        if (self.scope == "window") != (self.window is not None):
            raise ValueError("a rule of scope window names a window, one of scope row does not")
        if self.every and 2 * duration_seconds(self.every) != WINDOWS.get(self.window or "", 0):
            raise ValueError("'every' is half of the window: what one window's end cuts off is whole in the next one")
        if self.scope == "row" and self.entity != "payer":
            raise ValueError("a rule of scope row is about the payer")
        for name in self.measures:
            if name not in BY_NAME:
                raise ValueError(f"there is no measure '{name}': docs/alerts.md lists them")
            if self.kind not in BY_NAME[name].kinds:
                raise ValueError(f"the measure '{name}' is not one of a {self.entity}, scope {self.scope}")
        for band in self.bands:
            _require_fit(self.measure, band.at_least)
        said = {name for _, name, _, _ in string.Formatter().parse(self.explanation) if name is not None}
        unknown = sorted(said - {*self.measures, *SAID_OF_ALL})
        if unknown:
            raise ValueError(f"the explanation says {{{unknown[0]}}}, which the rule does not measure")
        bands = {"silent", *(band.name for band in self.bands)}
        for example in self.examples:
            if example.expect not in bands:
                raise ValueError(f"an example expects '{example.expect}': choose from {', '.join(sorted(bands))}")
        return self

    @property
    def kind(self) -> Kind:
        """The kind of movements that it looks at."""
        return "row" if self.scope == "row" else KIND_OF[self.entity]

    @property
    def length(self) -> int:
        """The window's length in microseconds; 0 of a row."""
        return WINDOWS[self.window] * MICROSECONDS if self.window else 0

    @property
    def shifts(self) -> tuple[int, ...]:
        """How long after multiples of their length its windows begin, in microseconds."""
        return (0, self.length // 2) if self.every else (0,)

    @property
    def cooldown_microseconds(self) -> int:
        """For so long after one alert of an entity the next one is not sent."""
        return duration_seconds(self.cooldown) * MICROSECONDS if self.cooldown else 0

    @property
    def measures(self) -> tuple[str, ...]:
        """Everything that it measures, each once."""
        return tuple(dict.fromkeys([self.measure, *(condition.measure for condition in self.requires)]))


def _require_fit(measure: str, threshold: Threshold | None) -> None:
    is_money = measure in BY_NAME and BY_NAME[measure].unit == "money"
    if threshold is not None and measure in BY_NAME and is_money != isinstance(threshold, dict):
        raise ValueError(f"'{measure}' is {'money: say how much in each currency' if is_money else 'one number'}")


@dataclass(frozen=True)
class Rulebook:
    """Rules that are not paused, and the facts they go by."""

    rules: tuple[Rule, ...]
    facts: Facts = field(default_factory=Facts)

    def of(self, kind: str, length: int, shift: int) -> list[Rule]:
        """The rules over windows of one kind and length that begin so."""
        return self._by_windows.get((kind, length, shift), [])

    @cached_property
    def _by_windows(self) -> Mapping[tuple[str, int, int], list[Rule]]:
        found: dict[tuple[str, int, int], list[Rule]] = {}
        for rule in self.rules:
            for shift in rule.shifts:
                found.setdefault((rule.kind, rule.length, shift), []).append(rule)
        return found

    @property
    def longest_shift(self) -> int:
        """How long after a day's end the last window ends that began in it, in microseconds."""
        return max((max(rule.shifts) for rule in self.rules), default=0)


def read_rules(folder: Path) -> list[Rule]:
    """All rules of a folder, paused ones too; raises `SettingsError` that names file and field."""
    rules = [rule for path in files_of(folder) if path.name not in (AMOUNTS, TYPOLOGIES) for rule in _rules_of(path)]
    if not rules:
        raise SettingsError(f"There are no rules in {folder}: name a folder with .yaml files of rules.")
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise SettingsError(f"Two rules in {folder} have the id '{rule.id}': give one of them another.")
        seen.add(rule.id)
    return rules


def read_rulebook(folder: Path) -> Rulebook:
    """The rules of a folder that are not paused; raises as `read_rules` does."""
    rules = tuple(rule for rule in read_rules(folder) if rule.state != "paused")
    return Rulebook(rules, read_facts(folder))


class LiveRules:
    """The rules of a folder while a stream runs: a change is taken up, a file that is wrong keeps the last good set."""

    def __init__(self, folder: Path) -> None:
        """Raises `SettingsError` when the rules are wrong now."""
        self._folder = folder
        self._seen = _state_of(folder)
        self.rulebook = read_rulebook(folder)

    def has_changed(self) -> bool:
        """Whether there are other rules than before; what is wrong is logged once."""
        state = _state_of(self._folder)
        if state == self._seen:
            return False
        self._seen = state
        try:
            self.rulebook = read_rulebook(self._folder)
        except SettingsError as problem:
            logger.error("the rules stay as they were: %s", problem)
            return False
        logger.info("%d rules read anew", len(self.rulebook.rules))
        return True


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    states = ((path.name, path.stat()) for path in files_of(folder))
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


def _rules_of(path: Path) -> Iterator[Rule]:
    written = yaml_of(path)
    for one in written if isinstance(written, list) else [written]:
        named = one.get("id", "without an id") if isinstance(one, dict) else "without an id"
        try:
            yield Rule.model_validate(one)
        except ValidationError as invalid:
            raise SettingsError(sentence_of(f"{path}, rule {named}", invalid)) from None
