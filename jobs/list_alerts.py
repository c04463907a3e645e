"""The alerts, the newest windows first, and the parties that they speak against together."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from jobs.alerts.alert_table import Alert, alerts_there, ending_after, newest, of_the_newest
from jobs.alerts.rulebook import read_rules
from jobs.alerts.typologies import Suspicion, read_typologies, suspicions
from jobs.command_line import add_settings_arguments, run, settings_from, time_of
from jobs.errors import SettingsError
from jobs.lake import Lake
from jobs.quarantine_view import terminal
from jobs.settings import Settings

DAYS = 7


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done."""
    arguments = _parser().parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    lake.must_exist()
    lake.create()
    if arguments.action == "list":
        _list(lake, arguments)
    else:
        _suspects(lake, settings, arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="momo alerts", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    rows = actions.add_parser("list", help="the newest alerts, hints and those of rules in shadow too")
    rows.add_argument("--since", type=time_of, metavar="TIME", help="windows that end after this time (UTC)")
    rows.add_argument("--rule", metavar="RULE", help="of this rule")
    rows.add_argument("--severity", choices=("low", "medium", "high", "critical"), help="of this severity")
    rows.add_argument("--limit", type=int, default=20, metavar="N", help="so many at the most (20)")
    rows.add_argument("--json", action="store_true", help="one JSON object per alert")
    parties = actions.add_parser("suspects", help="parties whose alerts of a typology reach its threshold, worst first")
    since = f"alerts whose windows end after this time (UTC; without it those of the newest {DAYS} days)"
    parties.add_argument("--since", type=time_of, metavar="TIME", help=since)
    parties.add_argument("--typology", metavar="NAME", help="of this typology")
    parties.add_argument("--verdict", choices=("alert", "interdict"), help="of this verdict")
    parties.add_argument("--limit", type=int, default=20, metavar="N", help="so many at the most (20)")
    parties.add_argument("--json", action="store_true", help="one JSON object per party and typology")
    for action in actions.choices.values():
        add_settings_arguments(action, "lake")
    return parser


def _list(lake: Lake, arguments: argparse.Namespace) -> None:
    for alert in newest(lake, arguments.since, arguments.rule, arguments.severity, arguments.limit):
        if arguments.json:
            print(json.dumps(alert, default=str))
        else:
            terminal().print(_told(alert))


def _suspects(lake: Lake, settings: Settings, arguments: argparse.Namespace) -> None:
    rules = read_rules(settings.rules_path)
    typologies = read_typologies(settings.rules_path, rules)
    if arguments.typology and arguments.typology not in typologies:
        known = ", ".join(typologies)
        raise SettingsError(f"There is no typology '{arguments.typology}': choose from {known}.")
    where = ending_after(arguments.since) if arguments.since else of_the_newest(DAYS)
    found = suspicions(alerts_there(lake, where), rules, typologies)
    wanted = [one for one in found if arguments.typology in (None, one.typology)]
    for one in [one for one in wanted if arguments.verdict in (None, one.verdict)][: arguments.limit]:
        if arguments.json:
            print(json.dumps(asdict(one), default=str))
        else:
            terminal().print(_suspected(one))


def _told(alert: Alert) -> str:
    """When and what, then who, then why."""
    state = "" if alert["state"] == "active" else f" ({alert['state']})"
    found = (
        f"{alert['window_start']:%Y-%m-%d %H:%M}  {alert['severity']:<8}  {alert['rule_id']} {alert['rule_version']}"
    )
    return f"{found}, {alert['band']}{state}\n    {alert['entity']}\n    {alert['reason']}"


def _suspected(one: Suspicion) -> str:
    """When and of what, then who, then why."""
    reasons = "".join(f"\n    {reason}" for reason in one.reasons)
    return f"{one.first:%Y-%m-%d %H:%M}  {one.verdict:<9} {one.points:>5}  {one.typology}\n    {one.party}{reasons}"


if __name__ == "__main__":
    sys.exit(run(main))
