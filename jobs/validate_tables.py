"""Check the committed tables against their expectations; write a page with the findings."""

import argparse
import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

# `spark-submit jobs/…` puts this folder, not the project, on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs import check_page, check_results
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import DataCheckFailed
from jobs.expectations import check_table, existing_lake, read_suite, tables_named
from jobs.session import build_session


def main(argv: Sequence[str] | None = None) -> int:
    """Check the tables; raise `DataCheckFailed` when a critical expectation fails or any could not be evaluated."""
    parser = argparse.ArgumentParser(prog="validate_tables.py", description=__doc__)
    default = "all that the stream writes, and the daily ones that have rows"
    parser.add_argument("--tables", metavar="A,B", help=f"these tables alone (default: {default})")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    lake = existing_lake(settings.lake_path)
    tables, tolerance = tables_named(lake, arguments.tables), settings.stream.future_tolerance
    suites = [(table, read_suite(table, tolerance)) for table in tables]
    checked_at = datetime.now(UTC)
    spark = build_session("momostream checks")
    checks = [check_table(spark, lake, table, suite) for table, suite in suites]
    check_results.record(lake, uuid.uuid4().hex, checked_at, checks)
    page = check_page.write(lake.path, checked_at, checks, check_results.past_runs(lake))
    print(json.dumps([asdict(check) for check in checks], indent=2) if arguments.json else check_page.summary(checks))
    failed = [check.table_name for check in checks if check.fails_the_run]
    if failed:
        raise DataCheckFailed(f"The checks of {', '.join(failed)} failed: the findings are above and in {page}.")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
