"""Dummy data: a stretch of mobile money in nine African markets, the same for the same plan.

    python -m producers.simulation --seed 7 --events 4400 --dummy 700 --start 2026-03-27T10:00:00Z --hours 12 \
        --peak 3 --fraud-per-million 20000 --fraud-manifest data/planted_fraud.ndjson --output data/transactions.json

writes the project's JSON array, one record a line, and which of the records are cases of fraud (docs/detection.md). No
clock is read, no number was taken from a person, no name occurs.
"""

import argparse
import heapq
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson

from jobs.errors import PlatformError, SettingsError
from producers.draws import SimulationPlan, draw_amounts, draw_pairs, draw_starts, draw_transactions
from producers.events import Record, final_event, instant, pending_event, token
from producers.markets import MARKETS
from producers.products import PRODUCTS
from producers.typologies.planting import manifest, plant

__all__ = ["SimulationPlan", "dummy_records", "fraud_manifest", "mixed_records", "simulate"]

UGANDA = next(place for place, market in enumerate(MARKETS) if market.country == "UG")
TRANSFER = next(place for place, product in enumerate(PRODUCTS) if product.type == "transfer")
# The record of the wire contract, noon in Kampala.
FIRST_DUMMY = {
    "transaction_id": "TX20230419",
    "sender_phone_number": "256777123456",
    "receiver_phone_number": "256772654321",
    "transaction_amount": 100000,
    "transaction_time": "2023-04-19 12:00:00",
}
FIRST_DUMMY_TIME = datetime(2023, 4, 19, 9, tzinfo=UTC)


def simulate(plan: SimulationPlan) -> Iterator[Record]:
    """GSMA events by event time: a transaction's pending event, then its completed or failed one.

    Both have the same `transactionReference`. The event time is `modificationDate` of a final event, `creationDate` of
    a pending one; both carry a zone.
    """
    return (event for _, event in _timed_events(plan))


def dummy_records(plan: SimulationPlan) -> Iterator[Record]:
    """Dummy records by event time, Kampala wall clock, whole UGX; always first the one of the wire contract."""
    return (record for _, record in _timed_dummies(plan))


def mixed_records(plan: SimulationPlan) -> Iterator[Record]:
    """Canonical events and dummy records together, by event time."""
    return (record for _, record in heapq.merge(_timed_events(plan), _timed_dummies(plan), key=lambda timed: timed[0]))


def fraud_manifest(plan: SimulationPlan) -> Iterator[Record]:
    """The planted cases of fraud, one object each: case_id, typology, transaction_references and the case's times."""
    return manifest(plan, plant(plan, draw_transactions(plan)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the records of the plan given on the command line; 0, or 64 when an argument is wrong."""
    parser = argparse.ArgumentParser(prog="python -m producers.simulation", description="Write dummy data.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--events", type=int, default=6000, help="canonical events")
    parser.add_argument("--dummy", type=int, default=400, help="dummy records")
    parser.add_argument("--start", required=True, help="RFC 3339, such as 2026-03-27T00:00:00Z")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--peak", type=float, default=1.0, help="1 a real day, 3 a steep evening")
    parser.add_argument(
        "--fraud-per-million", type=int, default=0, metavar="N", help="transactions of a million that are fraud"
    )
    parser.add_argument("--fraud-manifest", type=Path, metavar="FILE", help="write down here which they are")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        start, fraud = _instant_of(given.start), {"fraud_per_million": given.fraud_per_million}
        plan = SimulationPlan(given.seed, start, given.hours, given.events, given.dummy, given.peak, **fraud)
        # First: whoever is stopped on the way has sent no case that the manifest does not know.
        if given.fraud_manifest:
            _write_manifest(plan, given.fraud_manifest)
        lines = ",\n".join(_lines(mixed_records(plan)))
        _write(f"[\n{lines}\n]\n", given.output)
    except PlatformError as problem:
        sys.stderr.write(f"simulation: {problem}\n")
        return problem.exit_code
    return 0


def _timed_events(plan: SimulationPlan) -> Iterator[tuple[int, Record]]:
    drawn = plant(plan, draw_transactions(plan)).transactions
    pending = np.flatnonzero(drawn.has_pending)
    rows = np.concatenate([pending, np.arange(len(drawn.market))])
    is_final = np.arange(len(rows)) >= len(pending)
    times_ms = drawn.start_ms[rows] + np.where(is_final, drawn.wait_ms[rows], 0)
    for place in np.lexsort((is_final, rows, times_ms)):
        event = final_event if is_final[place] else pending_event
        yield int(times_ms[place]), event(plan, drawn, int(rows[place]))


def _timed_dummies(plan: SimulationPlan) -> Iterator[tuple[int, Record]]:
    if plan.dummies == 0:
        return
    yield round((FIRST_DUMMY_TIME - plan.start) / timedelta(milliseconds=1)), dict(FIRST_DUMMY)
    random = np.random.default_rng([plan.seed, 1])
    market = MARKETS[UGANDA]
    starts_ms, markets = draw_starts(random, plan, plan.dummies - 1, [UGANDA])
    transfers = np.full(len(markets), TRANSFER)
    senders, receivers = draw_pairs(random, transfers, markets, markets, plan.customers)
    amounts = draw_amounts(random, transfers, markets)
    # The dummy record's clock has no fraction of a second.
    for row, time_ms in enumerate(starts_ms // 1000 * 1000):
        dummy = {
            "transaction_id": f"TX{token(plan, 'dummy', row)}",
            "sender_phone_number": market.msisdn(int(senders[row])),
            "receiver_phone_number": market.msisdn(int(receivers[row])),
            "transaction_amount": int(amounts[row]),
            "transaction_time": f"{instant(plan, int(time_ms), market.utc_offset_hours):%Y-%m-%d %H:%M:%S}",
        }
        yield int(time_ms), dummy


def _instant_of(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"The start '{text}' is not an instant: give one such as 2026-03-27T00:00:00Z.") from None


def _write_manifest(plan: SimulationPlan, output: Path) -> None:
    if not plan.fraud_per_million:
        raise SettingsError("--fraud-manifest tells what --fraud-per-million planted: give a number of them too.")
    _write("".join(f"{line}\n" for line in _lines(fraud_manifest(plan))), output)


def _lines(records: Iterator[Record]) -> Iterator[str]:
    return (orjson.dumps(record).decode() for record in records)


def _write(text: str, output: Path) -> None:
    try:
        output.write_text(text)
    except OSError as problem:
        raise SettingsError(f"The output {output} cannot be written: {problem.strerror}; name another file.") from None


if __name__ == "__main__":
    sys.exit(main())
