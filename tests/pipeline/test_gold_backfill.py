"""Gold is damaged on a copy of days that the stream wrote, and computed anew."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from jobs import backfill_transactions
from jobs.command_line import run
from jobs.gold_backfill import GoldBackfill
from jobs.lake import Lake
from jobs.windows import closed_for_good
from schemas.tables import AGENT_5M, CORRIDOR_HOURLY, GOLD, PER_MINUTE, SILVER
from tests.backfills import ALL_DAYS, backfilled, changes, measures, versions
from tests.builders import SETTINGS, gsma, silver_rows

ALL_OF_GOLD = ",".join(table.name for table in GOLD)
OPENS = datetime(2026, 3, 27, 17, tzinfo=UTC)


def delta(stream, table):
    return DeltaTable(stream.lake.table_path(table))


def damage(stream):
    """Windows of three days are gone, changed, and too many."""
    delta(stream, PER_MINUTE).delete("window_date = '2026-03-26'")
    delta(stream, AGENT_5M).update(updates={"cash_in_amount": "1", "revision": "4"}, predicate="cash_in_count = 1")
    extra = stream.lake.read(stream.spark, CORRIDOR_HOURLY).filter("window_date = '2026-03-25'").limit(1)
    rows = extra.withColumn("debit_operator", F.lit("nobody"))
    rows.write.format("delta").mode("append").save(stream.lake.table_path(CORRIDOR_HOURLY))


def listing(folder):
    return [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()]


def test_what_the_stream_wrote_is_what_a_backfill_computes(days):
    before = versions(days)

    done = [*backfilled(days, SETTINGS, "2023-04-19", "2023-04-20", ALL_OF_GOLD)]
    done += backfilled(days, SETTINGS, *ALL_DAYS, ALL_OF_GOLD)

    assert changes(done) == {}
    assert versions(days) == before
    looked_at = {table.name: sum(one.looked_at for one in done if one.table == table.name) for table in GOLD}
    closed = f"SELECT count(*) FROM {{}} WHERE window_end <= '{OPENS:%Y-%m-%dT%H:%M:%SZ}'"
    assert looked_at == {table.name: days.lake.value(closed.format(table.name)) for table in GOLD}
    assert min(looked_at.values()) > 0


def test_what_gold_lost_changed_or_has_too_much_is_set_right(days):
    before = {table: measures(days, table) for table in GOLD}
    damage(days)

    done = backfilled(days, SETTINGS, tables=ALL_OF_GOLD)

    assert changes(done) == {
        ("26", PER_MINUTE.name): (0, 2, 0),
        ("25", AGENT_5M.name): (1, 0, 0),
        ("25", CORRIDOR_HOURLY.name): (0, 0, 1),
    }
    assert {table: measures(days, table) for table in GOLD} == before
    state = "SELECT is_final, revision, corrected_at FROM {} WHERE {}"
    arrival = datetime(2026, 3, 27, 18, 0, 0, tzinfo=UTC)
    corrected = days.rows(state.format(AGENT_5M.name, "cash_in_count = 1"))[0]
    assert corrected[:2] == (True, 5)
    assert corrected[2].replace(microsecond=0) == arrival
    restored = days.rows(state.format(PER_MINUTE.name, "window_date = '2026-03-26'"))
    assert [row[:2] for row in restored] == [(True, 1), (True, 1)]

    written = versions(days)
    assert changes(backfilled(days, SETTINGS, tables=ALL_OF_GOLD)) == {}
    assert versions(days) == written


def test_a_dry_run_says_what_a_run_does_and_writes_nothing(days, capsys):
    damage(days)
    before = listing(days.lake.path)
    arguments = ["--lake", str(days.lake.path), "--from", ALL_DAYS[0], "--to", ALL_DAYS[1], "--json"]

    assert run(backfill_transactions.main, [*arguments, "--dry-run"]) == 0
    would = json.loads(capsys.readouterr().out)
    assert listing(days.lake.path) == before

    assert run(backfill_transactions.main, arguments) == 0
    done = json.loads(capsys.readouterr().out)
    assert (would["dry_run"], done["dry_run"]) == (True, False)
    assert would["tables"] == done["tables"]
    assert sum(one["changed"] + one["added"] + one["removed"] for one in done["tables"]) > 0


def test_open_windows_and_other_tables_and_days_are_left_alone(days):
    for table, column in ((PER_MINUTE, "amount"), (CORRIDOR_HOURLY, "amount")):
        delta(days, table).update(updates={column: "1"})
    damaged = {table: measures(days, table) for table in GOLD}

    done = backfilled(days, SETTINGS, "2026-03-26", "2026-03-28", PER_MINUTE.name)

    assert changes(done) == {("26", PER_MINUTE.name): (2, 0, 0), ("27", PER_MINUTE.name): (1, 0, 0)}
    assert [(one.day, one.left) for one in done] == [("2026-03-26", 0), ("2026-03-27", 1)]
    assert measures(days, CORRIDOR_HOURLY) == damaged[CORRIDOR_HOURLY]
    amounts = "SELECT amount FROM gold_transactions_per_minute WHERE window_date >= '2026-03-26' ORDER BY window_start"
    assert [amount for (amount,) in days.rows(amounts)] == [Decimal(text) for text in ("2000", "3000", "500", "1")]


def test_a_window_with_a_late_row_on_its_way_is_left_to_the_stream(days):
    delta(days, PER_MINUTE).update(updates={"amount": "1"}, predicate="window_date = '2026-03-25'")
    closed_before = closed_for_good(days.lake, SETTINGS.stream.lateness)
    backfill = GoldBackfill(days.spark, days.lake, [PER_MINUTE], closed_before)
    recomputed = backfill.recompute(date(2026, 3, 25))
    late = gsma(transactionReference="L-1", creationDate="2026-03-25T10:00:30Z", amount="5")
    days.lake.append(silver_rows(days.spark, [late], stream_time=OPENS), SILVER)

    (difference,) = backfill.correct(recomputed)

    at_ten = "SELECT currency, amount FROM gold_transactions_per_minute WHERE window_start = '2026-03-25T10:00:00Z' ORDER BY 1"
    assert days.rows(at_ten) == [("KES", Decimal("1.0000")), ("UGX", Decimal("1.0000"))]
    assert difference.left == 2
    assert days.lake.value("SELECT count(*) FROM gold_transactions_per_minute WHERE amount = 1") == 2

    days.run()

    assert days.rows(at_ten) == [("KES", Decimal("10.5000")), ("UGX", Decimal("222.0000"))]


def test_a_correction_by_the_stream_waits_for_that_of_a_backfill(days):
    asked = threading.Event()

    @dataclass(frozen=True)
    class Asking(Lake):
        asked: threading.Event = field(default_factory=threading.Event)

        @contextmanager
        def correcting(self):
            self.asked.set()
            with super().correcting():
                yield

    days.lake = Asking(days.lake.path, asked)
    late = gsma(transactionReference="L-1", creationDate="2026-03-25T10:00:30Z")
    stream = threading.Thread(target=days.run, args=(late,))
    before = {table: days.lake.newest_version(table) for table in GOLD}
    with Lake(days.lake.path).correcting():
        stream.start()
        assert asked.wait(60)
        assert {table: days.lake.newest_version(table) for table in GOLD} == before
    stream.join()

    assert days.lake.newest_version(PER_MINUTE) > before[PER_MINUTE]


def test_before_the_stream_has_carried_anything_to_gold_everything_is_its_own(days):
    for commit in (days.lake.path / "_checkpoints" / "gold" / "commits").glob("*"):
        commit.unlink()
    delta(days, PER_MINUTE).update(updates={"amount": "1"})

    assert changes(backfilled(days, SETTINGS, tables=ALL_OF_GOLD)) == {}


def test_a_second_backfill_is_refused(days, capsys):
    with days.lake.alone("backfill", "backfilled"):
        code = run(
            backfill_transactions.main, ["--lake", str(days.lake.path), "--from", "2026-03-25", "--to", "2026-03-26"]
        )

    assert code == 73
    assert "is being backfilled by another process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "25.3.2026", "--to", "2026-03-26"], "--from is '25.3.2026', a day such as 2026-03-27 is expected"),
        (["--from", "2026-03-26", "--to", "2026-03-26"], "--to is 2026-03-26, a day after --from"),
        (["--from", "2026-03-25", "--to", "2026-03-26", "--tables", "bronze"], "--tables names 'bronze', which cannot"),
        (["--from", "2026-03-25", "--to", "2026-03-26", "--lake", "/no/lake"], "There are no tables in /no/lake"),
    ],
)
def test_what_cannot_be_backfilled_is_refused_by_name(days, capsys, arguments, sentence):
    code = run(backfill_transactions.main, ["--lake", str(days.lake.path), *arguments])

    assert code == 64
    assert sentence in capsys.readouterr().err
