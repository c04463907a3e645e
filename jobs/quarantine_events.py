"""Records that were refused: list and show them, try them again by today's rules, or close them for good."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

# `spark-submit jobs/…` puts this folder, not the project, on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs import enrichment, quarantine, quarantine_view
from jobs.command_line import add_settings_arguments, run, settings_from, time_of
from jobs.errors import NotFound, SettingsError
from jobs.lake import Lake
from jobs.lake_keys import ring_of
from jobs.quarantine import OPEN, STATES, Selection
from jobs.retry import Retried, Retry
from jobs.session import build_session
from jobs.settings import Settings

RECORD = "the transaction's ID, or TOPIC PARTITION OFFSET"


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done; raises `NotFound` when there is no row of a record that was named."""
    arguments = _parser().parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    lake.must_exist()
    # A table of an earlier version lacks columns that are asked for here.
    lake.create()
    quarantine.require_known_rule(lake, getattr(arguments, "code", None))
    actions = {"list": _list, "show": _show, "retry": _retry, "close": _close}
    actions[arguments.action](lake, settings, arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="momo quarantine", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    rows = actions.add_parser("list", help="the newest rows, open ones unless --state says other")
    _add_filters(rows)
    rows.add_argument("--state", choices=STATES, default=OPEN, help="open (default), released or closed")
    rows.add_argument("--limit", type=_positive, default=20, metavar="N", help="so many rows at the most (20)")
    show = actions.add_parser("show", help="everything known of one record")
    show.add_argument("record", nargs="+", metavar="RECORD", help=RECORD)
    show.add_argument("--payload", action="store_true", help="the record itself too; it holds customers' data")
    retry = actions.add_parser("retry", help="look at open rows again; what passes today goes to silver and gold")
    _add_filters(retry)
    retry.add_argument("--again", action="store_true", help="rows too that the rules of this version have looked at")
    retry.add_argument("--dry-run", action="store_true", help="say what would become of them, and do nothing")
    close = actions.add_parser("close", help="give open rows up, with a reason that stays in the table")
    close.add_argument("record", nargs="*", metavar="RECORD", help=RECORD)
    _add_filters(close)
    close.add_argument("--reason", required=True, metavar="TEXT", help="why; no names, no numbers of customers")
    for action in (rows, show, retry, close):
        action.add_argument("--json", action="store_true", help="one JSON object, of `list` and `show` one per row")
        add_settings_arguments(action, "lake")
    return parser


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--code", metavar="RULE", help="rows that this rule refuses")
    parser.add_argument("--since", type=time_of, metavar="TIME", help="rows that arrived at this time (UTC) or later")


def _list(lake: Lake, settings: Settings, arguments: argparse.Namespace) -> None:
    selection = Selection(state=arguments.state, code=arguments.code, since=arguments.since)
    rows = quarantine.newest(lake, selection, arguments.limit)
    if arguments.json:
        _print_json(rows)
    else:
        quarantine_view.print_list(rows, quarantine.count(lake, selection), arguments.state)


def _show(lake: Lake, settings: Settings, arguments: argparse.Namespace) -> None:
    rows = quarantine.newest(lake, _of_record(arguments.record))
    if not rows:
        raise NotFound(f"Quarantine has no row of {' '.join(arguments.record)}: `momo trace ID` tells where one is.")
    if arguments.payload:
        rows = [{**row, "payload": quarantine.payload(lake, quarantine.place_of(row))} for row in rows]
    if arguments.json:
        _print_json(rows)
    else:
        quarantine_view.print_rows(rows)


def _retry(lake: Lake, settings: Settings, arguments: argparse.Namespace) -> None:
    tries = quarantine.waiting(lake, Selection(code=arguments.code, since=arguments.since), arguments.again)
    retried = Retried()
    if tries:
        retry = Retry(
            build_session("momostream retry"),
            lake,
            settings,
            enrichment.silver_columns(ring_of(lake, settings.privacy)),
        )
        look = retry.look(tries)
        retried = look.retried(look.fates()) if arguments.dry_run else retry.carry_out(look)
    if arguments.json:
        print(json.dumps({"dry_run": arguments.dry_run, **asdict(retried)}))
    else:
        quarantine_view.print_retried(retried, arguments.dry_run)


def _close(lake: Lake, settings: Settings, arguments: argparse.Namespace) -> None:
    if not (arguments.record or arguments.code or arguments.since):
        raise SettingsError("momo quarantine close needs a record, --code or --since: it closes no table as a whole.")
    of_record = _of_record(arguments.record) if arguments.record else Selection()
    selection = replace(of_record, state=OPEN, code=arguments.code, since=arguments.since)
    closed = quarantine.close(lake, selection, arguments.reason)
    if not closed:
        raise NotFound("No open row of quarantine is named by that: `momo quarantine list` shows those that are open.")
    print(json.dumps({"closed": closed}) if arguments.json else f"{closed:,} closed")


def _print_json(rows: Sequence[Mapping[str, Any]]) -> None:
    """Money and times as text."""
    for row in rows:
        print(json.dumps(row, default=str))


def _of_record(words: Sequence[str]) -> Selection:
    if len(words) == 1:
        return Selection(reference=words[0])
    if len(words) != 3 or not (words[1].isdecimal() and words[2].isdecimal()):
        raise SettingsError(f"'{' '.join(words)}' names no record: give {RECORD}.")
    return Selection(place=(words[0], int(words[1]), int(words[2])))


def _positive(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"'{value}' is no number of rows")
    return int(value)


if __name__ == "__main__":
    sys.exit(run(main))
