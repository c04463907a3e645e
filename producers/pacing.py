"""Let records go at the pace that was asked for."""

import time
from collections.abc import Callable, Iterator

from producers.wire import WireRecord

# Behind by more than this (a broker was away), the pace starts afresh instead of making up for it in one burst.
LONGEST_LAG_SECONDS = 1.0
# A gap of more than a day between events is not waited for: one record dated 2999 would hold up all others.
LONGEST_GAP_SECONDS = 86_400.0
# Waiting costs more than sending: at a high rate, records go in small bursts.
SHORTEST_WAIT_SECONDS = 0.005

Wait = Callable[[float], None]


def at_rate(records: Iterator[WireRecord], records_per_second: float, wait: Wait) -> Iterator[WireRecord]:
    """The records, at most so many a second; `wait` is called with the seconds to the next one."""
    due = time.monotonic()
    for record in records:
        due = _wait_until(due, wait)
        yield record
        due += 1 / records_per_second


def at_speed(records: Iterator[WireRecord], speed: float, wait: Wait) -> Iterator[WireRecord]:
    """The records with the gaps of their event times, divided by `speed`; a record without a time goes at once."""
    due = latest = time.monotonic()
    previous = None
    for record in records:
        now = record.event_time
        gap = (now - previous).total_seconds() if now and previous else 0.0
        previous = now or previous
        if abs(gap) <= LONGEST_GAP_SECONDS:
            due += gap / speed
            latest = max(latest, due)
            lag = _wait_until(latest, wait) - latest
            due, latest = due + lag, latest + lag
        yield record


def _wait_until(due: float, wait: Wait) -> float:
    """Wait for that moment; gives it, or a later one to go on from after a lag."""
    now = time.monotonic()
    if due - now > SHORTEST_WAIT_SECONDS:
        wait(due - now)
    return max(due, now - LONGEST_LAG_SECONDS)
