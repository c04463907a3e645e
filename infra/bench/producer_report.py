"""The report of the producers: medians, and how many times as fast as momo produce the others are."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.bench.figures import paired_ratio
from infra.bench.report import Report, markdown_table
from infra.bench.warm_process import Cost

_HEADER = ("producer", "rows/s", "s", "CPU-s per M rows", "broker's", "× momo produce")


@dataclass
class Sender:
    """Who sends: its program, and what its rounds cost so far."""

    name: str
    command: list[str]
    rounds: list[Cost] = field(default_factory=list)


def producer_report(rows: int, rounds: int, senders: Sequence[Sender]) -> Report:
    """Medians over the rounds, and ratios of paired rounds to the first sender, which is momo produce."""
    entries = [_entry(rows, sender, senders[0]) for sender in senders]
    about = (
        f"Replay of {rows:,} records into Kafka, {rounds} rounds in turn after one to warm up; medians, ratios of "
        "paired rounds with their 95 % bootstrap interval. The bare clients send ready keys and values, unchecked."
    )
    table = markdown_table(_HEADER, [_row(entry) for entry in entries])
    return Report("producer", f"{about}\n\n{table}", {"rows": rows, "rounds": rounds, "contestants": entries})


def _entry(rows: int, sender: Sender, reference: Sender) -> dict[str, Any]:
    seconds = [cost.seconds for cost in sender.rounds]
    brokers = [cost.broker_cpu_seconds for cost in sender.rounds if cost.broker_cpu_seconds is not None]
    ratio = paired_ratio([cost.seconds for cost in reference.rounds], seconds)
    return {
        "name": sender.name,
        "rows_per_s": round(rows / statistics.median(seconds)),
        "seconds": round(statistics.median(seconds), 2),
        "cpu_s_per_million_rows": _per_million(rows, [cost.cpu_seconds for cost in sender.rounds]),
        "broker_cpu_s_per_million_rows": _per_million(rows, brokers),
        "times_momo_produce": round(ratio.median, 3),
        "times_momo_produce_95": [round(ratio.low, 3), round(ratio.high, 3)],
        "rounds": [cost.as_dict() for cost in sender.rounds],
    }


def _per_million(rows: int, seconds: Sequence[float]) -> float | None:
    return round(statistics.median(seconds) / rows * 1_000_000, 2) if seconds else None


def _row(entry: dict[str, Any]) -> list[str]:
    low, high = entry["times_momo_produce_95"]
    broker = entry["broker_cpu_s_per_million_rows"]
    return [
        entry["name"],
        f"{entry['rows_per_s']:,}",
        f"{entry['seconds']:.1f}",
        f"{entry['cpu_s_per_million_rows']:.1f}",
        "–" if broker is None else f"{broker:.1f}",
        f"{entry['times_momo_produce']:.2f} [{low:.2f}, {high:.2f}]",
    ]
