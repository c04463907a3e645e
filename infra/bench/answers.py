"""What a contestant's folder holds, read without its engine, and how that differs from the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from infra.bench.bench_topic import Truth
from jobs.lake import Lake

# What is counted of each table: rows or the sum of a column → what it must be.
CHECKS: dict[str, dict[str, str]] = {
    "bronze": {"rows": "records"},
    "silver": {"rows": "records", "amount": "amount"},
    "gold": {"event_count": "records", "transaction_count": "completed", "amount": "completed_amount"},
}


@dataclass(frozen=True)
class Tables:
    """Where a contestant writes: `delta` or `parquet`, and the folder's name for each of bronze, silver and gold.

    One that lacks a layer, such as one that only counts windows, has no name for it.
    """

    kind: str
    names: Mapping[str, str]


def differences(folder: Path, tables: Tables, truth: Truth) -> list[str]:
    """A sentence for each count and sum that is not the truth; none when the folder is right.

    Every table that is named must be there: one that cannot be read raises what its reader says.
    """
    wrong = []
    for layer, name in tables.names.items():
        found = _delta(folder, layer, name) if tables.kind == "delta" else _parquet(folder / name, layer)
        for what, field in CHECKS[layer].items():
            wanted = Decimal(getattr(truth, field))
            if found[what] != wanted:
                wrong.append(f"{layer} has {what} {found[what]:,}, {wanted:,} expected ({found[what] - wanted:+,})")
    return wrong


def _delta(folder: Path, layer: str, name: str) -> dict[str, Decimal]:
    sums = [what for what in CHECKS[layer] if what != "rows"]
    columns = ["count(*) AS rows", *(f"sum({column}) AS {column}" for column in sums)]
    answer = Lake(folder).query(f"SELECT {', '.join(columns)} FROM {name}").to_pylist()[0]
    return {what: _decimal(value) for what, value in answer.items()}


def _parquet(path: Path, layer: str) -> dict[str, Decimal]:
    table = ds.dataset(path, format="parquet")
    sums = [what for what in CHECKS[layer] if what != "rows"]
    columns = table.to_table(columns=sums)
    return {"rows": Decimal(table.count_rows())} | {what: _decimal(pc.sum(columns[what]).as_py()) for what in sums}


def _decimal(value: Any) -> Decimal:
    """Exact; a sum of doubles is refused, for it would hide a lost minor unit."""
    if isinstance(value, float):
        raise TypeError("an amount is a double, a decimal is expected")
    return Decimal(value or 0)
