"""The report of a freshness run: ages per table, lag, the producer's slip, the stream's cores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infra.bench.figures import Floats, first_reached, latency_percentiles, slope
from infra.bench.lag import LagSamples
from infra.bench.producing import Production
from infra.bench.report import Report, markdown_table
from infra.bench.versions import Rows, Watched, WatchedNote, rows_by_version, rows_seen_by, totals_by_version

# A producer that is later than this at its 99th percentile was the bottleneck itself, and the run is void.
LARGEST_SLIP_MS = 10.0


@dataclass(frozen=True)
class Freshness:
    """What a run observed: of tables and alerts, what was sent, the topic's length, the stream's cores."""

    tables: dict[str, Watched]
    alerts: WatchedNote
    production: Production
    samples: LagSamples
    cores: float


def freshness_report(contestant: str, rate: float, minutes: float, run: Freshness) -> Report:
    """Percentiles of age per table; `not_visible` counts records that no reader saw before the run was ended."""
    rows = {name: rows_by_version(run.tables[name]) for name in ("bronze", "silver")}
    ages = {name: _ages(table.due, table.seen, run.production) for name, table in rows.items()}
    ages["gold"] = _ages(rows["silver"].due, gold_seen(rows["silver"], run.tables["gold"]), run.production)
    if run.alerts.seen:
        ages["alerts"] = _ages(rows["silver"].due, alerts_seen(rows["silver"], run.alerts.seen), run.production)
    tables = {name: {**latency_percentiles(a), "not_visible": run.production.sent - len(a)} for name, a in ages.items()}
    behind = np.array(run.samples.records) - rows_seen_by(rows["bronze"], run.tables["bronze"].seen, run.samples.times)
    slip_ms = float(np.percentile(run.production.slips, 99)) * 1000
    figures = {
        "rate": rate,
        "minutes": minutes,
        "contestant": contestant,
        "tables": tables,
        "lag_slope_rows_per_s": round(slope(run.samples.times, behind), 2),
        "lag_max_rows": int(behind.max(initial=0)),
        "slip_p99_ms": round(slip_ms, 2),
        "is_void": slip_ms > LARGEST_SLIP_MS,
        "cores": round(run.cores, 2),
    }
    return Report(f"freshness-{rate:.0f}", _markdown(figures), figures)


def gold_seen(silver: Rows, gold: Watched) -> Floats:
    """For each silver row when gold was first seen to have counted it; infinity where it never was."""
    reached = first_reached(silver.ends, totals_by_version(gold))
    times = np.append(np.asarray(gold.seen, dtype=np.float64), np.inf)
    counts = np.diff(silver.ends, prepend=0)
    return np.repeat(times[reached], counts)


def alerts_seen(silver: Rows, seen: Sequence[float]) -> Floats:
    """For each silver row when alerts first stood behind its version; infinity where they never did."""
    times = np.full(len(silver.ends), np.inf)
    times[: len(seen)] = seen[: len(times)]
    return np.repeat(times, np.diff(silver.ends, prepend=0))


def _ages(due: Floats, seen: Floats, production: Production) -> Floats:
    """Seconds from due to seen of the records of the measured stretch that were seen."""
    # Due times travel cut to microseconds, the start rounded to them.
    counts = (due >= production.start - 2e-6) & np.isfinite(seen)
    return seen[counts] - due[counts]


def _markdown(figures: dict) -> str:  # type: ignore[type-arg]
    names = ("p50_s", "p95_s", "p99_s", "max_s")
    rows = [
        [table, *(f"{ages[name]:.2f}" if name in ages else "–" for name in names), f"{ages['not_visible']:,}"]
        for table, ages in figures["tables"].items()
    ]
    about = (
        f"Age of a record when a reader first sees it: {figures['contestant']} at {figures['rate']:,.0f} records/s for "
        f"{figures['minutes']:g} minutes, seconds from when it was due."
    )
    void = " **Void: the producer was the bottleneck.**" if figures["is_void"] else ""
    beside = (
        f"Kafka lag at most {figures['lag_max_rows']:,} rows, slope {figures['lag_slope_rows_per_s']:+,.1f} rows/s; "
        f"producer's slip p99 {figures['slip_p99_ms']:.1f} ms; cores of the stream {figures['cores']:.2f}.{void}"
    )
    return "\n\n".join([about, markdown_table(("table", "p50", "p95", "p99", "max", "not visible"), rows), beside])
