"""All figures of some alerts: the rules one by one, and what is suspected by them together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from infra.detection.evidence import parties_of, traffic_of
from infra.detection.measure import Evaluation, evaluate
from infra.detection.sent import sent
from infra.detection.suspects import TypologyFigures, judge_suspicions
from infra.detection.truth import PlantedCase, aims_of
from jobs.alerts.rulebook import Rule
from jobs.alerts.typologies import Typology


@dataclass(frozen=True)
class Report:
    """What the rules are worth one by one, and what is suspected by them together."""

    rules: Evaluation
    typologies: tuple[TypologyFigures, ...]


def judged(
    alerts: pa.Table,
    rules: Sequence[Rule],
    typologies: Mapping[str, Typology],
    cases: Sequence[PlantedCase],
    completed: pa.Table,
) -> Report:
    """The figures by the truth; `completed` are silver's completed rows, with the columns of `evidence`."""
    parties, traffic = parties_of(completed, cases), traffic_of(completed)
    return Report(
        rules=evaluate(sent(alerts, rules), cases, parties, aims_of(rules), traffic),
        typologies=judge_suspicions(alerts, rules, typologies, cases, parties, traffic),
    )
