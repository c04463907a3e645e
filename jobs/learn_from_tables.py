"""Learn of a day that is over: unusual windows, agents' liquidity, scores of days, segments of customers.

It needs no Spark and runs beside the stream; the same day again writes nothing that is there (docs/learning.md).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.command_line import add_settings_arguments, day_of, run, settings_from
from jobs.lake import Lake
from jobs.learning.days import learn
from jobs.learning.floats import read_floats


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `TryAgain` while the day is not over."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="momo learn", description=__doc__, formatter_class=form)
    parser.add_argument("--day", required=True, metavar="DAY", help="a day of event time (UTC) that is over")
    parser.add_argument("--tables", metavar="A,B", help="these tables alone (default: all)")
    parser.add_argument("--floats", type=Path, metavar="FILE", help="CSV of agents' floats at the day's end")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    lake, day = Lake(settings_from(arguments).lake_path), day_of("--day", arguments.day)
    lake.must_exist()
    floats = read_floats(arguments.floats) if arguments.floats else {}
    with lake.alone("learning", "learned from"):
        done = learn(lake, day, arguments.tables, floats)
    if arguments.json:
        print(json.dumps({"day": str(day), "tables": [asdict(table) for table in done]}))
        return 0
    grid = Table("table", "rows", "flagged", "without score", "", box=None)
    for one in done:
        what = one.left or ("written" if one.is_changed else "as before")
        grid.add_row(one.table, f"{one.rows:,}", f"{one.flagged:,}", f"{one.unscored:,}", what)
    Console(soft_wrap=True).print(grid)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
