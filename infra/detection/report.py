"""An evaluation as tables for a terminal and for a page."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO

from rich.console import Console
from rich.table import Table

from infra.detection.estimates import REAL_PREVALENCE, Share
from infra.detection.judging import Report
from infra.detection.measure import ACTIVE_RULES, ANY_RULE, Evaluation, RecallFigures, RuleFigures
from infra.detection.suspects import TypologyFigures

RULE_HEADINGS = (
    "rule", "state", "alerts", "on its cases", "on others", "precision", "at 2 in a million", "alerts per 1,000 "
    "customers a day", "of them on no case",
)  # fmt: skip
TYPOLOGY_HEADINGS = (
    "typology", "cases", "found", "recall", "suspicions", "on its cases", "on others", "precision", "at 2 in a million",
    "of them on no case, per 1,000 customers a day", "to be held", "of them on a case",
)  # fmt: skip
RECALL_HEADINGS = ("typology", "rule", "cases", "found", "recall")
ASSUMPTION = (
    "Intervals are of 95 % (Wilson). The precision at the real prevalence assumes that a fraud is found as often, and "
    "an honest transaction raises an alert as often, as here, and that the mix of typologies is that of here."
)


def summary(found: Evaluation) -> str:
    """In one line what was looked at."""
    unsent = f", {found.cases_not_in_silver:,} more not in silver" if found.cases_not_in_silver else ""
    return (
        f"{found.transactions:,} completed transactions, {found.customer_days:,} customer-days, {found.cases:,} "
        f"planted cases{unsent}: {found.prevalence * 1e6:,.0f} of a million transactions are fraud "
        f"(in reality {REAL_PREVALENCE * 1e6:.0f})"
    )


def add_form_arguments(parser: argparse.ArgumentParser) -> None:
    """`--json` and `--markdown`, as `form`."""
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", dest="form", action="store_const", const="json", help="one JSON object")
    forms.add_argument("--markdown", dest="form", action="store_const", const="markdown", help="as a part of a page")


def shown(report: Report, form: str | None) -> str:
    """As `json`, as `markdown`, or as tables for a terminal."""
    if form == "json":
        return json.dumps({**asdict(report.rules), "typologies": [asdict(one) for one in report.typologies]}) + "\n"
    return markdown(report) if form == "markdown" else _table(report)


def markdown(report: Report) -> str:
    """As a part of a page."""
    tables = [_markdown_table(headings, rows) for headings, rows in _tables(report)]
    return "\n\n".join([summary(report.rules) + ".", *tables, ASSUMPTION]) + "\n"


def _table(report: Report) -> str:
    """For a person at a terminal."""
    console = Console(file=StringIO(), width=200, highlight=False)
    console.print(summary(report.rules))
    for headings, rows in _tables(report):
        table = Table(*headings, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(ASSUMPTION)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def _tables(report: Report) -> list[tuple[Sequence[str], list[list[str]]]]:
    found = report.rules
    return [
        (TYPOLOGY_HEADINGS, [_typology_row(figures) for figures in report.typologies]),
        (RULE_HEADINGS, [_rule_row(figures) for figures in (*found.rules, found.active_rules)]),
        (RECALL_HEADINGS, [_recall_row(figures) for figures in found.recalls if figures.recall.count]),
    ]


def _rule_row(rule: RuleFigures) -> list[str]:
    return [
        *(rule.rule_id, rule.state, *_counted(rule)),
        _rate(rule.alerts_per_1000),
        _rate(rule.false_per_1000),
    ]


def _typology_row(typology: TypologyFigures) -> list[str]:
    recall, held = typology.recall, typology.interdicted
    return [
        *(typology.suspected.rule_id, f"{recall.count:,}", f"{recall.hits:,}", _share(recall)),
        *_counted(typology.suspected),
        _rate(typology.suspected.false_per_1000),
        *(f"{held.count:,}", f"{held.hits:,}"),
    ]


def _counted(figures: RuleFigures) -> list[str]:
    """Alerts or suspicions, those on a case, and the precision, here and in reality."""
    value, low, high = figures.precision_at_real
    return [
        *(f"{figures.alerts:,}", f"{figures.on_its_cases:,}", f"{figures.on_other_cases:,}"),
        _share(figures.precision),
        "–" if value is None else f"{_percent(value)} ({_percent(low)} to {_percent(high)})",
    ]


def _recall_row(found: RecallFigures) -> list[str]:
    names = {ANY_RULE: "any of its rules", ACTIVE_RULES: "any active rule"}
    rule = names.get(found.rule_id, found.rule_id)
    return [found.typology, rule, f"{found.recall.count:,}", f"{found.recall.hits:,}", _share(found.recall)]


def _share(found: Share) -> str:
    return "–" if found.value is None else f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"


def _percent(value: float | None) -> str:
    """To the second digit: most are far below one percent."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.1 or value == 0 else f"{100 * value:.2g}%"


def _rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2f}"


def _markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
