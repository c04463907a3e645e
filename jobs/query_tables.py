"""Ask the tables in SQL, without Spark: momo sql "SELECT currency, sum(amount) FROM silver_transactions GROUP BY 1"."""

import argparse
import json
import sys
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv
from rich.console import Console
from rich.table import Table

from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import SettingsError
from jobs.lake import Lake

READING = ("select", "with", "show", "describe", "explain", "values")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the answer: a table on a terminal, CSV with `--csv`, one object per line with `--json`."""
    parser = argparse.ArgumentParser(prog="momo sql", description=__doc__)
    parser.add_argument("sql", help="one SELECT; tables go by their names, see docs/tables.md")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per row; money as text")
    form.add_argument("--csv", action="store_true", help="CSV with a header")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    answer = _ask(Lake(settings_from(arguments).lake_path), arguments.sql)
    if arguments.json:
        for row in answer.to_pylist():
            print(json.dumps(row, default=str))
    elif arguments.csv:
        pyarrow.csv.write_csv(answer, sys.stdout.buffer)
    else:
        _print_table(answer)
    return 0


def _ask(lake: Lake, sql: str) -> pa.Table:
    if not sql.lstrip(" (\n\t").lower().startswith(READING):
        raise SettingsError("momo sql only reads: begin with SELECT or WITH.")
    lake.must_exist()
    try:
        return lake.query(sql)
    except Exception as problem:  # delta-rs raises a bare Exception for SQL that does not parse
        raise SettingsError(f"The query cannot be answered: {problem}") from None


def _print_table(answer: pa.Table) -> None:
    table = Table(*answer.column_names)
    for row in answer.to_pylist():
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
    console.print(f"{answer.num_rows:,} rows")


if __name__ == "__main__":
    sys.exit(run(main))
