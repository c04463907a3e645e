"""Bronze: every Kafka record as it came, with its typed columns and the rules it breaks. Nothing is refused."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DecimalType, StringType, StructField, StructType

from jobs import rules
from jobs.settings import DummySettings
from schemas.tables import BRONZE, MONEY, MONEY_SUM

_TEXT = StringType()


def _struct(*names: str) -> StructType:
    return StructType([StructField(name, _TEXT) for name in names])


_PARTY = ArrayType(_struct("key", "value"))

# What is read of a record. Amounts stay text until the GSMA pattern has passed them, for from_json rounds
# decimals quietly; `metadata` stays text, for providers send it as an array or as an object.
EVENT_SCHEMA = StructType(
    [
        *_struct(
            "transactionReference", "originalTransactionReference", "transactionStatus", "type", "subType", "amount",
            "currency", "requestDate", "creationDate", "modificationDate", "metadata",
        ),
        StructField("debitParty", _PARTY),
        StructField("creditParty", _PARTY),
        StructField("fees", ArrayType(_struct("feeAmount", "feeCurrency"))),
        *_struct("transaction_id", "sender_phone_number", "receiver_phone_number", "transaction_time"),
        # A JSON number: wide enough that only an amount the rules refuse anyway could be rounded.
        StructField("transaction_amount", DecimalType(38, 18)),
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
        .transform(_typed, dummy, future_tolerance)
        .transform(rules.with_broken_rules)
        .select([name for name in BRONZE.column_names if name != "ingested_at"])
    )


def _with_payload(records: DataFrame) -> DataFrame:
    """The value as text where it is UTF-8; other bytes are kept apart, for no reader could read the column."""
    payload = F.try_validate_utf8(F.col("value").cast("string"))
    return records.select(
        "topic",
        "partition",
        "offset",
        F.col("timestamp").alias("kafka_timestamp"),
        F.try_validate_utf8(F.col("key").cast("string")).alias("key"),
        payload.alias("payload"),
        F.when(payload.isNull(), F.col("value")).alias("payload_bytes"),
        F.col("value").isNull().alias("value_is_null"),
    )


def _with_event(records: DataFrame) -> DataFrame:
    """Parse once. In brackets, for from_json takes `{"a":1} junk` as the object and drops the junk."""
    in_brackets = F.concat(F.lit("["), F.col("payload"), F.lit("]"))
    events = F.from_json(in_brackets, ArrayType(EVENT_SCHEMA), STRICT_JSON)
    return records.withColumn("events", events).withColumns(
        {
            "event": F.get("events", F.lit(0)),
            # An array in brackets, a number or a truncated object come out as null or as an object of nulls.
            "is_one_object": F.coalesce(F.size("events") == 1, F.lit(False)) & F.col("payload").rlike(r"\A\s*\{"),
        }
    )


def _typed(records: DataFrame, dummy: DummySettings, future_tolerance: str) -> DataFrame:
    """Both formats as one set of columns."""
    is_dummy = F.col("event.transaction_id").isNotNull() & F.col("event.transactionReference").isNull()
    record_format = F.when(is_dummy, "dummy").otherwise("gsma")
    formatted = records.withColumn("record_format", F.when(F.col("is_one_object"), record_format))
    typed = formatted.select("*", *(c.alias(name) for name, c in _transaction_columns(dummy).items()))
    return typed.withColumns(
        {
            "fee_amount": _fee_amount(),
            "agent_id": _agent_id(),
            "latest_event_time": F.col("kafka_timestamp") + F.expr(f"interval {future_tolerance}"),
        }
    )


def _transaction_columns(dummy: DummySettings) -> dict[str, Column]:
    time_text, time_source = _event_time()
    return {
        "transaction_reference": _either("transaction_id", F.col("event.transactionReference")),
        "original_transaction_reference": F.col("event.originalTransactionReference"),
        "status": F.lower(_assumed(dummy.status, F.col("event.transactionStatus"))),
        "transaction_type": _assumed(dummy.type, F.col("event.type")),
        "sub_type": F.col("event.subType"),
        "amount": _is_dummy_then(_dummy_amount(), _gsma_amount()),
        "currency": _assumed(dummy.currency, F.col("event.currency")),
        "debit_party": _party("debitParty", "sender_phone_number"),
        "credit_party": _party("creditParty", "receiver_phone_number"),
        "debit_msisdn": _msisdn("debitParty", "sender_phone_number"),
        "credit_msisdn": _msisdn("creditParty", "receiver_phone_number"),
        "channel": F.coalesce(_channel(), F.lit("unknown")),
        "event_time": _is_dummy_then(_local_time(dummy.time_zone), _instant(time_text)),
        "event_time_source": _is_dummy_then(F.lit("transaction_time"), time_source),
        "assumed": _is_dummy_then(F.array(*map(F.lit, ASSUMED)), F.array().cast("array<string>")),
    }


def _is_dummy_then(dummy: Column, gsma: Column) -> Column:
    return F.when(F.col("record_format") == "dummy", dummy).when(F.col("record_format") == "gsma", gsma)


def _assumed(value: str, gsma: Column) -> Column:
    return _is_dummy_then(F.lit(value), gsma)


def _either(dummy_field: str, gsma: Column) -> Column:
    return _is_dummy_then(F.col(f"event.{dummy_field}"), gsma)


def _gsma_amount() -> Column:
    """Null unless the field is a JSON text of the GSMA pattern: a JSON number has lost digits before we see it."""
    is_text = F.col("payload").rlike(r'"amount"\s*:\s*"')
    fits = F.col("event.amount").rlike(rules.AMOUNT_PATTERN)
    return F.when(is_text & fits, F.col("event.amount").try_cast(MONEY))


def _dummy_amount() -> Column:
    """Null unless the field is a JSON number of the GSMA form, which rules out signs, exponents and long fractions."""
    form = rules.AMOUNT_PATTERN.removeprefix(r"\A").removesuffix(r"\z")
    is_plain_number = F.col("payload").rlike(rf'"transaction_amount"\s*:\s*{form}\s*[,}}]')
    return F.when(is_plain_number, F.col("event.transaction_amount").try_cast(MONEY))


def _party(gsma_field: str, dummy_field: str) -> Column:
    """`key:value` of the party's first identifier, blanks and plus taken out of phone numbers."""
    first = F.get(F.col(f"event.{gsma_field}"), F.lit(0))
    key, value = first["key"], first["value"]
    written = F.when(key == "msisdn", _digits(value)).otherwise(value)
    gsma = F.when((F.length(key) > 0) & (F.length(written) > 0), F.concat(key, F.lit(":"), written))
    return _either_party(dummy_field, gsma)


def _either_party(dummy_field: str, gsma: Column) -> Column:
    number = _digits(F.col(f"event.{dummy_field}"))
    return _is_dummy_then(F.when(F.length(number) > 0, F.concat(F.lit("msisdn:"), number)), gsma)


def _msisdn(gsma_field: str, dummy_field: str) -> Column:
    first = F.get(F.col(f"event.{gsma_field}"), F.lit(0))
    gsma = F.when(first["key"] == "msisdn", _digits(first["value"]))
    return _is_dummy_then(_digits(F.col(f"event.{dummy_field}")), gsma)


def _digits(number: Column) -> Column:
    """A number as GSMA allows it, `+256 777 123456`, as digits."""
    without_blanks = F.translate(number, " ", "")
    return F.when(without_blanks.startswith("+"), F.substring(without_blanks, 2, 256)).otherwise(without_blanks)


def _channel() -> Column:
    """The channel in `metadata`, as GSMA's list of key and value or as the plain object some providers send."""
    metadata = F.col("event.metadata")
    in_list = F.regexp_extract(metadata, r'"key"\s*:\s*"channel"\s*,\s*"value"\s*:\s*"([^"\\]{1,64})"', 1)
    in_object = F.regexp_extract(metadata, r'"channel"\s*:\s*"([^"\\]{1,64})"', 1)
    return F.lower(F.when(in_list != "", in_list).when(in_object != "", in_object))


def _event_time() -> tuple[Column, Column]:
    """The newest thing the provider says of the transaction's life, and the field that says it."""
    fields = ("modificationDate", "creationDate", "requestDate")
    text = F.coalesce(*(F.col(f"event.{field}") for field in fields))
    source = F.coalesce(*(F.when(F.col(f"event.{field}").isNotNull(), field) for field in fields))
    return text, source


def _instant(text: Column) -> Column:
    """RFC 3339 with its zone; null otherwise, for Spark would take a wall clock as UTC."""
    has_zone = text.rlike(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d{1,9})?(Z|[+-]\d\d:\d\d)\z")
    return F.when(has_zone, text.try_cast("timestamp"))


def _local_time(time_zone: str) -> Column:
    text = F.col("event.transaction_time")
    is_wall_clock = text.rlike(r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\z")
    return F.when(is_wall_clock, F.to_utc_timestamp(text.try_cast("timestamp"), time_zone))


def _fee_amount() -> Column:
    """Sum of the fees in the transaction's currency; 0 when none is stated, null when one is not an amount."""
    fees = F.col("event.fees")
    zero = F.lit(0).cast(MONEY_SUM)

    def amount_of(fee: Column) -> Column:
        is_amount = fee["feeAmount"].rlike(rules.AMOUNT_PATTERN) & fee["feeCurrency"].isNotNull()
        amount = F.when(is_amount, fee["feeAmount"].try_cast(MONEY_SUM))
        return F.when(amount.isNotNull() & (fee["feeCurrency"] != F.col("currency")), zero).otherwise(amount)

    total = F.aggregate(fees, zero, lambda total, fee: (total + amount_of(fee)).cast(MONEY_SUM)).try_cast(MONEY)
    # Fees that are not a list of objects are parsed as null: only a record that says nothing of fees has none.
    says_fees = F.col("payload").rlike(r'"fees"\s*:\s*[^n\s]')
    return F.when(fees.isNull() & ~says_fees, F.lit(0).cast(MONEY)).otherwise(total)


def _agent_id() -> Column:
    """The agent pays out e-money at a cash-in and takes it at a cash-out: the party that is not the phone."""
    return F.when(F.col("transaction_type") == "deposit", _alias("debitParty")).when(
        F.col("transaction_type") == "withdrawal", _alias("creditParty")
    )


def _alias(gsma_field: str) -> Column:
    first = F.get(F.col(f"event.{gsma_field}"), F.lit(0))
    return F.when(first["key"] != "msisdn", first["value"])
