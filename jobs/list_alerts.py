"""The alerts: momo alerts list, the newest windows first."""

import argparse
import json
import sys
from collections.abc import Sequence

from jobs.alerts.alert_table import Alert, newest
from jobs.command_line import add_settings_arguments, run, settings_from, time_of
from jobs.lake import Lake
from jobs.quarantine_view import terminal


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done."""
    parser = argparse.ArgumentParser(prog="momo alerts", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    rows = actions.add_parser("list", help="the newest alerts, those of rules in shadow too")
    rows.add_argument("--since", type=time_of, metavar="TIME", help="windows that end after this time (UTC)")
    rows.add_argument("--rule", metavar="RULE", help="of this rule")
    rows.add_argument("--severity", choices=("low", "medium", "high", "critical"), help="of this severity")
    rows.add_argument("--limit", type=int, default=20, metavar="N", help="so many at the most (20)")
    rows.add_argument("--json", action="store_true", help="one JSON object per alert")
    add_settings_arguments(rows, "lake")
    arguments = parser.parse_args(argv)
    lake = Lake(settings_from(arguments).lake_path)
    lake.must_exist()
    lake.create()
    alerts = newest(lake, arguments.since, arguments.rule, arguments.severity, arguments.limit)
    if arguments.json:
        for alert in alerts:
            print(json.dumps(alert, default=str))
    else:
        for alert in alerts:
            terminal().print(_told(alert))
    return 0


def _told(alert: Alert) -> str:
    """When and what, then who, then why."""
    shadow = " (shadow)" if alert["state"] == "shadow" else ""
    found = (
        f"{alert['window_start']:%Y-%m-%d %H:%M}  {alert['severity']:<8}  {alert['rule_id']} {alert['rule_version']}"
    )
    return f"{found}, {alert['band']}{shadow}\n    {alert['entity']}\n    {alert['reason']}"


if __name__ == "__main__":
    sys.exit(run(main))
