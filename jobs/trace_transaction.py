"""Where one transaction is: its Kafka records, what became of each, and the gold windows that count them."""

import argparse
import json
import sys
from collections.abc import Sequence

from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from jobs.quarantine import Place
from jobs.quarantine_view import printable, terminal
from jobs.tracing import Event, Trace, trace


def main(argv: Sequence[str] | None = None) -> int:
    """0 when it was found; raises `NotFound` when no record names it."""
    parser = argparse.ArgumentParser(prog="momo trace", description=__doc__)
    parser.add_argument("id", metavar="ID", help="the transaction's reference")
    parser.add_argument("--clear", action="store_true", help="the parties in clear; they are phone numbers")
    parser.add_argument("--json", action="store_true", help="one JSON object; money and times as text")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    lake = Lake(settings_from(arguments).lake_path)
    lake.must_exist()
    # A table of an earlier version lacks columns that are asked for here.
    lake.create()
    found = trace(lake, arguments.id)
    shown = found if arguments.clear else found.masked()
    if arguments.json:
        print(json.dumps(shown.as_dict(), default=str))
    else:
        print_trace(shown)
    return 0


def print_trace(found: Trace) -> None:
    """Each record as a block of lines."""
    console = terminal()
    for event in found.events:
        for line in _lines(event, found.transaction_reference):
            console.print(printable(line))
        console.print()


def _lines(event: Event, reference: str) -> list[str]:
    money = f"{event.amount:,} {event.currency}" if event.amount is not None else "no amount"
    named = "" if event.transaction_reference == reference else f" {event.transaction_reference}, which names it"
    return [
        f"{_place(event.place)}  arrived {event.arrived_at:%Y-%m-%d %H:%M:%S}{named}",
        f"  event    {event.transaction_type or 'no type'} {event.status or 'of no status'}, {money}, "
        f"{event.debit_party or 'nobody'} → {event.credit_party or 'nobody'}, at {event.event_time or 'no time'}",
        f"  bronze   {event.bronze_file or 'no file'}",
        f"  verdict  {_verdict(event)}",
        *(
            f"  window   {window.table} {window.window_start:%Y-%m-%d %H:%M} {' · '.join(window.key)}, "
            f"{'final' if window.is_final else 'open'}, revision {window.revision}"
            for window in event.windows
        ),
    ]


def _verdict(event: Event) -> str:
    first = f", first was {_place(event.first)}" if event.first else ""
    if event.state is None:
        return ("in bronze, on its way" if event.verdict == "waiting" else event.verdict) + first
    why = ", ".join(event.broken_rules or ())
    closed = f": {event.closed_reason}" if event.closed_reason else ""
    return f"{event.verdict} ({why}; {event.state}{closed}; tries {event.tries}){first}"


def _place(place: Place) -> str:
    topic, partition, offset = place
    return f"{topic} {partition} {offset}"


if __name__ == "__main__":
    sys.exit(run(main))
