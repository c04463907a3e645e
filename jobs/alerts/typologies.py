"""What alerts add up to: parties on whom several rules point to the same kind of fraud.

`conf/rules/typologies.yaml` says with how many points of weight a party is suspected, and from how many on its payments
are better held. A suspicion is a function of the alerts and the rules, computed when it is asked for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from jobs.alerts.alert_table import Alert
from jobs.alerts.movements import PAIR_SEPARATOR
from jobs.alerts.rule_files import TYPOLOGIES, Strict, sentence_of, yaml_of
from jobs.alerts.rulebook import COUNTED, Rule
from jobs.errors import SettingsError

# Alerts that begin within so long of the first one are one matter: the longest window there is.
TOGETHER = timedelta(days=1)

Points = Annotated[int, Field(ge=1, le=10_000)]


class Typology(Strict):
    """A kind of fraud: what it is, and from how many points on a party is suspected, and better held."""

    means: str
    alert: Points
    interdict: Points

    @model_validator(mode="after")
    def _is_in_order(self) -> "Typology":
        if self.interdict < self.alert:
            raise ValueError(f"interdict is {self.interdict}, at least alert ({self.alert}) is expected")
        return self


@dataclass(frozen=True)
class Suspicion:
    """A party that alerts of one typology, together, speak against; `first` and `last` are the ends of their windows.

    `party` is a token, or an agent's or merchant's alias, as alerts have it; of a pair each is a party of its own.
    """

    typology: str
    party: str
    verdict: Literal["alert", "interdict"]
    points: int
    first: datetime
    last: datetime
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    alert_ids: tuple[str, ...]
    transaction_references: tuple[str, ...]


def read_typologies(folder: Path, rules: Sequence[Rule]) -> dict[str, Typology]:
    """The typologies of a folder of rules; raises `SettingsError` that names file and field, or a rule's unknown."""
    path = folder / TYPOLOGIES
    try:
        read = {name: Typology.model_validate(values) for name, values in yaml_of(path).items()}
    except ValidationError as invalid:
        raise SettingsError(sentence_of(str(path), invalid)) from None
    except AttributeError:
        raise SettingsError(f"The file {path} must hold typologies by name.") from None
    for rule in rules:
        for name in rule.typologies:
            if name not in read:
                raise SettingsError(
                    f"Rule {rule.id} points to '{name}', which {path} does not know: say there what it is."
                )
    return read


def suspicions(alerts: Iterable[Alert], rules: Sequence[Rule], typologies: Mapping[str, Typology]) -> list[Suspicion]:
    """Who is suspected of what, most points first; alerts of rules in shadow count nothing."""
    weights = {rule.id: rule.typologies for rule in rules if rule.state in COUNTED}
    found = [
        suspicion
        for (name, party), its in _by_matter(alerts, weights).items()
        for together in _matters(its)
        if (suspicion := _suspicion(name, party, together, weights, typologies[name])) is not None
    ]
    return sorted(found, key=lambda one: (-one.points, one.first, one.typology, one.party))


def _by_matter(alerts: Iterable[Alert], weights: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], list[Alert]]:
    """The alerts that speak of a typology and a party, in the order of their windows."""
    found: dict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda one: (one["window_start"], one["alert_id"])):
        if alert["state"] in COUNTED:
            for name in weights.get(alert["rule_id"], {}):
                for party in alert["entity"].split(PAIR_SEPARATOR):
                    found[name, party].append(alert)
    return found


def _matters(alerts: Sequence[Alert]) -> Iterator[list[Alert]]:
    """Those that are one matter, each time."""
    together: list[Alert] = []
    for alert in alerts:
        if together and alert["window_start"] >= together[0]["window_start"] + TOGETHER:
            yield together
            together = []
        together.append(alert)
    if together:
        yield together


def _suspicion(
    name: str, party: str, alerts: Sequence[Alert], weights: Mapping[str, Mapping[str, int]], typology: Typology
) -> Suspicion | None:
    """None for too few points. A rule counts once, however often it fired; its last alert says why."""
    by_rule = {alert["rule_id"]: alert for alert in alerts}
    points = sum(weights[rule_id][name] for rule_id in by_rule)
    if points < typology.alert:
        return None
    references = (reference for alert in alerts for reference in alert["transaction_references"] or ())
    return Suspicion(
        typology=name,
        party=party,
        verdict="interdict" if points >= typology.interdict else "alert",
        points=points,
        first=min(alert["window_start"] for alert in alerts),
        last=max(alert["window_end"] for alert in alerts),
        rules=tuple(by_rule),
        reasons=tuple(alert["reason"] for alert in by_rule.values()),
        alert_ids=tuple(alert["alert_id"] for alert in alerts),
        transaction_references=tuple(dict.fromkeys(references)),
    )
