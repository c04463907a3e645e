"""Compute days of event time anew and set right what the tables say otherwise; the stream may run.

Repeats that came too late to be known as such are taken out of silver, and gold is computed from silver; with
--tables silver, silver is computed from bronze before, by the rules of today; with --tables alerts, the alerts from
silver, by the rules of conf/rules.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

# `spark-submit jobs/…` puts this folder, not the project, on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs.backfill import Backfill, logger, plan_of, summary
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from jobs.session import build_session


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `LakeLocked` when the lake is being backfilled already."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="backfill_transactions.py", description=__doc__, formatter_class=form)
    parser.add_argument("--from", dest="first", metavar="DAY", required=True, help="first day of event time (UTC)")
    parser.add_argument("--to", dest="end", metavar="DAY", required=True, help="the day after the last one")
    parser.add_argument("--tables", metavar="A,B", help="silver, alerts, tables of gold (default: all of gold)")
    parser.add_argument("--dry-run", action="store_true", help="say what is due, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and no progress")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    plan = plan_of(lake, arguments.first, arguments.end, arguments.tables)
    # Of a lake that an earlier version made.
    lake.create()
    # spark-submit puts both channels on one.
    logger.disabled = arguments.json
    with nullcontext() if arguments.dry_run else lake.alone("backfill", "backfilled"):
        done = Backfill(build_session("momostream backfill"), lake, settings, plan, arguments.dry_run).run()
    if arguments.json:
        print(json.dumps({"dry_run": arguments.dry_run, "tables": [asdict(tally) for tally in done]}))
    else:
        summary(done, arguments.dry_run)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
