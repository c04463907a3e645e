"""Alerts against planted cases: what each rule found, and what it raised for nothing. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infra.detection.estimates import Share, at_prevalence, share
from infra.detection.truth import PlantedCase, RuleAim
from jobs.alerts.movements import PAIR_SEPARATOR

# Of silver, whatever an alert may have as its entity.
PARTY_COLUMNS = ("debit_token", "credit_token", "debit_party", "credit_party", "agent_id")
# Stands for all rules that are there for a typology, and for all active ones.
ANY_RULE = "any"
ACTIVE, ACTIVE_RULES = "active", "active rules together"


@dataclass(frozen=True)
class Traffic:
    """All there was: completed transactions, and customers who took part in one, counted anew each day."""

    transactions: int
    customer_days: int


@dataclass(frozen=True)
class RuleFigures:
    """One rule: its alerts, those on a case of a typology it is there for, those on a case of another one.

    `precision_at_real`, with its interval, is that of `precision` at the real prevalence. Rates are per 1,000 active
    customers and day, of all alerts and of those on no case.
    """

    rule_id: str
    state: str
    typologies: tuple[str, ...]
    alerts: int
    on_its_cases: int
    on_other_cases: int
    precision: Share
    precision_at_real: tuple[float | None, float | None, float | None]
    alerts_per_1000: float | None
    false_per_1000: float | None


@dataclass(frozen=True)
class RecallFigures:
    """The planted cases of a typology that a rule found, of those that silver has any of.

    In place of a rule `ANY_RULE` stands for all that are there for the typology, `ACTIVE_RULES` for all active ones.
    """

    rule_id: str
    typology: str
    recall: Share


@dataclass(frozen=True)
class Evaluation:
    """What the rules are worth. `prevalence` is the planted share of completed transactions.

    `active_rules` are all active rules together, whose cases are all that were planted.
    """

    transactions: int
    customer_days: int
    cases: int
    cases_not_in_silver: int
    prevalence: float
    rules: tuple[RuleFigures, ...]
    active_rules: RuleFigures
    recalls: tuple[RecallFigures, ...]


def evaluate(
    alerts: pa.Table, cases: Sequence[PlantedCase], parties: pa.Table, aims: Sequence[RuleAim], traffic: Traffic
) -> Evaluation:
    """Precision of each rule, and recall of each rule and typology it is there for.

    `parties` are silver's completed rows of the cases: `transaction_reference` and `PARTY_COLUMNS`. A case is found by
    an alert that names one of its transactions, or whose entity took part in one and whose time meets the case's. A
    case of which silver has nothing was never sent, and is not counted. An alert may be on two cases; it counts once.
    """
    in_silver = set(parties["transaction_reference"].to_pylist())
    sent = [case for case in cases if in_silver.intersection(case.transaction_references)]
    planted = in_silver.intersection(reference for case in sent for reference in case.transaction_references)
    met = _cases_met(alerts, sent, parties)
    prevalence = len(planted) / traffic.transactions if traffic.transactions else 0.0
    known = [*aims, *_unknown_rules(alerts, aims)]
    raised = {aim.rule_id: _raised(aim, _alerts_of([aim], alerts), met) for aim in known}
    everything = RuleAim(ACTIVE_RULES, ACTIVE, tuple(sorted({case.typology for case in sent})))
    of_active = _raised(everything, _alerts_of([aim for aim in known if aim.state == ACTIVE], alerts), met)
    return Evaluation(
        transactions=traffic.transactions,
        customer_days=traffic.customer_days,
        cases=len(sent),
        cases_not_in_silver=len(cases) - len(sent),
        prevalence=prevalence,
        rules=tuple(_figures(aim, raised[aim.rule_id], prevalence, traffic.customer_days) for aim in known),
        active_rules=_figures(everything, of_active, prevalence, traffic.customer_days),
        recalls=tuple(_recalls(known, raised, of_active, sent)),
    )


def _cases_met(alerts: pa.Table, cases: Sequence[PlantedCase], parties: pa.Table) -> dict[str, tuple[PlantedCase, ...]]:
    """Alert → the cases it is on, of whatever typology."""
    by_reference = {reference: case for case in cases for reference in case.transaction_references}
    by_name: dict[str, dict[str, PlantedCase]] = defaultdict(dict)
    for row in parties.to_pylist():
        case = by_reference.get(row["transaction_reference"])
        for name in (row[column] for column in PARTY_COLUMNS):
            if case and name:
                by_name[name][case.case_id] = case
    return {alert["alert_id"]: tuple(_on(alert, by_reference, by_name)) for alert in alerts.to_pylist()}


def _on(
    alert: Mapping[str, Any],
    by_reference: Mapping[str, PlantedCase],
    by_name: Mapping[str, Mapping[str, PlantedCase]],
) -> Iterable[PlantedCase]:
    named = {
        by_reference[r].case_id: by_reference[r] for r in alert["transaction_references"] or () if r in by_reference
    }
    first, last = _time_of(alert)
    # Both of a pair must have taken part.
    took_part = [by_name.get(name, {}) for name in (alert["entity"] or "").split(PAIR_SEPARATOR)]
    for case_id in set(took_part[0]).intersection(*took_part):
        case = took_part[0][case_id]
        if first <= case.last_event_time and case.first_event_time <= last:
            named[case_id] = case
    return named.values()


def _time_of(alert: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """The alert's window; of one about a single row that row's time."""
    at = alert["first_event_time"]
    return alert["window_start"] or at, alert["window_end"] or at


def _unknown_rules(alerts: pa.Table, aims: Sequence[RuleAim]) -> list[RuleAim]:
    """Rules that have raised alerts and that nobody knows any more."""
    known = {aim.rule_id for aim in aims}
    states = dict(zip(alerts["rule_id"].to_pylist(), alerts["state"].to_pylist(), strict=True))
    return [RuleAim(rule_id, state, ()) for rule_id, state in sorted(states.items()) if rule_id not in known]


@dataclass(frozen=True)
class _Raised:
    """A rule's alerts, each once, and the cases it found, by typology."""

    alerts: int
    on_its_cases: int
    on_other_cases: int
    found: Mapping[str, set[str]]


def _alerts_of(aims: Iterable[RuleAim], alerts: pa.Table) -> set[str]:
    rules = pa.array([aim.rule_id for aim in aims], pa.string())
    return set(alerts["alert_id"].filter(pc.is_in(alerts["rule_id"], value_set=rules)).to_pylist())


def _raised(aim: RuleAim, raised: set[str], met: Mapping[str, tuple[PlantedCase, ...]]) -> _Raised:
    on_its = [alert_id for alert_id in raised if any(case.typology in aim.typologies for case in met[alert_id])]
    found: dict[str, set[str]] = defaultdict(set)
    for alert_id in on_its:
        for case in met[alert_id]:
            found[case.typology].add(case.case_id)
    on_any = sum(1 for alert_id in raised if met[alert_id])
    return _Raised(len(raised), len(on_its), on_any - len(on_its), found)


def _figures(aim: RuleAim, raised: _Raised, prevalence: float, customer_days: int) -> RuleFigures:
    # A rule that is there for no typology has no precision: nothing it could have found was planted.
    precision = share(raised.on_its_cases, raised.alerts if aim.typologies else 0)
    at_real = [at_prevalence(value, prevalence) for value in (precision.value, precision.low, precision.high)]
    on_none = raised.alerts - raised.on_its_cases - raised.on_other_cases
    return RuleFigures(
        rule_id=aim.rule_id,
        state=aim.state,
        typologies=aim.typologies,
        alerts=raised.alerts,
        on_its_cases=raised.on_its_cases,
        on_other_cases=raised.on_other_cases,
        precision=precision,
        precision_at_real=(at_real[0], at_real[1], at_real[2]),
        alerts_per_1000=_per_1000(raised.alerts, customer_days),
        false_per_1000=_per_1000(on_none, customer_days),
    )


def _per_1000(alerts: int, customer_days: int) -> float | None:
    return alerts * 1000 / customer_days if customer_days else None


def _recalls(
    aims: Sequence[RuleAim], by_rule: Mapping[str, _Raised], of_active: _Raised, cases: Sequence[PlantedCase]
) -> Iterable[RecallFigures]:
    """Each typology that was planted or is looked for: by whatever is active, by all its rules, then rule by rule."""
    planted: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        planted[case.typology].add(case.case_id)
    for typology in sorted({*planted, *(typology for aim in aims for typology in aim.typologies)}):
        rules = [aim.rule_id for aim in aims if typology in aim.typologies]
        found = {rule_id: by_rule[rule_id].found.get(typology, set()) for rule_id in rules}
        count = len(planted[typology])
        yield RecallFigures(ACTIVE_RULES, typology, share(len(of_active.found.get(typology, set())), count))
        yield RecallFigures(ANY_RULE, typology, share(len(set().union(*found.values())), count))
        for rule_id in rules:
            yield RecallFigures(rule_id, typology, share(len(found[rule_id]), count))
