"""The report of growth: costs at each mark beside those at the first one."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.bench.report import Report, markdown_table

# The way to remember keys that the pipeline has; the others stand beside it.
OWN_WAY = "momostream"

_ABOUT_COMMITS = (
    "Batches of the pipeline at commits of its tables: wall seconds, median; `all` is their sum. Between the marks "
    "the tables were brought forward by commits of the pipeline's own shape, of one row each, with checkpoints, and "
    "maintained unless told otherwise."
)
_ABOUT_STATE = (
    "New keys when so many are remembered: microseconds a row of a whole batch, median; `× first` compares the CPU "
    "time of the smaller batch with that at the fewest keys."
)
_QUERIES = ("ingest", "gold")


def growth_report(commits: Sequence[dict[str, Any]], state: Mapping[str, Sequence[dict[str, Any]]]) -> Report:
    """Costs at each mark, and how many times those at the first; `state` holds each way to remember by its name.

    What was not measured is empty.
    """
    beside = {f"state_by_{name}": with_ratio(costs, "us_per_row") for name, costs in state.items() if name != OWN_WAY}
    figures = {
        "commits": with_ratio(commits, "batch_p50_s"),
        "state": with_ratio(state.get(OWN_WAY, []), "us_per_row"),
        **beside,
    }
    sections = [_commit_section(figures["commits"])] if commits else []
    sections += [_state_section(name, with_ratio(costs, "us_per_row")) for name, costs in state.items()]
    return Report("growth", "\n\n".join(sections), figures)


def with_ratio(costs: Sequence[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    """The costs, each with how many times the first one it is."""
    return [{**cost, "times_first": round(cost[what] / costs[0][what], 3)} for cost in costs]


def _commit_section(commits: Sequence[dict[str, Any]]) -> str:
    header = ("commit", "all", "× first", *_QUERIES, "batches", "CPU-s a batch", "log, MB", "log files")
    rows = [
        [
            f"{at['commit']:,}",
            f"{at['batch_p50_s']:.2f}",
            f"{at['times_first']:.2f}",
            *(f"{at['queries'][name]['batch_p50_s']:.2f}" for name in _QUERIES),
            f"{min(query['batches'] for query in at['queries'].values())}",
            f"{at['cpu_s_per_batch']:.2f}",
            f"{at['log_bytes'] / 1_000_000:.1f}",
            f"{at['log_files']:,}",
        ]
        for at in commits
    ]
    return f"{_ABOUT_COMMITS}\n\n{markdown_table(header, rows)}"


def _state_section(name: str, costs: Sequence[dict[str, Any]]) -> str:
    sizes = [batch["rows"] for batch in costs[0]["batches"]]
    header = (f"keys, by {name}", *(f"{kind}, {rows:,} rows" for rows in sizes for kind in ("CPU", "wall")), "× first")
    rows = [
        [
            f"{at['keys']:,}",
            *(f"{batch[f'{kind}_us_per_row']:.1f}" for batch in at["batches"] for kind in ("cpu", "wall")),
            f"{at['times_first']:.2f}",
        ]
        for at in costs
    ]
    return f"{_ABOUT_STATE}\n\n{markdown_table(header, rows)}"
