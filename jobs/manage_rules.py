"""The rules of alerts: list them, test them by their own examples, or try them on the days that silver holds."""

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid

from jobs.alerts.backtest import backtest, grid
from jobs.alerts.examples import outcomes
from jobs.alerts.facts import read_facts
from jobs.alerts.rulebook import Rule, read_rules
from jobs.alerts.typologies import read_typologies
from jobs.command_line import add_settings_arguments, day_of, run, settings_from
from jobs.errors import DataCheckFailed, SettingsError
from jobs.lake import Lake
from jobs.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `DataCheckFailed` when an example comes out otherwise than its rule says."""
    arguments = _parser().parse_args(argv)
    actions = {"list": _list, "test": _test, "backtest": _backtest}
    actions[arguments.action](settings_from(arguments), arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="momo rules", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="all rules, paused ones too")
    actions.add_parser("test", help="run the rules' own examples")
    days = actions.add_parser("backtest", help="what rules would have said of some days; writes nothing")
    days.add_argument("--rule", metavar="A,B", help="these rules, side by side (default: all)")
    days.add_argument("--from", dest="first", metavar="DAY", required=True, help="first day (UTC)")
    days.add_argument("--to", dest="end", metavar="DAY", required=True, help="the day after the last one")
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="one JSON object per line")
        add_settings_arguments(action, "lake")
    return parser


def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    rules = read_rules(settings.rules_path)
    if arguments.json:
        for rule in rules:
            print(json.dumps(rule.model_dump(mode="json", exclude={"examples"})))
        return
    lines = Grid("rule", "version", "state", "entity", "window", "measure", "owner", box=None)
    lines.columns[0].no_wrap = True
    for rule in rules:
        window = rule.window or "one row"
        lines.add_row(rule.id, str(rule.version), rule.state, rule.entity, window, rule.measure, rule.owner)
    Console().print(lines)


def _test(settings: Settings, arguments: argparse.Namespace) -> None:
    rules = read_rules(settings.rules_path)
    read_typologies(settings.rules_path, rules)
    done = list(outcomes(rules, read_facts(settings.rules_path)))
    wrong = [one for one in done if not one.is_right]
    if arguments.json:
        for one in done:
            print(json.dumps({**vars(one), "right": one.is_right}))
    if wrong:
        first = wrong[0]
        raise DataCheckFailed(
            f"{len(wrong)} of {len(done)} examples come out otherwise than their rules say. The first: rule "
            f"{first.rule}, '{first.example}', is expected to be {first.expected}, and is {first.found}."
        )
    if not arguments.json:
        print(f"{len(done)} examples come out as their rules say")


def _backtest(settings: Settings, arguments: argparse.Namespace) -> None:
    first, end = day_of("--from", arguments.first), day_of("--to", arguments.end)
    if first >= end:
        raise SettingsError(f"--to is {end}, a day after --from ({first}) is expected.")
    lake = Lake(settings.lake_path)
    lake.must_exist()
    lake.create()
    rules = _named(read_rules(settings.rules_path), arguments.rule)
    done = backtest(lake, rules, read_facts(settings.rules_path), first, end)
    if arguments.json:
        for one in done:
            print(json.dumps(one.as_dict()))
    else:
        Console().print(grid(done))


def _named(rules: Sequence[Rule], names: str | None) -> list[Rule]:
    known = {rule.id: rule for rule in rules}
    wanted = list(known) if names is None else list(dict.fromkeys(names.split(",")))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SettingsError(f"There is no rule '{unknown[0]}': choose from {', '.join(known)}.")
    return [known[name] for name in wanted]


if __name__ == "__main__":
    sys.exit(run(main))
