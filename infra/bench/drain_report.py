"""The report of a race: medians, ratios between contestants with their intervals, and the share of the roofline."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.bench.bench_topic import Truth
from infra.bench.figures import Ratio, paired_ratio
from infra.bench.registry import Contestant
from infra.bench.report import Report, markdown_table
from infra.bench.roofline import Roofline
from infra.bench.warm_process import Cost

REFERENCES = ("momostream", "tutorial", "momostream_1_worker")


@dataclass
class Standing:
    """A contestant in the race: its rounds so far, and why it is out of it, null while it is in."""

    contestant: Contestant
    rounds: list[Cost] = field(default_factory=list)
    out: str | None = None

    @property
    def name(self) -> str:
        """The contestant's name."""
        return self.contestant.name


def drain_report(
    truth: Truth, standings: Sequence[Standing], warm_ups: int, rounds: int, roofline: Roofline | None
) -> Report:
    """Medians over the rounds; a contestant that is out has its reason and no time."""
    ceiling = roofline.rows_per_s if roofline else None
    entries = [_entry(truth.records, standing, standings, ceiling) for standing in standings]
    figures = {
        "rows": truth.records,
        "rounds": rounds,
        "warm_ups": warm_ups,
        "cores": os.cpu_count(),
        "roofline_rows_per_s": ceiling,
        "roofline": roofline.figures if roofline else None,
        "contestants": entries,
    }
    return Report("drain", "\n\n".join(_sections(truth, entries, warm_ups, rounds, roofline)), figures)


def _entry(records: int, standing: Standing, all_of_them: Sequence[Standing], ceiling: float | None) -> dict[str, Any]:
    """One contestant's figures; rows/s and CPU are medians over the rounds, ratios the median of paired rounds."""
    if standing.out or not standing.rounds:
        return {"name": standing.name, "rows_per_s": None, "out": standing.out}
    seconds = statistics.median(cost.seconds for cost in standing.rounds)
    ratios = {name: _ratio(standing, all_of_them, name) for name in REFERENCES}
    return {
        "name": standing.name,
        "rows_per_s": round(records / seconds),
        "seconds": round(seconds, 2),
        "cpu_s_per_million_rows": _per_million(records, [cost.cpu_seconds for cost in standing.rounds]),
        "broker_cpu_s_per_million_rows": _per_million(records, [cost.broker_cpu_seconds for cost in standing.rounds]),
        "share_of_roofline": round(records / seconds / ceiling, 3) if ceiling else None,
        **{f"times_{name}": round(ratio.median, 3) if ratio else None for name, ratio in ratios.items()},
        **{f"times_{name}_95": _interval(ratio) for name, ratio in ratios.items()},
        "load": _median([cost.load for cost in standing.rounds]),
        "others_cores": _median([cost.others for cost in standing.rounds]),
        "steal": _median([cost.steal for cost in standing.rounds]),
        "rounds": [cost.as_dict() for cost in standing.rounds],
    }


def _ratio(standing: Standing, all_of_them: Sequence[Standing], name: str) -> Ratio | None:
    """How many times as fast as the other one, round by round; None when that one has no time."""
    others = [other for other in all_of_them if other.name == name and not other.out and other.rounds]
    if not others:
        return None
    return paired_ratio([c.seconds for c in others[0].rounds], [c.seconds for c in standing.rounds])


def _interval(ratio: Ratio | None) -> list[float] | None:
    return [round(ratio.low, 3), round(ratio.high, 3)] if ratio else None


def _per_million(records: int, seconds: Sequence[float | None]) -> float | None:
    median = _median(seconds)
    return None if median is None else round(median / records * 1_000_000, 2)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None


def _sections(
    truth: Truth, entries: Sequence[dict[str, Any]], warm_ups: int, rounds: int, roofline: Roofline | None
) -> list[str]:
    references = [entry["name"] for entry in entries if entry["name"] in REFERENCES]
    timed = [_row(entry, references) for entry in entries if entry["rows_per_s"] is not None]
    out = [f"- **{entry['name']}** has no time: {entry['out']}" for entry in entries if entry["rows_per_s"] is None]
    about = (
        f"Drain of {truth.records:,} records on a machine of {os.cpu_count()} cores, {rounds} rounds in turn after "
        f"{warm_ups} to warm up; medians, ratios of paired rounds with their 95 % bootstrap interval. Rows and sums of "
        "every round were right before its time counted."
    )
    sections = [about, markdown_table(_header(references), timed)] if timed else [about]
    return [*sections, *(["\n".join(out)] if out else []), *([roofline.markdown] if roofline else [])]


def _header(references: Sequence[str]) -> list[str]:
    costs = ["contestant", "rows/s", "s", "CPU-s per M rows", "broker's"]
    return [*costs, *(f"× {name}" for name in references), "of roofline", "load", "others' cores", "steal"]


def _row(entry: dict[str, Any], references: Sequence[str]) -> list[str]:
    share, broker = entry["share_of_roofline"], entry["broker_cpu_s_per_million_rows"]
    return [
        entry["name"],
        f"{entry['rows_per_s']:,}",
        f"{entry['seconds']:.1f}",
        f"{entry['cpu_s_per_million_rows']:.1f}",
        "–" if broker is None else f"{broker:.1f}",
        *(_times(entry, name) for name in references),
        "–" if share is None else f"{share:.0%}",
        f"{entry['load']:.1f}",
        "–" if entry["others_cores"] is None else f"{entry['others_cores']:.1f}",
        f"{entry['steal']:.0%}",
    ]


def _times(entry: dict[str, Any], name: str) -> str:
    if entry[f"times_{name}"] is None:
        return "–"
    low, high = entry[f"times_{name}_95"]
    return f"{entry[f'times_{name}']:.2f} [{low:.2f}, {high:.2f}]"
