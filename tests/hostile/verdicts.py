"""What producer and stream say of the same records, and where they may differ."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import SparkSession

from jobs import silver
from producers.contract import Contract
from producers.wire import RawRecord, WireRecord
from tests.builders import bronze_rows
from tests.hostile.corpus import corpus
from tests.hostile.mutations import mutate
from tests.hostile.reading import DATES, read

CHUNK = 100_000

READ = (
    "transaction_reference", "currency", "amount", "fee_amount", "debit_party", "credit_party", "debit_msisdn", "event_time",
)  # fmt: skip
OPTIONAL = ("subType", "requestingOrganisationTransactionReference", "originalTransactionReference")
PARTIES, PHONES = ("debitParty", "creditParty"), ("sender_phone_number", "receiver_phone_number")

# What the stream may refuse though the producer does not; docs/security.md says why.
OF_THE_STREAM = {
    "zero_amount",
    "too_many_decimals",
    "same_parties",
    "future_event_time",
    "bad_event_time",
    "reversal_without_original",
    "missing_debit_party",
    "missing_credit_party",
    "missing_reference",
    "bad_amount",
    "bad_fee",
    "not_one_json_object",
}


class Spoiled(NamedTuple):
    """A record and the producer's verdict: the key and the time it would have, or why it is refused."""

    raw: bytes
    key: bytes | None
    event_time: datetime | None
    reasons: tuple[tuple[str, str], ...]


def spoiled_records(seed: int, chunk: int, count: int) -> list[Spoiled]:
    """A chunk of records, each time the same ones, with what the producer says of them."""
    random, base, contract = Random(f"{seed}/{chunk}"), corpus(), Contract("Africa/Kampala")
    return [_judged(contract, mutate(random, random.choice(base), base)) for _ in range(count)]


def _judged(contract: Contract, raw: bytes) -> Spoiled:
    checked = contract.check(RawRecord(1, raw))
    if isinstance(checked, WireRecord):
        return Spoiled(raw, checked.key, checked.event_time, ())
    return Spoiled(raw, None, None, tuple((reason.path, reason.reason) for reason in checked))


def judged_by_stream(spark: SparkSession, records: Iterable[bytes]) -> tuple[dict[int, Any], dict[int, list[str]]]:
    """What is in silver, as bronze reads it, and the broken rules of what is in quarantine, by the record's place."""
    rows = bronze_rows(spark, records).persist()
    accepted = rows.join(silver.transactions(rows).select("offset"), "offset").select("offset", *READ).toArrow()
    refused = silver.quarantined(rows).select("offset", "broken_rules").toArrow()
    rows.unpersist()
    return _by_place(accepted), {place: row["broken_rules"] for place, row in _by_place(refused).items()}


def _by_place(table: pa.Table) -> dict[int, Any]:
    rows = {row["offset"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows, "a record is in one table twice"
    return rows


def differences(records: list[Spoiled], accepted: dict[int, Any], refused: dict[int, list[str]]) -> Iterator[str]:
    """The kind of each difference between the two verdicts; raises `AssertionError` for one that must not be."""
    assert accepted.keys().isdisjoint(refused)
    assert accepted.keys() | refused.keys() == set(range(len(records)))
    for place, record in enumerate(records):
        if place in accepted:
            _require_what_is_written(record, accepted[place])
            if record.reasons:
                yield _of_the_producer(record)
        elif not record.reasons:
            yield from _of_the_stream(record, refused[place])


def _require_what_is_written(record: Spoiled, row: dict[str, Any]) -> None:
    """What reaches silver is what the text says, and what the producer would have sent."""
    written = {name: value for name, value in read(record.raw).columns().items() if value is not None}
    found = {name: row[name] for name in written}
    assert found == written, f"{record.raw!r}: {found} in silver, {written} in the text"
    if not record.reasons:
        assert record.key is not None
        assert row["debit_party"].partition(":")[2] == record.key.decode() or not row["debit_msisdn"], record.raw
        assert record.event_time == row["event_time"], record.raw


def _of_the_stream(record: Spoiled, rules: list[str]) -> Iterator[str]:
    unknown = set(rules) - OF_THE_STREAM
    assert not unknown, f"the stream alone finds {unknown} in {record.raw!r}"
    yield from (f"stream: {rule}" for rule in rules)


def _of_the_producer(record: Spoiled) -> str:
    kinds = {_kind(record.raw, path, reason) for path, reason in record.reasons}
    return f"producer: {' + '.join(sorted(kinds))}"


def _kind(raw: bytes, path: str, reason: str) -> str:
    """What of `OF_THE_PRODUCER` a reason is."""
    field, _, within = path.removeprefix("/").partition("/")
    for kind, holds in OF_THE_PRODUCER.items():
        if holds(raw, field, within, reason):
            return kind
    raise AssertionError(f"the producer alone finds '{reason}' at '{path}' in {raw!r}")


# What the producer may refuse though the stream does not: docs/security.md says why. By the record, the field at fault,
# the place within it and the producer's reason.
OF_THE_PRODUCER: dict[str, Callable[[bytes, str, str, str], bool]] = {
    "repeated": lambda raw, field, within, reason: field in read(raw).repeated,
    "infinite number": lambda raw, field, within, reason: "number is infinity" in reason,
    "nested": lambda raw, field, within, reason: reason == "nested too deeply",
    "half a character": lambda raw, field, within, reason: "surrogate" in reason and not field,
    "null for missing": lambda raw, field, within, reason: b"transactionReference" in raw and read(raw).is_dummy,
    "optional field": lambda raw, field, within, reason: field in OPTIONAL,
    "status": lambda raw, field, within, reason: field == "transactionStatus",
    "fees": lambda raw, field, within, reason: field == "fees",
    "further identifiers": lambda raw, field, within, reason: field in PARTIES and within[:1] != "0",
    "party": lambda raw, field, within, reason: field in (*PARTIES, *PHONES),
    "other dates": lambda raw, field, within, reason: field in DATES,
}
