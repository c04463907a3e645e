"""Bronze: every Kafka record as it came, with its typed columns and the rules it breaks. Nothing is refused.

Written for speed where it does not cost clarity: what is used more than once gets a column of its own, and what most
records look like is tried by a plain comparison before a regular expression or a lambda is asked (docs/performance.md).
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs import metadata, rules
from jobs.parsing import (
    exact,
    has_half_a_character,
    has_spelt_letters,
    is_once,
    is_own_text,
    is_written,
    reference,
    with_event,
    with_payload,
)
from jobs.settings import DummySettings
from jobs.tokens import ERASED
from schemas.tables import BRONZE, MONEY, MONEY_SUM

# What the dummy record lacks and the settings supply.
ASSUMED = ("currency", "event_time_zone", "transaction_type", "status")


def parse_events(records: DataFrame, dummy: DummySettings, future_tolerance: str) -> DataFrame:
    """Kafka records (key, value, topic, partition, offset, timestamp) as rows of bronze, but for `ingested_at`."""
    return (
        records.transform(with_payload)
        .transform(with_event)
        .transform(_with_parties)
        .transform(_typed, dummy, future_tolerance)
        .transform(rules.with_broken_rules)
        .select([name for name in BRONZE.column_names if name != "ingested_at"])
    )


def records_of(events: DataFrame) -> DataFrame:
    """The Kafka records that rows of bronze were made of, for the rules of today; the key is null if it was no text.

    A record that was erased is no more: what its row says is all there is of it.
    """
    events = events.filter(~F.col("payload").eqNullSafe(ERASED))
    value = F.coalesce(F.col("payload").cast("binary"), F.col("payload_bytes"))
    place = [F.col(name) for name in ("topic", "partition", "offset")]
    key, arrival = F.col("key").cast("binary").alias("key"), F.col("kafka_timestamp").alias("timestamp")
    return events.select(key, value.alias("value"), *place, arrival)


def _with_parties(records: DataFrame) -> DataFrame:
    """Key and value of each party's first identifier, numbers as digits; null when there is none."""
    fields = {"debit": ("debitParty", "sender_phone_number"), "credit": ("creditParty", "receiver_phone_number")}
    first = {side: F.get(F.col(f"event.{gsma}"), F.lit(0)) for side, (gsma, _) in fields.items()}
    keys = {f"{side}_key": _is_dummy_then(F.lit("msisdn"), exact(first[side]["key"])) for side in fields}
    values = {
        f"{side}_value": _is_dummy_then(F.col(f"event.{number}"), first[side]["value"])
        for side, (_, number) in fields.items()
    }
    is_phone = {f"{side}_is_phone": F.col(f"{side}_key") == "msisdn" for side in fields}
    digits = {f"{side}_value": _digits_of_phone(side) for side in fields}
    return records.withColumns(keys | values).withColumns(is_phone).withColumns(digits)


def _digits_of_phone(side: str) -> Column:
    value = F.col(f"{side}_value")
    return F.when(F.col(f"{side}_is_phone"), _digits(value)).otherwise(exact(value))


def _digits(number: Column) -> Column:
    """A number as GSMA allows it, `+256 777 123456`, as digits."""
    without_blanks = F.replace(number, F.lit(" "), F.lit(""))
    return F.when(without_blanks.startswith("+"), F.substring(without_blanks, 2, 256)).otherwise(without_blanks)


def _typed(records: DataFrame, dummy: DummySettings, future_tolerance: str) -> DataFrame:
    """Both formats as one set of columns."""
    latest_event_time = F.col("kafka_timestamp") + F.expr(f"interval {future_tolerance}")
    return (
        records.withColumns(_event_time_text() | {"balances": metadata.balances()})
        .withColumns(_transaction_columns(dummy))
        .withColumns({"agent_id": _agent_id(), "latest_event_time": latest_event_time})
    )


def _transaction_columns(dummy: DummySettings) -> dict[str, Column]:
    currency = _is_dummy_then(F.lit(dummy.currency), F.col("event.currency"))
    return {
        "transaction_reference": _is_dummy_then(reference("transaction_id"), reference("transactionReference")),
        "original_transaction_reference": F.col("event.originalTransactionReference"),
        "status": F.lower(_is_dummy_then(F.lit(dummy.status), F.col("event.transactionStatus"))),
        "transaction_type": _is_dummy_then(F.lit(dummy.type), F.col("event.type")),
        "sub_type": F.col("event.subType"),
        "amount": _is_dummy_then(_dummy_amount(), _gsma_amount()),
        "currency": currency,
        "fee_amount": _fee_amount(currency),
        "debit_party": _party("debit"),
        "credit_party": _party("credit"),
        "debit_msisdn": F.when(F.col("debit_is_phone"), F.col("debit_value")),
        "credit_msisdn": F.when(F.col("credit_is_phone"), F.col("credit_value")),
        "channel": F.coalesce(metadata.channel(), F.lit("unknown")),
        "failure_reason": metadata.failure_reason(),
        **{name: F.col(f"balances.{name}") for name in metadata.BALANCES},
        "event_time": _is_dummy_then(_local_time(dummy.time_zone), _instant(F.col("event_time_text"))),
        "assumed": _is_dummy_then(F.array(*map(F.lit, ASSUMED)), F.array().cast("array<string>")),
    }


def _is_dummy_then(dummy: Column, gsma: Column) -> Column:
    return F.when(F.col("is_gsma"), gsma).when(F.col("is_dummy"), dummy)


def _gsma_amount() -> Column:
    """Null unless the field is a JSON text of the GSMA pattern."""
    amount = F.col("event.amount")
    fits = amount.rlike(rules.AMOUNT_PATTERN) & is_written('"amount":', F.concat(F.lit('"'), amount, F.lit('"')))
    return F.when(fits & (is_once("amount") | is_own_text("amount")), amount.try_cast(MONEY))


def _dummy_amount() -> Column:
    """Null unless the field is a JSON number of the GSMA form, which rules out signs, exponents and long fractions.

    from_json gives 12.30 as 12.3 and 10000000.5 as 1.00000005E7: then the number is taken as it is written.
    """
    read = F.col("event.transaction_amount")
    is_read = read.rlike(rules.AMOUNT_PATTERN) & is_written('"transaction_amount":', read)
    written = F.regexp_extract("payload", r'"transaction_amount"\s*:\s*([0-9.]+)\s*[,}]', 1)
    is_same = written.rlike(rules.AMOUNT_PATTERN) & (written.try_cast("double") == read.try_cast("double"))
    amount = F.when(is_read, read.try_cast(MONEY)).when(is_same, written.try_cast(MONEY))
    return F.when(is_once("transaction_amount") | ~is_own_text("transaction_amount"), amount)


def _party(side: str) -> Column:
    """`key:value` of the party, null when either is missing."""
    key, value = F.col(f"{side}_key"), F.col(f"{side}_value")
    return F.when((key != "") & (value != ""), F.concat(key, F.lit(":"), value))


def _event_time_text() -> dict[str, Column]:
    """The newest thing the provider says of the transaction's life, and the field that says it."""
    fields = ("modificationDate", "creationDate", "requestDate")
    text = F.coalesce(*(F.col(f"event.{field}") for field in fields))
    source = F.coalesce(*(F.when(F.col(f"event.{field}").isNotNull(), field) for field in fields))
    return {"event_time_text": text, "event_time_source": _is_dummy_then(F.lit("transaction_time"), source)}


def _instant(text: Column) -> Column:
    """RFC 3339 with its zone; null otherwise, for Spark would take a wall clock as UTC."""
    has_zone = text.rlike(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d{1,9})?(Z|[+-]\d\d:\d\d)\z")
    return F.when(has_zone, text.try_cast("timestamp"))


def _local_time(time_zone: str) -> Column:
    text = F.col("event.transaction_time")
    is_wall_clock = text.rlike(r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\z")
    return F.when(is_wall_clock, F.to_utc_timestamp(text.try_cast("timestamp"), time_zone))


def _fee_amount(currency: Column) -> Column:
    """Sum of the fees in the transaction's currency; 0 when none is stated, null when one is not an amount."""
    fees = F.col("event.fees")
    zero = F.lit(0).cast(MONEY_SUM)
    # Of a number with a point we cannot know what from_json has rounded.
    has_texts_alone = ~F.col("payload").rlike(r'"feeAmount"\s*:\s*-?\d+[.eE]') & ~has_spelt_letters()

    def amount_of(fee: Column) -> Column:
        text = fee["feeAmount"]
        is_exact = ~text.contains(".") | (
            has_texts_alone & is_written('"feeAmount":', F.concat(F.lit('"'), text, F.lit('"')))
        )
        is_amount = text.rlike(rules.AMOUNT_PATTERN) & is_exact & fee["feeCurrency"].isNotNull()
        amount = F.when(is_amount, text.try_cast(MONEY_SUM))
        return F.when(amount.isNotNull() & (fee["feeCurrency"] != currency), zero).otherwise(amount)

    total = F.aggregate(fees, zero, lambda total, fee: (total + amount_of(fee)).cast(MONEY_SUM))
    # Fees that are not a list of objects are parsed as null: only a record that says nothing of fees has none.
    is_named = F.col("payload").contains('"fees"')
    says_fees = is_named & (F.get_json_object("payload", "$.fees").isNotNull() | has_half_a_character())
    may_say_fees = says_fees | has_spelt_letters()
    return (
        F.when(fees.isNull() & ~may_say_fees, F.lit(0).cast(MONEY))
        .when(F.size(fees) == 1, amount_of(F.get(fees, F.lit(0))).try_cast(MONEY))
        .otherwise(total.try_cast(MONEY))
    )


def _agent_id() -> Column:
    """The agent pays out e-money at a cash-in and takes it at a cash-out: the party that is not the phone."""
    return F.when(F.col("transaction_type") == "deposit", _alias("debit")).when(
        F.col("transaction_type") == "withdrawal", _alias("credit")
    )


def _alias(side: str) -> Column:
    return F.when(~F.col(f"{side}_is_phone"), F.col(f"{side}_value"))
