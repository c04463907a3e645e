"""Bronze: every Kafka record as it came, with its typed columns and the rules it breaks. Nothing is refused.

Written for speed where it does not cost clarity: what is used more than once gets a column of its own, and what most
records look like is tried by a plain comparison before a regular expression or a lambda is asked (docs/performance.md).
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DecimalType, StringType, StructField, StructType

from jobs import rules
from jobs.settings import DummySettings
from schemas.tables import BRONZE, MONEY, MONEY_SUM

_TEXT = StringType()


def _struct(*names: str) -> StructType:
    return StructType([StructField(name, _TEXT) for name in names])


_KEYS_AND_VALUES = ArrayType(_struct("key", "value"))

# What is read of a record. Amounts stay text until the GSMA pattern has passed them, for from_json rounds
# decimals quietly.
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
        .transform(_with_parties)
        .transform(_typed, dummy, future_tolerance)
        .transform(rules.with_broken_rules)
        .select([name for name in BRONZE.column_names if name != "ingested_at"])
    )


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

    In brackets, for from_json takes `{"a":1} junk` as the object and drops the junk.
    """
    in_brackets = F.concat(F.lit("["), F.col("payload"), F.lit("]"))
    parsed = records.withColumn("events", F.from_json(in_brackets, ArrayType(EVENT_SCHEMA), STRICT_JSON))
    # An array in brackets, a number or a truncated object come out as null or as an object of nulls.
    is_object = F.col("payload").startswith("{") | F.col("payload").rlike(r"\A\s*\{")
    event = F.when((F.size("events") == 1) & is_object, F.get("events", F.lit(0)))
    return parsed.withColumn("event", event).withColumn("record_format", _format(F.col("event"))).drop("events")


def _format(event: Column) -> Column:
    is_dummy = event["transaction_id"].isNotNull() & event["transactionReference"].isNull()
    return F.when(is_dummy, "dummy").when(event.isNotNull(), "gsma")


def _with_parties(records: DataFrame) -> DataFrame:
    """Key and value of each party's first identifier, numbers as digits; null when there is none."""
    fields = {"debit": ("debitParty", "sender_phone_number"), "credit": ("creditParty", "receiver_phone_number")}
    first = {side: F.get(F.col(f"event.{gsma}"), F.lit(0)) for side, (gsma, _) in fields.items()}
    keys = {f"{side}_key": _is_dummy_then(F.lit("msisdn"), first[side]["key"]) for side in fields}
    values = {
        f"{side}_value": _is_dummy_then(F.col(f"event.{number}"), first[side]["value"])
        for side, (_, number) in fields.items()
    }
    digits = {
        f"{side}_value": F.when(F.col(f"{side}_key") == "msisdn", _digits(F.col(f"{side}_value"))).otherwise(
            F.col(f"{side}_value")
        )
        for side in fields
    }
    return records.withColumns(keys | values).withColumns(digits)


def _digits(number: Column) -> Column:
    """A number as GSMA allows it, `+256 777 123456`, as digits."""
    without_blanks = F.replace(number, F.lit(" "), F.lit(""))
    return F.when(without_blanks.startswith("+"), F.substring(without_blanks, 2, 256)).otherwise(without_blanks)


def _typed(records: DataFrame, dummy: DummySettings, future_tolerance: str) -> DataFrame:
    """Both formats as one set of columns."""
    return (
        records.withColumns(_event_time_text())
        .withColumns(_transaction_columns(dummy))
        .withColumns(
            {
                "fee_amount": _fee_amount(),
                "agent_id": _agent_id(),
                "latest_event_time": F.col("kafka_timestamp") + F.expr(f"interval {future_tolerance}"),
            }
        )
    )


def _transaction_columns(dummy: DummySettings) -> dict[str, Column]:
    return {
        "transaction_reference": _is_dummy_then(F.col("event.transaction_id"), F.col("event.transactionReference")),
        "original_transaction_reference": F.col("event.originalTransactionReference"),
        "status": F.lower(_is_dummy_then(F.lit(dummy.status), F.col("event.transactionStatus"))),
        "transaction_type": _is_dummy_then(F.lit(dummy.type), F.col("event.type")),
        "sub_type": F.col("event.subType"),
        "amount": _is_dummy_then(_dummy_amount(), _gsma_amount()),
        "currency": _is_dummy_then(F.lit(dummy.currency), F.col("event.currency")),
        "debit_party": _party("debit"),
        "credit_party": _party("credit"),
        "debit_msisdn": F.when(F.col("debit_key") == "msisdn", F.col("debit_value")),
        "credit_msisdn": F.when(F.col("credit_key") == "msisdn", F.col("credit_value")),
        "channel": F.coalesce(_channel(), F.lit("unknown")),
        "event_time": _is_dummy_then(_local_time(dummy.time_zone), _instant(F.col("event_time_text"))),
        "assumed": _is_dummy_then(F.array(*map(F.lit, ASSUMED)), F.array().cast("array<string>")),
    }


def _is_dummy_then(dummy: Column, gsma: Column) -> Column:
    return F.when(F.col("record_format") == "dummy", dummy).when(F.col("record_format") == "gsma", gsma)


def _gsma_amount() -> Column:
    """Null unless the field is a JSON text of the GSMA pattern: a JSON number has lost digits before we see it."""
    is_text = _payload_has('"amount":"', r'"amount"\s*:\s*"')
    fits = F.col("event.amount").rlike(rules.AMOUNT_PATTERN)
    return F.when(is_text & fits, F.col("event.amount").try_cast(MONEY))


def _payload_has(as_most_write_it: str, pattern: str) -> Column:
    return F.col("payload").contains(as_most_write_it) | F.col("payload").rlike(pattern)


def _dummy_amount() -> Column:
    """Null unless the field is a JSON number of the GSMA form, which rules out signs, exponents and long fractions."""
    form = rules.AMOUNT_PATTERN.removeprefix(r"\A").removesuffix(r"\z")
    is_plain_number = F.col("payload").rlike(rf'"transaction_amount"\s*:\s*{form}\s*[,}}]')
    return F.when(is_plain_number, F.col("event.transaction_amount").try_cast(MONEY))


def _party(side: str) -> Column:
    """`key:value` of the party, null when either is missing."""
    key, value = F.col(f"{side}_key"), F.col(f"{side}_value")
    return F.when((key != "") & (value != ""), F.concat(key, F.lit(":"), value))


def _channel() -> Column:
    """The channel in `metadata`, as GSMA's list of key and value or as the plain object some providers send."""
    metadata = F.col("event.metadata")
    first = F.get(metadata, F.lit(0))
    in_list = F.get(F.filter(metadata, lambda one: one["key"] == "channel"), F.lit(0))["value"]
    in_object = F.regexp_extract("payload", r'"metadata"\s*:\s*\{[^{}]*?"channel"\s*:\s*"([^"\\]{1,64})"', 1)
    # A metadata object is null as a list.
    found = (
        F.when(first["key"] == "channel", first["value"])
        .when(metadata.isNotNull(), in_list)
        .when(F.col("payload").contains('"metadata"'), in_object)
    )
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


def _fee_amount() -> Column:
    """Sum of the fees in the transaction's currency; 0 when none is stated, null when one is not an amount."""
    fees = F.col("event.fees")
    zero = F.lit(0).cast(MONEY_SUM)

    def amount_of(fee: Column) -> Column:
        is_amount = fee["feeAmount"].rlike(rules.AMOUNT_PATTERN) & fee["feeCurrency"].isNotNull()
        amount = F.when(is_amount, fee["feeAmount"].try_cast(MONEY_SUM))
        return F.when(amount.isNotNull() & (fee["feeCurrency"] != F.col("currency")), zero).otherwise(amount)

    total = F.aggregate(fees, zero, lambda total, fee: (total + amount_of(fee)).cast(MONEY_SUM))
    # Fees that are not a list of objects are parsed as null: only a record that says nothing of fees has none.
    says_fees = F.col("payload").contains('"fees"') & F.col("payload").rlike(r'"fees"\s*:\s*[^n\s]')
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
    return F.when(F.col(f"{side}_key") != "msisdn", F.col(f"{side}_value"))
