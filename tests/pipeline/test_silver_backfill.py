"""The rules or the reference tables change, and days of silver are computed anew from bronze."""

from datetime import date

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from jobs import enrichment, late_repeats, rules
from jobs.erasure import erase, find_persons
from jobs.key_ring import as_text
from jobs.maintenance import maintaining
from jobs.reconciliation import reconcile, same_record
from jobs.rules import Rule
from schemas.tables import BRONZE, QUARANTINE, SILVER
from tests.backfills import ALL_DAYS, backfilled, changes, versions
from tests.builders import RING, SETTINGS

TOO_SMALL = Rule("too_small", lambda: F.col("amount") < 10)


DAY = ("2026-03-25", "2026-03-26")


@pytest.fixture
def settled(days):
    """Days without late repeats."""
    late_repeats.remove(days.lake, late_repeats.find(days.lake, date(2026, 3, 24), date(2026, 3, 28)))
    return days


def proof(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)


def of_silver(stream, amounts="amount < 10"):
    return stream.rows(f"SELECT transaction_reference FROM silver_transactions WHERE {amounts} ORDER BY 1")


@pytest.fixture
def stricter(monkeypatch):
    """A rule more than the stream had."""
    monkeypatch.setattr(rules, "TRANSACTION_RULES", (*rules.TRANSACTION_RULES, TOO_SMALL))


def test_what_is_read_as_it_was_changes_nothing(settled):
    backfilled(settled, SETTINGS, *DAY)
    before = versions(settled)

    assert changes(backfilled(settled, SETTINGS, *DAY, tables="silver")) == {}
    assert versions(settled) == before


def test_rows_that_break_a_new_rule_leave_silver_and_gold_for_quarantine(settled, stricter):
    assert of_silver(settled) == [("A-4",), ("B-4",), ("C-1",)]

    done = backfilled(settled, SETTINGS, *DAY, tables="silver")

    assert of_silver(settled) == []
    assert changes(done)[("25", SILVER.name)] == (0, 0, 3)
    refused = "SELECT transaction_reference, broken_rules FROM quarantine_events WHERE array_has(broken_rules, 'too_small') ORDER BY 1"
    assert settled.rows(refused) == [(name, ["too_small"]) for name in ("A-4", "B-4", "C-1")]
    assert proof(settled).differences == ()

    written = versions(settled)
    assert changes(backfilled(settled, SETTINGS, *DAY, tables="silver")) == {}
    assert versions(settled) == written


def test_a_repeat_takes_the_place_of_a_first_that_is_refused_now(settled, monkeypatch):
    """A-2 came twice with one key: 10.50, and 11 as a contradiction."""
    half = Rule("no_halves", lambda: F.col("amount") != F.floor("amount"))
    monkeypatch.setattr(rules, "TRANSACTION_RULES", (*rules.TRANSACTION_RULES, half))

    backfilled(settled, SETTINGS, *DAY, tables="silver")

    a_2 = "SELECT \"offset\", CAST(amount AS double) FROM silver_transactions WHERE transaction_reference = 'A-2'"
    assert settled.rows(a_2) == [(10, 11.0)]
    assert settled.rows("SELECT \"offset\" FROM quarantine_events WHERE array_has(broken_rules, 'no_halves')") == [(1,)]
    assert proof(settled).differences == ()


def test_a_change_of_reference_data_is_taken_over_into_silver_and_gold(settled, monkeypatch):
    monkeypatch.setattr(enrichment, "read_prefixes", lambda: ({"256": "UG"}, {"25677": "New Name"}))
    of_operator = (
        f"SELECT true, count(*) FROM silver_transactions s JOIN {BRONZE.name} b ON {same_record('s', 'b')} "
        "WHERE s.event_date = '2026-03-25' AND b.debit_msisdn LIKE '25677%'"
    )
    expected = settled.rows(of_operator)

    done = backfilled(settled, SETTINGS, *DAY, tables="silver")

    counts = "SELECT event_date = '2026-03-25', count(*) FROM silver_transactions WHERE debit_operator = 'New Name' GROUP BY 1"
    assert settled.rows(counts) == expected
    assert changes(done)[("25", SILVER.name)][0] >= expected[0][1] > 0
    corridors = "SELECT DISTINCT debit_operator FROM gold_corridor_hourly WHERE window_date = '2026-03-25' AND debit_country = 'UG'"
    assert settled.rows(corridors) == [("New Name",)]
    assert proof(settled).differences == ()


def test_tokens_are_made_anew_under_a_rotated_key(settled, monkeypatch):
    rotated = RING.rotated()
    monkeypatch.setenv("MOMO_KEYS", as_text(rotated))

    backfilled(settled, SETTINGS, *DAY, tables="silver")

    tokens = "SELECT DISTINCT event_date = '2026-03-25', left(debit_token, 3) FROM silver_transactions WHERE debit_token IS NOT NULL"
    assert (True, "k2_") in settled.rows(tokens)
    assert (True, "k1_") not in settled.rows(tokens)
    assert reconcile(settled.lake, "momo.transactions", settled.offsets(), rotated).differences == ()


def test_what_was_left_of_an_erased_person_is_left_alone(days):
    backfilled(days, SETTINGS)
    with days.lake.locked("the test"), maintaining(days.lake):
        erase(days.lake, find_persons(days.lake, RING, ["256777000001"], []), SETTINGS.topic.retention_days)
    written = versions(days)

    assert changes(backfilled(days, SETTINGS, *ALL_DAYS, tables="silver")) == {}

    assert versions(days) == written
    assert days.rows("SELECT credit_party FROM silver_transactions WHERE transaction_reference = 'A-7'") == [
        ("msisdn:erased",)
    ]
    assert proof(days).differences == ()


@pytest.mark.parametrize("unwritten", [(SILVER,), (SILVER, QUARANTINE)])
def test_a_run_that_was_cut_off_is_finished_by_the_next(settled, stricter, unwritten):
    backfilled(settled, SETTINGS, *DAY, tables="silver")
    names = (BRONZE.name, SILVER.name, QUARANTINE.name)
    whole = {name: sorted(map(str, settled.rows(f"SELECT * FROM {name}"))) for name in names}
    for table in unwritten:
        settled.take_back_newest_commit(table)

    backfilled(settled, SETTINGS, *DAY, tables="silver")

    assert {name: sorted(map(str, settled.rows(f"SELECT * FROM {name}"))) for name in names} == whole
    assert proof(settled).differences == ()


def test_a_dry_run_says_what_is_due_and_does_nothing(settled, stricter):
    before = versions(settled)

    would = changes(backfilled(settled, SETTINGS, *DAY, tables="silver", dry_run=True))

    assert would[("25", SILVER.name)] == (0, 0, 3)
    assert versions(settled) == before


def test_what_the_stream_may_still_touch_is_left_to_it(settled, monkeypatch):
    """The last batch, which a start carries again, and the hour that is open."""
    rule = Rule("too_large", lambda: F.col("amount") >= 500)
    monkeypatch.setattr(rules, "TRANSACTION_RULES", (*rules.TRANSACTION_RULES, rule))

    done = backfilled(settled, SETTINGS, "2026-03-27", "2026-03-28", tables="silver")

    assert changes(done) == {}
    assert of_silver(settled, "amount IN (500, 600)") == [("Z-1",), ("Z-2",)]


def test_a_released_row_that_is_refused_again_is_open_again(settled, stricter):
    a_4 = "WHERE transaction_reference = 'A-4'"
    row = settled.lake.query(f"SELECT * FROM silver_transactions {a_4}").to_pylist()[0]
    released = {"broken_rules": ["zero_amount"], "last_broken_rules": [], "tries": 2, "state": "released"}
    as_quarantined = pa.Table.from_pylist([row | released], schema=to_arrow_schema(QUARANTINE.schema, timezone="UTC"))
    write_deltalake(settled.lake.table_path(QUARANTINE), as_quarantined, mode="append")

    backfilled(settled, SETTINGS, *DAY, tables="silver")

    state = "SELECT state, broken_rules, last_broken_rules FROM quarantine_events"
    assert settled.rows(f"{state} {a_4}") == [("open", ["zero_amount"], ["too_small"])]
    assert of_silver(settled) == []
    assert proof(settled).differences == ()
