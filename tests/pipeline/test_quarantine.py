"""What was refused finds its way back: retries by the rules of today, and what people see and decide."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jobs import bronze, enrichment, quarantine, quarantine_events, rules
from jobs.command_line import run
from jobs.ingest import IngestWriter
from jobs.lake import Lake
from jobs.quarantine import Selection
from jobs.reconciliation import reconcile, record_conflicts
from jobs.retry import REPEAT_REASON, Retried, Retry, fates
from schemas.tables import BRONZE, GOLD, QUARANTINE, SILVER
from tests.builders import RING, SETTINGS, gsma, kafka_records, put_rows

TABLES = [table.name for table in (BRONZE, SILVER, QUARANTINE, *GOLD)]
NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)


def transfer(reference, at="2026-03-27T17:59:00Z", **changes):
    return gsma(transactionReference=reference, creationDate=at, **changes)


def relax(monkeypatch, *names):
    """New code, whose rules let pass what these refuse."""
    others = tuple(rule for rule in rules.TRANSACTION_RULES if rule.name not in names)
    monkeypatch.setattr(rules, "TRANSACTION_RULES", others)
    monkeypatch.setattr(rules, "RULES_VERSION", rules.RULES_VERSION + 1)


def retry(stream, again=False):
    tries = quarantine.waiting(stream.lake, Selection(), again)
    one = Retry(stream.spark, stream.lake, SETTINGS, enrichment.silver_columns(RING))
    return one.carry_out(one.look(tries)) if tries else Retried()


def proof(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)


def command(lake, *words):
    return run(quarantine_events.main, [*words, "--lake", str(lake.path)])


def test_what_passes_today_is_released_once_and_corrects_its_closed_window(stream, snapshot, monkeypatch, capsys):
    stream.run(
        transfer("T-1", at="2026-03-27T10:00:10Z", amount="100"),
        transfer("T-2", at="2026-03-27T10:00:20Z", amount="7.50"),
        transfer("T-3", at="2026-03-27T15:00:00Z"),
        transfer("T-4", amount="-1"),
        b"{",
    )
    relax(monkeypatch, "too_many_decimals")
    before, told = snapshot(TABLES), []
    for flags in (("--dry-run",), ()):
        assert command(stream.lake, "retry", "--json", *flags) == 0
        told.append(json.loads(capsys.readouterr().out))
        if flags:
            assert snapshot(TABLES) == before

    counts = {"looked_at": 3, "released": 1, "repeats": 0, "conflicts": 0, "refused_again": 2}
    refused = {"bad_amount": 1, "not_one_json_object": 1}
    assert told == [{"dry_run": dry_run, **counts, "refused": refused} for dry_run in (True, False)]
    assert stream.rows('SELECT "offset", state, tries, last_broken_rules FROM quarantine_events ORDER BY 1') == [
        (1, "released", 2, []),
        (3, "open", 2, ["bad_amount"]),
        (4, "open", 2, ["not_one_json_object"]),
    ]

    stream.run()
    after = snapshot(TABLES)
    assert retry(stream) == Retried()

    assert snapshot(TABLES) == after
    late = "SELECT amount, is_final, revision FROM gold_transactions_per_minute WHERE window_start < '2026-03-27T11:00:00Z'"
    assert stream.rows(late) == [(Decimal("107.5000"), True, 1)]
    result = proof(stream)
    assert (result.bronze, result.silver, result.quarantine) == (5, 3, 2)
    assert result.is_clean, result.differences


def test_a_repeat_is_closed_and_a_conflict_stays_open(stream, monkeypatch):
    """A phone's clock ran ahead; its provider sent the records once more, some of them with other amounts."""
    ahead = "2026-03-27T18:20:00Z"
    stream.send(transfer("T-1", at=ahead), transfer("T-2", at=ahead, amount="1"))
    again = (
        transfer("T-1", at=ahead),
        transfer("T-2", at=ahead, amount="2"),
        transfer("T-3"),
        transfer("T-3", amount="3"),
    )
    stream.send(*again, at=datetime(2026, 3, 27, 18, 30, tzinfo=UTC))
    stream.run()
    assert record_conflicts(stream.lake, RING) == 1
    silver = stream.rows("SELECT * FROM silver_transactions ORDER BY transaction_reference")
    relax(monkeypatch, "future_event_time")

    assert retry(stream) == Retried(looked_at=3, repeats=1, conflicts=2)
    assert retry(stream) == Retried()
    assert retry(stream, again=True) == Retried(looked_at=2, conflicts=2)

    columns = '"offset", state, tries, last_broken_rules, closed_reason'
    assert stream.rows(f"SELECT {columns} FROM quarantine_events ORDER BY 1") == [
        (0, "closed", 2, [], REPEAT_REASON),
        (1, "open", 3, ["conflicting_repeat"], None),
        (5, "open", 3, ["conflicting_repeat"], None),
    ]
    assert stream.rows("SELECT * FROM silver_transactions ORDER BY transaction_reference") == silver
    result = proof(stream)
    assert (result.bronze, result.silver, result.quarantine) == (6, 3, 3)
    assert result.is_clean, result.differences


def test_a_retry_that_was_killed_between_its_commits_is_finished_by_the_next(stream, monkeypatch):
    stream.run(transfer("T-1"), transfer("T-2", amount="7.50"))
    relax(monkeypatch, "too_many_decimals")
    retry(stream)
    stream.take_back_newest_commit(QUARANTINE)
    assert "1 records that are in silver and in quarantine" in proof(stream).differences

    assert retry(stream) == Retried(looked_at=1, released=1)
    stream.run()

    assert stream.rows("SELECT transaction_reference FROM silver_transactions ORDER BY 1") == [("T-1",), ("T-2",)]
    assert proof(stream).is_clean


def test_a_running_stream_takes_a_released_row_for_the_first_of_its_key(stream, monkeypatch):
    def batch(records, first_offset):
        kafka = kafka_records(stream.spark, records, first_offset)
        return bronze.parse_events(kafka, SETTINGS.dummy, SETTINGS.stream.future_tolerance)

    writer = IngestWriter(stream.spark, stream.lake, SETTINGS.stream.dedup_keys, enrichment.silver_columns(RING))
    ahead = transfer("T-2", at="2026-03-27T18:20:00Z")
    writer.write(batch([transfer("T-1"), ahead], 0), 0)
    relax(monkeypatch, "future_event_time")

    assert retry(stream) == Retried(looked_at=1, released=1)
    writer.write(batch([ahead, transfer("T-3")], 2), 1)

    rows = stream.rows('SELECT "offset", transaction_reference, stream_time FROM silver_transactions ORDER BY 1')
    at = [datetime(2026, 3, 27, hour, minute, tzinfo=UTC) for hour, minute in ((17, 59), (18, 20))]
    assert rows == [(0, "T-1", None), (1, "T-2", at[0]), (3, "T-3", at[1])]


def passing(offset, reference="T-1", amount="1"):
    named = dict.fromkeys(("transaction_type", "currency", "fee_amount", "debit_party", "credit_party", "event_time"))
    return {**named, "topic": "t", "partition": 0, "offset": offset, "transaction_reference": reference,
            "status": "completed", "amount": Decimal(amount)}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "in_silver", "expected"),
    [
        ([passing(1), passing(2), passing(3, amount="2"), passing(4, "T-2")], [], ["new", "repeat", "conflict", "new"]),
        ([passing(1)], [passing(9)], ["repeat"]),
        ([passing(1)], [passing(9, amount="2")], ["conflict"]),
        ([passing(1), passing(2)], [passing(1)], ["there", "repeat"]),
        ([passing(2)], [passing(1), passing(2)], ["there"]),
    ],
)
def test_the_first_of_a_key_is_the_one_that_silver_keeps(rows, in_silver, expected):
    assert fates(rows, in_silver) == expected


@pytest.fixture
def refused(tmp_path):
    """A lake with a record of a bad amount, a day older one of bad bytes, and one that a retry has released."""
    lake = Lake(tmp_path / "lake")
    lake.create()
    place = {"topic": "momo.transactions", "partition": 1, "kafka_timestamp": NOON, "ingested_at": NOON}
    amount = Decimal("5.0000")
    named = {"transaction_reference": "T-7", "amount": amount, "currency": "UGX", "debit_party": "msisdn:256777123456"}
    put_rows(
        lake,
        BRONZE,
        {**place, "offset": 5, "broken_rules": ["bad_utf8"], "payload_bytes": b"{\xff"},
        {**place, "offset": 6, "broken_rules": ["bad_amount"], "payload": '{"from": "256777123456"}'},
        {**place, **named, "offset": 7, "broken_rules": ["too_many_decimals"]},
    )
    row = {**place, "tries": 1, "state": "open", "rules_version": 1}
    yesterday = NOON.replace(day=26)
    put_rows(
        lake,
        QUARANTINE,
        {**row, "offset": 5, "first_seen_at": yesterday, "broken_rules": ["bad_utf8"]},
        {**row, "offset": 6, "first_seen_at": NOON, "broken_rules": ["bad_amount"], "transaction_reference": "T-\x1b6"},
        {**row, **named, "offset": 7, "first_seen_at": NOON, "broken_rules": ["too_many_decimals"],
         "last_broken_rules": [], "state": "released"},
    )  # fmt: skip
    put_rows(lake, SILVER, {**place, **named, "offset": 7, "status": "completed", "event_date": NOON.date()})
    return lake


@pytest.mark.parametrize(
    ("flags", "offsets"),
    [
        ((), [6, 5]),
        (("--limit", "1"), [6]),
        (("--since", "2026-03-27"), [6]),
        (("--code", "bad_utf8"), [5]),
        (("--state", "released"), [7]),
        (("--state", "released", "--code", "too_many_decimals"), [7]),
        (("--state", "closed"), []),
    ],
)
def test_the_list_has_what_is_asked_for_newest_first(refused, capsys, flags, offsets):
    assert command(refused, "list", "--json", *flags) == 0

    assert [json.loads(line)["offset"] for line in capsys.readouterr().out.splitlines()] == offsets


def test_the_list_is_for_people_too_and_a_terminal_obeys_no_record(refused, capsys):
    assert command(refused, "list", "--limit", "1") == 0

    said = capsys.readouterr().out
    assert "T-�6" in said
    assert "bad_amount" in said
    assert "2 open, the newest 1 are shown" in said


def test_the_record_itself_is_shown_only_when_asked_for(refused, capsys):
    place = ("momo.transactions", "1", "6")
    shown = [command(refused, "show", *place), capsys.readouterr().out]
    with_payload = [command(refused, "show", *place, "--payload"), capsys.readouterr().out]

    assert (shown[0], with_payload[0]) == (0, 0)
    assert "256777123456" not in shown[1]
    assert "256777123456" in with_payload[1]


def test_bytes_that_are_no_text_are_spelt_out(refused, capsys):
    assert command(refused, "show", "momo.transactions", "1", "5", "--payload", "--json") == 0

    assert json.loads(capsys.readouterr().out)["payload"] == "{\\xff"


def test_a_person_closes_open_rows_with_a_reason_and_no_others(refused, capsys):
    assert command(refused, "close", "momo.transactions", "1", "5", "--reason", "a test of the sender") == 0
    assert command(refused, "close", "momo.transactions", "1", "5", "--reason", "once more") == 65
    assert command(refused, "close", "T-7", "--reason", "it is in silver") == 65

    rows = refused.query('SELECT "offset", state, closed_reason FROM quarantine_events ORDER BY 1').to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (5, "closed", "a test of the sender"),
        (6, "open", None),
        (7, "released", None),
    ]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("show", "T-1"), 65, "Quarantine has no row of T-1"),
        (("show", "momo.transactions", "one", "6"), 64, "names no record"),
        (("list", "--code", "bad_amonut"), 64, "--code is 'bad_amonut', which is no rule: choose from bad_amount, "),
        (("list", "--since", "noon"), 64, "'noon' is no time such as 2026-03-27"),
        (("close", "--reason", "x"), 64, "needs a record, --code or --since"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(refused, capsys, words, code, sentence):
    assert command(refused, *words) == code

    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("amount = 6", "1 records whose money in silver is not what was released"),
        ("topic = 'another'", "1 records released from quarantine that silver does not have"),
    ],
)
def test_damage_to_a_released_row_is_found(refused, damage, sentence):
    column, _, value = damage.partition(" = ")
    sound = reconcile(refused, "momo.transactions", {1: (5, 8)}, RING).differences
    refused.open(SILVER).update(updates={column: value})

    differences = reconcile(refused, "momo.transactions", {1: (5, 8)}, RING).differences

    assert sentence in differences
    assert sentence not in sound
