"""Repeats that came when the stream had forgotten the first of their key: in silver, until a backfill finds them."""

from datetime import UTC, date, datetime
from decimal import Decimal

from jobs import late_repeats
from jobs.ingest import carried_again
from jobs.reconciliation import quarantine_conflicts, quarantine_reasons, reconcile
from schemas.tables import GOLD, PER_MINUTE, SILVER
from tests.backfills import backfilled, changes, measures, versions
from tests.builders import RING, SETTINGS, gsma

FIRST, END = date(2026, 3, 24), date(2026, 3, 28)
REPEATED = "SELECT transaction_reference, \"offset\" FROM silver_transactions WHERE transaction_reference IN ('A-1', 'A-6') ORDER BY 1, 2"


def proof(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)


def amount_at(stream, time):
    return stream.rows(
        f"SELECT amount FROM gold_transactions_per_minute WHERE window_start = '{time}' AND currency = 'UGX'"
    )


def test_a_repeat_that_came_after_the_horizon_is_found_and_removed(days):
    assert days.rows(REPEATED) == [("A-1", 0), ("A-1", 19), ("A-6", 6), ("A-6", 20)]
    assert proof(days).differences == (
        "2 silver rows whose key is there already: run `momo backfill --from 2026-03-25 --to 2026-03-26`",
    )
    assert amount_at(days, "2026-03-25T10:00:00Z") == [(Decimal("217.0000"),)]

    done = backfilled(days, SETTINGS, "2026-03-25", "2026-03-26")

    assert days.rows(REPEATED) == [("A-1", 0), ("A-6", 6)]
    assert amount_at(days, "2026-03-25T10:00:00Z") == [(Decimal("117.0000"),)]
    assert changes(done)[("25", SILVER.name)] == (0, 0, 2)
    assert quarantine_reasons(days.lake)["conflicting_repeat"] == 1
    result = proof(days)
    # Two repeats and a contradiction came when the first was still known.
    assert (result.repeats, result.conflicts, result.differences) == (3, 1, ())

    written = versions(days)
    assert changes(backfilled(days, SETTINGS, "2026-03-25", "2026-03-26")) == {}
    assert versions(days) == written


def test_the_stream_goes_on_behind_a_removal(days):
    backfilled(days, SETTINGS)

    days.run(
        gsma(transactionReference="A-1", creationDate="2026-03-25T10:00:10Z", amount="100"),
        gsma(transactionReference="E-1", creationDate="2026-03-25T12:30:30Z", amount="3"),
    )

    assert days.rows(REPEATED) == [("A-1", 0), ("A-6", 6)]
    half_past = "SELECT sum(amount) FROM gold_transactions_per_minute WHERE window_start = '2026-03-25T12:30:00Z'"
    assert days.rows(half_past) == [(Decimal("163.0000"),)]
    assert proof(days).differences == ()


def test_a_removal_that_was_cut_off_is_finished(days):
    before = {table: measures(days, table) for table in GOLD}
    found = late_repeats.find(days.lake, FIRST, END)
    quarantine_conflicts(days.lake, found.filter([not same for same in found["is_same"].to_pylist()]))
    backfilled(days, SETTINGS, dry_run=True)
    assert len(days.rows(REPEATED)) == 4

    late_repeats.remove(days.lake, found)
    assert quarantine_reasons(days.lake)["conflicting_repeat"] == 1
    assert {table: measures(days, table) for table in GOLD} == before

    done = backfilled(days, SETTINGS)

    assert ("25", SILVER.name) not in changes(done)
    assert changes(done)[("25", PER_MINUTE.name)] == (2, 0, 0)
    assert proof(days).differences == ()


def test_what_the_stream_may_still_carry_or_count_is_left_alone(days):
    found = late_repeats.find(days.lake, FIRST, END)
    noon = datetime(2026, 3, 25, 12, tzinfo=UTC)

    assert late_repeats.removable(found, noon, {})["offset"].to_pylist() == [19]
    assert late_repeats.removable(found, noon, {("momo.transactions", 0): 19}).num_rows == 0
    assert carried_again(days.lake) == {("momo.transactions", 0): 23}
