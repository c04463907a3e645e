"""A person is erased from a lake that the stream wrote: not a byte is left, and not a cent is gone."""

import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality

from jobs import enrichment, erase_person, silver
from jobs.command_line import run
from jobs.erasure import _erase_table, erase, find_persons
from jobs.errors import TryAgain
from jobs.lake import Lake
from jobs.maintenance import maintain, maintaining
from jobs.metadata import BALANCES
from jobs.persons import BronzeWithout
from jobs.reconciliation import reconcile
from schemas.tables import ALERTS, BALANCES_DAILY, BRONZE, CUSTOMERS_DAILY, GOLD, PAIRS_DAILY, QUARANTINE, SILVER
from tests.builders import RING, SETTINGS, agent_cash, gsma
from tests.pipeline.test_maintenance import NOTHING_KEPT

GRACE, JOHN, NAME = "256777999111", "256777999222", "Grace Nakato"
NOTHING = re.compile(rb"256.?0?.?777.?999.?111|Nakato")


def phone(number):
    return [{"key": "msisdn", "value": number}]


OF_PERSONS = [f"{side}_{what}" for side in ("debit", "credit") for what in ("party", "token", "country", "operator")]
OF_PERSONS += ["agent_id", "assumed", "amount", "offset", *BALANCES]
ANY_ORDER = {"ignore_row_order": True, "ignore_nullable": True, "ignore_metadata": True}

OF_GRACE = gsma(
    transactionReference="T-1",
    debitParty=phone(GRACE),
    descriptionText=NAME,
    metadata=[{"key": f"{side}_balance_after", "value": held} for side, held in (("debit", "125.25"), ("credit", "9"))],
)
RECORDS = [
    OF_GRACE,
    gsma(transactionReference="T-2", creditParty=phone("+256 777 999 111"), creationDate="2026-03-26T10:00:00Z"),
    gsma(transactionReference="T-3", debitParty=[{"key": "walletid", "value": GRACE}]),
    agent_cash("deposit", "AG-1", GRACE, transactionReference="T-4"),
    agent_cash("deposit", GRACE, JOHN, transactionReference="T-5"),
    OF_GRACE,
    gsma(transactionReference="T-6", debitParty=phone(GRACE), descriptionText=NAME, amount="0"),
    b'{"to": "2560-777-999-111',
    b'\xff{"to": "256777999111"}',
    gsma(transactionReference="T-7", debitParty=phone(JOHN)),
]


@pytest.fixture
def lake(stream):
    """Two batches of bronze and silver, joined since, so that the number is in files of every kind."""
    stream.run(*RECORDS[:5])
    stream.run(*RECORDS[5:])
    for table in (BRONZE, SILVER):
        with maintaining(stream.lake):
            maintain(stream.lake, table, NOTHING_KEPT)
    return stream.lake


def erased(lake, *numbers, tokens=()):
    with lake.locked("the test"), maintaining(lake):
        return erase(lake, find_persons(lake, RING, numbers, tokens), SETTINGS.topic.retention_days)


def found(folder: Path) -> list[str]:
    """The files that show the person, in their bytes or in the values of their columns."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    values = {path: str(pq.read_table(path).to_pydict()).encode() for path in files if path.suffix == ".parquet"}
    return [path.name for path in files if NOTHING.search(path.read_bytes() + values.get(path, b""))]


def proof(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)


def test_a_person_is_erased_to_the_last_byte_and_the_books_stay_as_they_are(stream, lake, snapshot):
    # The joined file of bronze, and the newest append in it, which a start of the stream would read.
    assert len(found(lake.path)) == 2
    unchanged = [table.name for table in (QUARANTINE, *GOLD)]
    money = "SELECT transaction_reference, status, amount, event_time, debit_operator FROM silver_transactions"
    before, books = snapshot(unchanged), sorted(stream.rows(money))

    certificate = erased(lake, GRACE)

    assert found(lake.path) == []
    assert snapshot(unchanged) == before
    assert sorted(stream.rows(money)) == books
    assert proof(stream).is_clean
    done = {name: (table["rows"], table["files"]) for name, table in certificate["tables"].items()}
    none = dict.fromkeys((CUSTOMERS_DAILY.name, PAIRS_DAILY.name, BALANCES_DAILY.name, ALERTS.name), (0, 0))
    assert done == none | {BRONZE.name: (9, 1), SILVER.name: (5, 2)}
    assert certificate["tokens"] == [RING.token(GRACE)]
    assert certificate["in_kafka_until"].startswith("2026-04-03 18:00:00")
    assert [json.loads(path.read_text()) for path in (lake.path / "_erasures").iterdir()] == [certificate]

    parties = "SELECT transaction_reference, debit_party, credit_party FROM silver_transactions ORDER BY 1"
    john, payer, payee = (f"msisdn:{RING.token(number)}" for number in (JOHN, "256777123456", "256751234567"))
    assert stream.rows(parties) == [
        ("T-1", "msisdn:erased", payee),
        ("T-2", payer, "msisdn:erased"),
        ("T-3", "walletid:erased", payee),
        ("T-4", "identityalias:AG-1", "msisdn:erased"),
        ("T-5", "identityalias:erased", john),
        ("T-7", john, payee),
    ]
    held = "SELECT DISTINCT debit_balance_after, credit_balance_after FROM {} WHERE transaction_reference = 'T-1'"
    assert [stream.rows(held.format(table.name)) for table in (BRONZE, SILVER)] == [[(None, Decimal(9))]] * 2
    # Made again of bronze, silver would be the same.
    accepted = silver.transactions(lake.read(stream.spark, BRONZE).filter("offset <> 5"))
    made = enrichment.with_steps(accepted, enrichment.silver_columns(RING)).select(OF_PERSONS)
    assert_df_equality(made, lake.read(stream.spark, SILVER).select(OF_PERSONS), **ANY_ORDER)

    john_in_bronze = f"SELECT payload LIKE '%{JOHN}%' FROM {BRONZE.name} WHERE transaction_reference = 'T-7'"
    assert stream.rows(john_in_bronze) == [(True,)]

    again = erased(lake, GRACE)
    assert {table["rows"] for table in again["tables"].values()} == {0}

    # The stream goes on, and of a repeat of what was erased nobody can tell whether it says the same.
    stream.run(RECORDS[0], gsma(transactionReference="T-8", creationDate="2026-03-27T18:30:00Z"))
    assert proof(stream).is_clean


def test_an_erasure_that_was_cut_off_is_finished_by_the_next_from_the_command_line(stream, lake, capsys):
    persons = find_persons(lake, RING, [GRACE], [])
    _erase_table(lake, BRONZE, BronzeWithout(persons))
    assert not proof(stream).is_clean

    # By the token of silver, for bronze does not know the number any more.
    assert run(erase_person.main, ["--lake", str(lake.path), "--token", RING.token(GRACE)]) == 0

    assert found(lake.path) == []
    assert proof(stream).is_clean
    certificate = json.loads(capsys.readouterr().out)
    assert (certificate["tables"][SILVER.name]["rows"], certificate["tokens"]) == (5, [RING.token(GRACE)])


def test_nobody_is_erased_while_the_stream_has_a_batch_to_finish(stream):
    stream.run(RECORDS[0])
    newest = max(
        (Path(stream.lake.checkpoint_path("gold")) / "commits").glob("[0-9]*"), key=lambda path: int(path.name)
    )
    newest.unlink()

    with pytest.raises(TryAgain, match="Not every record is through all tables yet"):
        erased(stream.lake, GRACE)


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "sentence"),
    [
        ([], "", 64, "No phone number was given"),
        ([], "256777999111\nGrace", 64, "Line 2 is not a phone number"),
        (["--token", GRACE], "", 64, "--token is not a token"),
        (["--file", "/no/file"], "", 64, "The file /no/file cannot be read: No such file"),
        (["--lake", "/no/lake"], GRACE, 64, "There are no tables in /no/lake"),
        ([], GRACE, 73, "is being written by the stream"),
    ],
)
def test_what_cannot_be_erased_is_refused_in_a_sentence(
    tmp_path, capsys, monkeypatch, arguments, typed, code, sentence
):
    lake = Lake(tmp_path / "lake")
    lake.create()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    with lake.locked("the stream"):
        assert run(erase_person.main, ["--lake", str(lake.path), *arguments]) == code

    said = capsys.readouterr().err
    assert sentence in said
    assert GRACE not in said
