"""What a record notes in `metadata` beside GSMA's own fields: channel, failure reason, balances."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs import rules
from jobs.parsing import has_spelt_letters
from schemas.tables import MONEY

# The balances of both parties, before and after the transaction, as `metadata` and the tables name them.
BALANCES = tuple(f"{side}_balance_{when}" for side in ("debit", "credit") for when in ("before", "after"))
# An amount of GSMA, or less than nothing: what is overdrawn should be seen, not be lost.
_BALANCE_PATTERN = rules.AMOUNT_PATTERN.replace(r"\A", r"\A-?", 1)


def channel() -> Column:
    """How the customer asked for it, in lower case; null when that is not stated."""
    found = _noted("channel")
    return F.when((found != "") & (F.length(found) <= 64), F.lower(found))


def failure_reason() -> Column:
    """Of GSMA's codes alone: what else a provider says may be a name or a number, and stays in the payload."""
    is_noted = F.col("payload").contains("failure_reason") | has_spelt_letters()
    reason = F.when(is_noted, _noted("failure_reason"))
    return F.when(reason.isin(*rules.FAILURE_REASONS), reason).when(reason.isNotNull(), "unknown")


def balances() -> Column:
    """A struct of `BALANCES`, null where none is stated: one look at the payload for all four."""
    is_noted = F.col("payload").contains("_balance_") | has_spelt_letters()
    return F.when(is_noted, F.struct(*(_balance(name).alias(name) for name in BALANCES)))


def _balance(name: str) -> Column:
    """Null unless it is a JSON text that the payload has as it stands: from_json rounds numbers quietly."""
    text = _noted(name)
    is_as_written = F.col("payload").contains(F.concat(F.lit('"'), text, F.lit('"')))
    return F.when(text.rlike(_BALANCE_PATTERN) & is_as_written, text.try_cast(MONEY))


def _noted(key: str) -> Column:
    """What `metadata` says, GSMA's list of key and value or the plain object some providers send."""
    metadata = F.col("event.metadata")
    first = F.get(metadata, F.lit(0))
    in_list = F.get(F.filter(metadata, lambda one: one["key"] == key), F.lit(0))["value"]
    # An object is null as a list.
    in_object = F.when(F.col("payload").contains('"metadata"'), F.get_json_object("payload", f"$.metadata.{key}"))
    return F.when(first["key"] == key, first["value"]).when(metadata.isNotNull(), in_list).otherwise(in_object)
