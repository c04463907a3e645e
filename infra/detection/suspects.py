"""Suspicions against planted cases: counted as alerts are, each typology as if it were a rule. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from infra.detection.estimates import Share, share
from infra.detection.measure import ACTIVE, ANY_RULE, Evaluation, RuleFigures, Traffic, evaluate
from infra.detection.truth import PlantedCase, RuleAim
from jobs.alerts.rulebook import Rule
from jobs.alerts.typologies import Suspicion, Typology, suspicions

_TIME = pa.timestamp("us", tz="UTC")
_ALERTS = pa.schema(
    [
        ("alert_id", pa.string()), ("rule_id", pa.string()), ("state", pa.string()), ("entity", pa.string()),
        ("window_start", _TIME), ("window_end", _TIME), ("first_event_time", _TIME),
        ("transaction_references", pa.list_(pa.string())),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class TypologyFigures:
    """A typology: `suspected` counts its suspicions as those of a rule are counted, `recall` its planted cases.

    `interdicted` is the share of those from the second threshold on that are on a planted case, of whatever typology.
    """

    suspected: RuleFigures
    recall: Share
    interdicted: Share


def judge_suspicions(
    alerts: pa.Table,
    rules: Sequence[Rule],
    typologies: Mapping[str, Typology],
    cases: Sequence[PlantedCase],
    parties: pa.Table,
    traffic: Traffic,
) -> tuple[TypologyFigures, ...]:
    """The figures of each typology that was planted or is suspected; arguments as `evaluate` has them."""
    found = suspicions(alerts.to_pylist(), rules, typologies)
    judged = _judged(found, typologies, cases, parties, traffic)
    held = _judged([one for one in found if one.verdict == "interdict"], typologies, cases, parties, traffic)
    recalls = {one.typology: one.recall for one in judged.recalls if one.rule_id == ANY_RULE}
    return tuple(
        TypologyFigures(suspected, recalls[suspected.rule_id], _on_any(interdicted))
        for suspected, interdicted in zip(judged.rules, held.rules, strict=True)
        if suspected.alerts or recalls[suspected.rule_id].count
    )


def _judged(
    found: Sequence[Suspicion],
    typologies: Mapping[str, Typology],
    cases: Sequence[PlantedCase],
    parties: pa.Table,
    traffic: Traffic,
) -> Evaluation:
    rows = [
        {
            "alert_id": f"{one.typology} {one.party} {one.first}",
            "rule_id": one.typology,
            "state": ACTIVE,
            "entity": one.party,
            "window_start": one.first,
            "window_end": one.last,
            "first_event_time": one.first,
            "transaction_references": one.transaction_references,
        }
        for one in found
    ]
    aims = [RuleAim(name, ACTIVE, (name,)) for name in typologies]
    return evaluate(pa.Table.from_pylist(rows, schema=_ALERTS), cases, parties, aims, traffic)


def _on_any(figures: RuleFigures) -> Share:
    return share(figures.on_its_cases + figures.on_other_cases, figures.alerts)
