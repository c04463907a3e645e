"""Read a record's text: once, as JSON and nothing else, and as it is written.

from_json is quick and lenient: it drops what comes behind an object, goes on behind a field that is no JSON, takes
numbers for texts and rounds them. What it does not tell is looked at in the payload, by a plain comparison before a
regular expression is asked.
"""

import secrets

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, StringType, StructField, StructType

_TEXT = StringType()
# What is put around the record, to see that the parser came to its end: a list that holds the record and an end of our
# own. Nobody can know the names beforehand, or a record could bring an end of its own.
_LIST, _END = (f"{name}_{secrets.token_hex(8)}" for name in ("list", "end"))
# Where from_json tells that it could not read something: a field of another type than ours, or text that is no JSON.
_UNREAD = "unread"
# What from_json makes of a number such as 1E400 where we read a text.
_TOO_LARGE = ('"Infinity"', '"-Infinity"')
# Half of a surrogate pair in JSON's spelling: no text can hold it, and Java writes ? in its place.
_HALF_A_CHARACTER = r"(?i)\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]"


# A letter or _ in JSON's spelling, which no encoder writes: a field may hide behind it.
_SPELT_LETTER = r"\\u00([46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff])"


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

_WRAPPED_SCHEMA = StructType([StructField(_LIST, ArrayType(EVENT_SCHEMA)), StructField(_UNREAD, _TEXT)])

# Spark takes 'single quotes' and NaN for JSON; the producer's check and everybody else's parser do not.
STRICT_JSON = {
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
    "columnNameOfCorruptRecord": _UNREAD,
}


def with_payload(records: DataFrame) -> DataFrame:
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


def with_event(records: DataFrame) -> DataFrame:
    """Parse once, into `event`; null, as is `record_format`, when the payload is not one JSON object.

    As the first element of a list that has an end of our own: from_json takes `{"a":1} junk` for the object, and
    drops the junk. It also goes on behind a field that is no JSON: then another parser has the last word.
    """
    wrapped = F.concat(F.lit(f'{{"{_LIST}":['), F.col("payload"), F.lit(f',{{"{_END}":true}}]}}'))
    parsed = records.withColumn("read", F.from_json(wrapped, _WRAPPED_SCHEMA, STRICT_JSON)).withColumn(
        "events", F.col(f"read.{_LIST}")
    )
    is_json = F.col(f"read.{_UNREAD}").isNull() | F.json_object_keys("payload").isNotNull()
    is_whole = (F.size("events") == 2) & F.get("events", F.lit(1))[_END] & is_json
    # An array, a number or the word null come out as an object of nulls.
    is_object = F.col("payload").startswith("{") | F.col("payload").rlike(r"\A\s*\{")
    event = F.when(is_whole & is_object, F.get("events", F.lit(0)))
    return parsed.withColumn("event", event).drop("read", "events").withColumns(_formats(F.col("event")))


def _formats(event: Column) -> dict[str, Column]:
    is_dummy = event["transaction_id"].isNotNull() & event["transactionReference"].isNull()
    return {
        "is_dummy": event.isNotNull() & is_dummy,
        "is_gsma": event.isNotNull() & ~is_dummy,
        "record_format": F.when(event.isNotNull(), F.when(is_dummy, "dummy").otherwise("gsma")),
    }


def exact(text: Column) -> Column:
    """Null where from_json lost a character to a ?, or a number to rounding: two texts would become one."""
    payload = F.col("payload")
    is_garbled = text.contains("?") & payload.rlike(_HALF_A_CHARACTER)
    is_number = text.contains(".") & text.rlike(r"\A-?\d+\.\d+(E-?\d+)?\z")
    is_rounded = is_number & ~payload.contains(F.concat(F.lit('"'), text, F.lit('"')))
    is_minus_zero = (text == "0") & payload.rlike(r":\s*-0\s*[,}\]]")
    return F.when(~(is_garbled | is_rounded | is_minus_zero | text.isin(*_TOO_LARGE)), text)


def reference(name: str) -> Column:
    """Null unless the field is a JSON text; where it is there twice, from_json's text must be one of them."""
    payload, text = F.col("payload"), F.col(f"event.{name}")
    is_as_written = [payload.contains(F.concat(F.lit(f'"{name}"{colon}"'), text, F.lit('"'))) for colon in (":", ": ")]
    is_found = is_as_written[0] | is_as_written[1]
    is_text = F.when(is_once(name), is_found | payload.rlike(rf'"{name}"\s*:\s*"')).otherwise(
        is_found & is_own_text(name)
    )
    return F.when(is_text, exact(text))


def is_once(name: str) -> Column:
    """Whether no field or text but one can be of this name: then what a look for it finds is the record's own."""
    payload, quoted = F.col("payload"), F.lit(f'"{name}"')
    behind = F.position(quoted, payload) + len(name)
    return (F.position(quoted, payload, behind) == 0) & ~has_spelt_letters()


def is_own_text(name: str) -> Column:
    """Whether the record's own field, or the first one of this name, is a JSON text, whatever stands deeper in it.

    Slow, and null where JSON's functions give up. Of a list get_json_object gives texts with their quotes.
    """
    as_list = F.concat(F.lit("["), F.col("payload"), F.lit("]"))
    return F.get_json_object(as_list, f"$[*].{name}").startswith('"')


def has_spelt_letters() -> Column:
    """Whether a name may stand in the payload that a look for it does not find."""
    return F.col("payload").contains(r"\u00") & F.col("payload").rlike(_SPELT_LETTER)


def has_half_a_character() -> Column:
    """Whether JSON's functions give up on the payload."""
    return F.col("payload").rlike(_HALF_A_CHARACTER)


def is_written(name: str, value: Column) -> Column:
    """Whether the payload has this field with this value, for from_json makes no difference of 5 and "5".

    The value is digits, a point and quotes at the most.
    """
    spelt = F.concat(F.lit(name), value)
    pattern = F.concat(F.lit(name.replace(":", r"\s*:\s*")), value, F.lit(r"\s*[,}]"))
    return F.col("payload").contains(F.concat(spelt, F.lit(","))) | F.rlike("payload", pattern)
