"""Two engines that share no code, Spark and Kafka Streams, must say the same of one topic."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from kafka import KafkaProducer
from pyspark.sql import SparkSession

from infra.kafka_streams_app import CLASSES
from infra.window_commands import Run, compute_windows
from infra.windows_topic import SCHEMA, read_windows
from jobs.errors import DependencyMissing
from jobs.lake import Lake
from jobs.pipeline import Pipeline
from jobs.settings import ROOT, Settings
from jobs.sources import stream_topic
from producers.replay import ReplayOptions, replay
from tests.builders import dummy, encoded, gsma

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CLASSES.exists(), reason="no javac was there to compile the Kafka Streams application"),
]

DATA = ROOT / "data" / "transactions.json"
FAULTS = ROOT / "conf" / "faults.toml"
A_CENTURY = 876_000 * 3600


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path, monkeypatch):
    """What the application keeps between its runs goes with the test."""
    for module in ("kafka_streams_app", "window_commands"):
        monkeypatch.setattr(f"infra.{module}.STATE", tmp_path / "state")


def of_spark(spark: SparkSession, settings: Settings, folder: Path) -> pa.Table:
    """What our stream says: the columns of gold that both compute, in order of the keys."""
    lake = Lake(folder / "lake")
    lake.create()
    Pipeline(spark, lake, settings, stream_topic(spark, settings.kafka)).run_available()
    gold = lake.query(f"SELECT {', '.join(SCHEMA.names)} FROM gold_transactions_per_minute")
    return gold.cast(SCHEMA).sort_by([(name, "ascending") for name in SCHEMA.names[:4]])


def of_kafka_streams(settings: Settings) -> pa.Table:
    output = f"{settings.kafka.topic}.windows"
    compute_windows(Run(settings, output, A_CENTURY, until_end=True))
    return read_windows(settings, output)


def assert_same(ours: pa.Table, theirs: pa.Table) -> None:
    """The same rows; a failure shows those that only one of them has."""
    of_ours, of_theirs = ({tuple(row.values()) for row in table.to_pylist()} for table in (ours, theirs))
    assert of_ours ^ of_theirs == set()
    assert ours.equals(theirs)


def send(settings: Settings, records: Iterable[Any]) -> None:
    with KafkaProducer(bootstrap_servers=settings.kafka.bootstrap) as producer:
        for record in records:
            producer.send(settings.kafka.topic, encoded(record), key=b"one payer")
        producer.flush()


def odd_records() -> list[Any]:
    """Records on the edge of a rule, each in a minute of its own: the windows show which ones count, and how."""
    phone = {"key": "msisdn", "value": "+256 777 123 456"}
    whole = encoded(gsma(transactionReference="bytes", creationDate="2026-03-26T00:00:00Z"))
    assert whole
    changes: list[dict[str, Any]] = [
        {"amount": 5000},
        {"amount": "5000\n"},
        {"amount": "5000.0000"},
        {"amount": "9" * 18},
        {"amount": "5.125", "currency": "KWD", "fees": None},
        {"amount": "5.125", "currency": "USD"},
        {"fees": []},
        {"fees": "none"},
        {"fees": [None]},
        {"fees": [{"feeAmount": 1, "feeCurrency": "UGX"}]},
        {"fees": [{"feeAmount": 1.5, "feeCurrency": "UGX"}]},
        {"fees": [{"feeAmount": "1.5", "feeCurrency": "USD"}, {"feeAmount": "2", "feeCurrency": "UGX"}]},
        {"fees": [{"feeAmount": "9" * 18, "feeCurrency": "UGX"}] * 2},
        {"debitParty": [phone]},
        {"debitParty": phone},
        {"debitParty": [phone, 5]},
        {"debitParty": [{"key": "msisdn", "value": "++256777123456"}]},
        {"transactionReference": "x" * 256},
        {"transactionReference": "x" * 257},
        {"transactionReference": "\U0001f600" * 200},
        {"transactionReference": 100_000},
        {"transactionReference": "half \ud83d"},
        {"debitParty": [{"key": "walletid", "value": "half \udc00"}]},
        {"debitParty": [{"key": "walletid", "value": 1.5}]},
        {"debitParty": [{"key": "walletid", "value": 15}]},
        {"debitParty": [{"key": "walletid", "value": "whole \U0001f600 ?"}]},
        {"transactionStatus": "FAILED"},
        {"type": "reversal"},
        {"type": "reversal", "originalTransactionReference": "T-0"},
        {"metadata": {"channel": "App"}},
        {"metadata": {"channel": 5}},
        {"metadata": [{"key": "channel", "value": 5}]},
        {"metadata": [5, {"key": "channel", "value": "POS"}]},
        {"metadata": None, "extra": {"metadata": {"channel": "app"}}},
        {"amount": 5000, "extra": {"amount": "5"}},
        {"fees": None, "extra": {"fees": 5}},
        {"metadata": [{"key": "a", "value": "b"}, {"key": "channel", "value": "POS"}]},
        {"modificationDate": "yesterday"},
        {"modificationDate": ""},
        {"creationDate": "2026-03-25T02:00:00+03:00"},
        {"creationDate": "2026-03-25T02:01:00+19:00"},
        {"creationDate": "2026-03-25T24:00:00Z"},
        {"creationDate": "2026-02-30T02:00:00Z"},
        {"creationDate": "2026-03-25T02:02:59.999999999Z"},
        {"creationDate": "2999-01-01T00:00:00Z"},
        {"creationDate": "1969-12-31T23:59:59Z"},
        {"creationDate": "0000-01-01T00:00:00Z"},
    ]
    texts = [
        b" \n" + whole,
        whole + b" junk",
        whole + b"]",
        whole + b"] junk",
        b"[" + whole + b"]",
        whole + b"," + whole,
        b"\xef\xbb\xbf" + whole,
    ]
    texts += [whole[:-1] + extra + b"}" for extra in (b', "x": NaN', b', "x": 01', b",", b', "amount": "7000"')]
    dummies = [b"777", b"777.0", b"777.00", b"70000000.0", b"1e3", b"1.5E1", b"-0", b'"777"']
    return [
        *(
            gsma(**{"transactionReference": f"T-{i}", "creationDate": f"2026-03-27T10:{i:02}:00Z"} | change)
            for i, change in enumerate(changes)
        ),
        *(text.replace(b"T00:00", b"T00:%02d" % i).replace(b"bytes", b"B-%d" % i) for i, text in enumerate(texts)),
        *(
            encoded(dummy(transaction_id=f"D-{i}", transaction_time=f"2023-04-19 12:{i:02}:00")).replace(
                b"100000", text
            )
            for i, text in enumerate(dummies)
        ),
        None,
        b"",
        b"\xff",
    ]


def test_both_engines_say_the_same_of_the_dummy_data(spark, topic, tmp_path):
    replay(ReplayOptions(source=str(DATA)), topic)

    ours, theirs = of_spark(spark, topic, tmp_path), of_kafka_streams(topic)

    assert ours.num_rows > 1000
    assert_same(ours, theirs)


def test_both_engines_say_the_same_of_repeats_conflicts_late_and_broken_records(spark, topic, tmp_path):
    replay(ReplayOptions(source=str(DATA), faults=FAULTS, manifest=tmp_path / "manifest.json"), topic)

    ours, theirs = of_spark(spark, topic, tmp_path), of_kafka_streams(topic)

    assert ours.num_rows > 1000
    assert_same(ours, theirs)


def test_both_engines_refuse_the_same_odd_records_and_read_the_others_alike(spark, topic, tmp_path):
    send(topic, odd_records())

    ours, theirs = of_spark(spark, topic, tmp_path), of_kafka_streams(topic)

    assert theirs.num_rows == 28
    assert_same(ours, theirs)


def test_an_application_that_is_started_again_goes_on_and_counts_nothing_twice(topic):
    output = Run(topic, f"{topic.kafka.topic}.windows", A_CENTURY, until_end=True)
    send(topic, [gsma(transactionReference="T-1"), gsma(transactionReference="T-2")])
    compute_windows(output)
    send(topic, [gsma(transactionReference="T-2"), gsma(transactionReference="T-3")])
    compute_windows(output)

    assert [row["event_count"] for row in read_windows(topic, output.output_topic).to_pylist()] == [3]


def test_an_application_that_is_not_built_is_told_how(topic, tmp_path, monkeypatch):
    monkeypatch.setattr("infra.kafka_streams_app.CLASSES", ROOT / ".local" / "nowhere")

    with pytest.raises(DependencyMissing, match="make it with `python3 -m infra.set_up dev`"):
        compute_windows(Run(topic, "windows", A_CENTURY, until_end=True))
