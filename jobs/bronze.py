"""Bronze: every Kafka record as it came, with its typed columns and the rules it breaks. Nothing is refused.

Written for speed where it does not cost clarity: what is used more than once gets a column of its own, and what most
records look like is tried by a plain comparison before a regular expression or a lambda is asked (docs/performance.md).
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, StringType, StructField, StructType

from jobs import rules
from jobs.settings import DummySettings
from jobs.tokens import ERASED
from schemas.tables import BRONZE, MONEY, MONEY_SUM

_TEXT = StringType()
# The field of an object that is put after the record, to see that the parser came to the end of it.
_END = "momostream.end"


def _struct(*names: str) -> StructType:
    return StructType([StructField(name, _TEXT) for name in names])


_KEYS_AND_VALUES = ArrayType(_struct("key", "value"))

# What is read of a record. Amounts stay as they are written, for from_json rounds decimals quietly.
EVENT_SCHEMA = StructType(
    [
        *_struct(
            "transactionReference", "originalTransactionReference", "transactionStatus", "type", "subType", "amount",
            "currency", "requestDate", "creationDate", "modificationDate",
        ),
        StructField("debitParty", _KEYS_AND_VALUES),
        StructField("creditParty", _KEYS_AND_VALUES),
        StructField("metadata", _KEYS_AND_VALUES),
        StructField("fees", ArrayType(_struct("feeAmount", "feeCurrency"))),
        *_struct(
            "transaction_id", "sender_phone_number", "receiver_phone_number", "transaction_amount", "transaction_time",
        ),
        StructField(_END, BooleanType()),
    ]
)  # fmt: skip

# Spark takes 'single quotes' and NaN for JSON; the producer's check and everybody else's parser do not.
STRICT_JSON = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}

# What the dummy record lacks and the settings supply.
ASSUMED = ("currency", "event_time_zone", "transaction_type", "status")


def parse_events(records: DataFrame, dummy: DummySettings, future_tolerance: str) -> DataFrame:
    """Kafka records (key, value, topic, partition, offset, timestamp) as rows of bronze, but for `ingested_at`."""
    return (
        records.transform(_with_payload)
        .transform(_with_event)
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


def _with_payload(records: DataFrame) -> DataFrame:
    """The value as text where it is UTF-8; other bytes are kept apart, for no reader could read the column."""
    text = records.select(
        "topic",
        "partition",
        "offset",
        F.col("timestamp").alias("kafka_timestamp"),
        F.try_validate_utf8(F.col("key").cast("string")).alias("key"),
        "value",
        F.try_validate_utf8(F.col("value").cast("string")).alias("payload"),
    )
    return text.withColumn("payload_bytes", F.when(F.col("payload").isNull(), F.col("value"))).drop("value")


def _with_event(records: DataFrame) -> DataFrame:
    """Parse once, into `event`; null, as is `record_format`, when the payload is not one JSON object.

    As the first element of a list that has an end of our own: from_json takes `{"a":1} junk` for the object, and
    drops the junk.
    """
    listed = F.concat(F.lit("["), F.col("payload"), F.lit(f',{{"{_END}":true}}]'))
    parsed = records.withColumn("events", F.from_json(listed, ArrayType(EVENT_SCHEMA), STRICT_JSON))
    is_whole = (F.size("events") == 2) & F.get("events", F.lit(1))[_END]
    # An array, a number or the word null come out as an object of nulls.
    is_object = F.col("payload").startswith("{") | F.col("payload").rlike(r"\A\s*\{")
    event = F.when(is_whole & is_object, F.get("events", F.lit(0)))
    return parsed.withColumn("event", event).drop("events").withColumns(_formats(F.col("event")))


def _formats(event: Column) -> dict[str, Column]:
    is_dummy = event["transaction_id"].isNotNull() & event["transactionReference"].isNull()
    return {
        "is_dummy": event.isNotNull() & is_dummy,
        "is_gsma": event.isNotNull() & ~is_dummy,
        "record_format": F.when(event.isNotNull(), F.when(is_dummy, "dummy").otherwise("gsma")),
    }


def _with_parties(records: DataFrame) -> DataFrame:
    """Key and value of each party's first identifier, numbers as digits; null when there is none."""
    fields = {"debit": ("debitParty", "sender_phone_number"), "credit": ("creditParty", "receiver_phone_number")}
    first = {side: F.get(F.col(f"event.{gsma}"), F.lit(0)) for side, (gsma, _) in fields.items()}
    keys = {f"{side}_key": _is_dummy_then(F.lit("msisdn"), first[side]["key"]) for side in fields}
    values = {
        f"{side}_value": _is_dummy_then(F.col(f"event.{number}"), first[side]["value"])
        for side, (_, number) in fields.items()
    }
    is_phone = {f"{side}_is_phone": F.col(f"{side}_key") == "msisdn" for side in fields}
    digits = {f"{side}_value": _digits_of_phone(side) for side in fields}
    return records.withColumns(keys | values).withColumns(is_phone).withColumns(digits)


def _digits_of_phone(side: str) -> Column:
    value = F.col(f"{side}_value")
    return F.when(F.col(f"{side}_is_phone"), _digits(value)).otherwise(value)


def _digits(number: Column) -> Column:
    """A number as GSMA allows it, `+256 777 123456`, as digits."""
    without_blanks = F.replace(number, F.lit(" "), F.lit(""))
    return F.when(without_blanks.startswith("+"), F.substring(without_blanks, 2, 256)).otherwise(without_blanks)


def _typed(records: DataFrame, dummy: DummySettings, future_tolerance: str) -> DataFrame:
    """Both formats as one set of columns."""
    latest_event_time = F.col("kafka_timestamp") + F.expr(f"interval {future_tolerance}")
    return (
        records.withColumns(_event_time_text())
        .withColumns(_transaction_columns(dummy))
        .withColumns({"agent_id": _agent_id(), "latest_event_time": latest_event_time})
    )


def _transaction_columns(dummy: DummySettings) -> dict[str, Column]:
    currency = _is_dummy_then(F.lit(dummy.currency), F.col("event.currency"))
    return {
        "transaction_reference": _is_dummy_then(F.col("event.transaction_id"), F.col("event.transactionReference")),
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
        "channel": F.coalesce(_channel(), F.lit("unknown")),
        "event_time": _is_dummy_then(_local_time(dummy.time_zone), _instant(F.col("event_time_text"))),
        "assumed": _is_dummy_then(F.array(*map(F.lit, ASSUMED)), F.array().cast("array<string>")),
    }


def _is_dummy_then(dummy: Column, gsma: Column) -> Column:
    return F.when(F.col("is_gsma"), gsma).when(F.col("is_dummy"), dummy)


def _gsma_amount() -> Column:
    """Null unless the field is a JSON text of the GSMA pattern."""
    amount = F.col("event.amount")
    fits = amount.rlike(rules.AMOUNT_PATTERN) & _is_written('"amount":', F.concat(F.lit('"'), amount, F.lit('"')))
    return F.when(fits, amount.try_cast(MONEY))


def _dummy_amount() -> Column:
    """Null unless the field is a JSON number of the GSMA form, which rules out signs, exponents and long fractions."""
    amount = F.col("event.transaction_amount")
    fits = amount.rlike(rules.AMOUNT_PATTERN) & _is_written('"transaction_amount":', amount)
    return F.when(fits, amount.try_cast(MONEY))


def _is_written(name: str, value: Column) -> Column:
    """Whether the payload has this field with this value, for from_json makes no difference of 5 and "5".

    The value is digits, a point and quotes at the most.
    """
    spelt = F.concat(F.lit(name), value)
    pattern = F.concat(F.lit(name.replace(":", r"\s*:\s*")), value, F.lit(r"\s*[,}]"))
    return F.col("payload").contains(F.concat(spelt, F.lit(","))) | F.rlike("payload", pattern)


def _party(side: str) -> Column:
    """`key:value` of the party, null when either is missing."""
    key, value = F.col(f"{side}_key"), F.col(f"{side}_value")
    return F.when((key != "") & (value != ""), F.concat(key, F.lit(":"), value))


def _channel() -> Column:
    """The channel in `metadata`, as GSMA's list of key and value or as the plain object some providers send."""
    metadata = F.col("event.metadata")
    first = F.get(metadata, F.lit(0))
    in_list = F.get(F.filter(metadata, lambda one: one["key"] == "channel"), F.lit(0))["value"]
    # An object is null as a list.
    in_object = F.when(F.col("payload").contains('"metadata"'), F.get_json_object("payload", "$.metadata.channel"))
    found = F.when(first["key"] == "channel", first["value"]).when(metadata.isNotNull(), in_list).otherwise(in_object)
    return F.when((found != "") & (F.length(found) <= 64), F.lower(found))


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

    def amount_of(fee: Column) -> Column:
        is_amount = fee["feeAmount"].rlike(rules.AMOUNT_PATTERN) & fee["feeCurrency"].isNotNull()
        amount = F.when(is_amount, fee["feeAmount"].try_cast(MONEY_SUM))
        return F.when(amount.isNotNull() & (fee["feeCurrency"] != currency), zero).otherwise(amount)

    total = F.aggregate(fees, zero, lambda total, fee: (total + amount_of(fee)).cast(MONEY_SUM))
    # Fees that are not a list of objects are parsed as null: only a record that says nothing of fees has none.
    says_fees = F.col("payload").contains('"fees"') & F.get_json_object("payload", "$.fees").isNotNull()
    return (
        F.when(fees.isNull() & ~says_fees, F.lit(0).cast(MONEY))
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
