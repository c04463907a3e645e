"""Keep the tables fast while the stream runs: join small files, delete replaced ones, shorten the log.

The stream may run; nothing that it has still to read is deleted. Run it every quarter of an hour (docs/maintenance.md).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

# `spark-submit jobs/…` puts this folder, not the project, on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from jobs.maintenance import maintain, maintaining, summary, tables_to_maintain


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `LakeLocked` when the lake is being maintained already."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="maintain_tables.py", description=__doc__, formatter_class=form)
    parser.add_argument("--tables", metavar="A,B", help="these tables alone (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="say what is due, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    tables = tables_to_maintain(lake, arguments.tables)
    with maintaining(lake):
        done = [maintain(lake, table, settings.maintain, arguments.dry_run) for table in tables]
    if arguments.json:
        print(json.dumps({"dry_run": arguments.dry_run, "tables": [asdict(table) for table in done]}))
    else:
        summary(done, arguments.dry_run)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
