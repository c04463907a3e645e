"""Compute the daily gold tables from silver: customers, key figures, revenue, agents, merchants and the rest.

The stream may run. A day can be computed as often as one likes, and is to be again when late events have come to it.
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
from jobs.insights.days import Insights, logger, plan_of, summary
from jobs.insights.reference import read_reference
from jobs.lake import Lake
from jobs.session import build_session


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `LakeLocked` when another process computes the daily tables of the lake."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="derive_insights.py", description=__doc__, formatter_class=form)
    parser.add_argument("--day", metavar="DAY", required=True, help="day of event time (UTC), the first one with --to")
    parser.add_argument("--to", dest="end", metavar="DAY", help="the day after the last one (default: one day alone)")
    parser.add_argument("--tables", metavar="A,B", help="these daily tables alone (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and no progress")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    lake = Lake(settings_from(arguments).lake_path)
    plan, reference = plan_of(lake, arguments.day, arguments.end, arguments.tables), read_reference()
    # spark-submit puts both channels on one.
    logger.disabled = arguments.json
    with lake.alone("insights", "summed up by day"):
        # Of a lake that an earlier version made.
        lake.create()
        done = Insights(build_session("momostream insights"), lake, reference).run(plan)
    if arguments.json:
        print(json.dumps({"tables": [asdict(tally) for tally in done]}))
    else:
        summary(done)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
