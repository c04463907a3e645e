"""The row rules: what a record must be to reach silver. Names are what quarantine shows.

Strict about money, keys and time; lenient about the rest: an unknown status, sub-type or prefix passes,
for refusing real money is worse than labelling it. A rule that cannot be answered (null) counts as broken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# GSMA Mobile Money API v1.2, type Amount. \z, for Java's $ would let a trailing line feed pass.
AMOUNT_PATTERN = r"\A(0|([1-9][0-9]{0,17}))([.][0-9]{0,3}[0-9])?\z"
MSISDN_PATTERN = r"\A[0-9]{6,15}\z"
TYPES = (
    "adjustment", "billpay", "deposit", "disbursement", "inttransfer", "merchantpay", "reversal", "transfer",
    "withdrawal",
)  # fmt: skip
# Of them, those from wallet to wallet.
TRANSFERS = ("transfer", "inttransfer")

# GSMA Mobile Money API, the error codes of an ErrorObject; these alone say why a transaction failed.
FAILURE_REASONS = (
    "genericError", "dailyVolumeLimitExceeded", "dailyValueLimitExceeded", "weeklyVolumeLimitExceeded",
    "weeklyValueLimitExceeded", "monthlyVolumeLimitExceeded", "monthlyValueLimitExceeded",
    "accountMaxTotalVolumeExceeded", "accountMaxTotalValueExceeded", "lessThanTransactionMinValue",
    "greaterThanTransactionMaxValue", "maxBalanceExceeded", "samePartiesError", "duplicateRequest",
    "insufficientFunds", "incorrectState", "underPaymentNotAllowed", "overPaymentNotAllowed", "rateLimitError",
    "transactionTypeError", "noMandateAuthority", "linkViolation", "countryofOriginNotPermitted",
    "nationalityNotPermitted", "idDocumentNotSupported", "issuingCountryNotSupported", "quoteHasExpired",
    "identifierError", "lengthError", "formatError", "negativeValue", "currencyNotSupported",
    "mandatoryValueNotSupplied", "invalidOffset", "clientAuthorisationError", "requestDeclined",
    "servicingPartyAuthorisationError", "requestingPartyAuthorisationError",
)  # fmt: skip

# ISO 4217 minor units where they are not 2.
NO_MINOR_UNIT = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
)  # fmt: skip
THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")

# Raise it with every change of a rule, and when the parser of bronze learns to read more: a retry of quarantine looks
# again at what the rules of other versions refused. A test knows the rules of each version by their fingerprint.
RULES_VERSION = 2

CURRENCY_PATTERN = r"\A[A-Z]{3}\z"

# Nobody paid by phone before; readers in other languages know no year 0, and Kafka Streams nothing before 1970.
FIRST_EVENT_TIME = datetime(1970, 1, 1, tzinfo=UTC)

# The GSMA limit of references and party values.
LONGEST_TEXT = 256


@dataclass(frozen=True)
class Rule:
    """A rule: its name and the condition that breaks it, over the columns `bronze.typed` gives."""

    name: str
    violated: Callable[[], Column]


def _missing(name: str) -> Column:
    value = F.col(name)
    return value.isNull() | (F.length(value) == 0) | (F.length(value) > LONGEST_TEXT)


def _too_many_decimals() -> Column:
    amount, currency = F.col("amount"), F.col("currency")
    minor_units = (
        F.when(currency.isin(*NO_MINOR_UNIT), F.round(amount, 0))
        .when(currency.isin(*THREE_DECIMALS), F.round(amount, 3))
        .otherwise(F.round(amount, 2))
    )
    return amount.isNotNull() & currency.isNotNull() & (amount != minor_units)


def _bad_msisdn() -> Column:
    """Only a party that calls itself a phone number must be one."""
    bad_debit = F.col("debit_msisdn").isNotNull() & ~F.col("debit_msisdn").rlike(MSISDN_PATTERN)
    bad_credit = F.col("credit_msisdn").isNotNull() & ~F.col("credit_msisdn").rlike(MSISDN_PATTERN)
    return bad_debit | bad_credit


def _same_parties() -> Column:
    both_known = F.col("debit_party").isNotNull() & F.col("credit_party").isNotNull()
    return both_known & (F.col("debit_party") == F.col("credit_party"))


def _future_event_time() -> Column:
    return F.col("event_time").isNotNull() & (F.col("event_time") > F.col("latest_event_time"))


def _reversal_without_original() -> Column:
    is_reversal = F.col("transaction_type").eqNullSafe("reversal")
    return is_reversal & _missing("original_transaction_reference")


# A record that is not one JSON object breaks one of these and is looked at no further.
STRUCTURE_RULES = (
    Rule("null_value", lambda: F.col("payload").isNull() & F.col("payload_bytes").isNull()),
    Rule("bad_utf8", lambda: F.col("payload_bytes").isNotNull()),
    Rule("not_one_json_object", lambda: F.col("payload").isNotNull() & F.col("record_format").isNull()),
)

TRANSACTION_RULES = (
    Rule("missing_reference", lambda: _missing("transaction_reference")),
    Rule("missing_status", lambda: _missing("status")),
    Rule("unknown_type", lambda: ~F.col("transaction_type").isin(*TYPES)),
    Rule("bad_amount", lambda: F.col("amount").isNull()),
    Rule("zero_amount", lambda: F.col("amount").eqNullSafe(0)),
    Rule("too_many_decimals", _too_many_decimals),
    Rule("bad_currency", lambda: ~F.col("currency").rlike(CURRENCY_PATTERN)),
    Rule("bad_fee", lambda: F.col("fee_amount").isNull()),
    Rule("missing_debit_party", lambda: _missing("debit_party")),
    Rule("missing_credit_party", lambda: _missing("credit_party")),
    Rule("bad_msisdn", _bad_msisdn),
    Rule("same_parties", _same_parties),
    Rule("bad_event_time", lambda: F.col("event_time").isNull() | (F.col("event_time") < F.lit(FIRST_EVENT_TIME))),
    Rule("future_event_time", _future_event_time),
    Rule("reversal_without_original", _reversal_without_original),
)


def with_broken_rules(events: DataFrame) -> DataFrame:
    """Add `broken_rules`: the names of the rules a row breaks, in the order above; empty, never null, when none."""
    structure = _names(STRUCTURE_RULES)
    broken = F.when(structure != "", structure).otherwise(_names(TRANSACTION_RULES))
    no_rules = F.array().cast("array<string>")
    return events.withColumn("broken_rules", broken).withColumn(
        "broken_rules", F.when(F.col("broken_rules") == "", no_rules).otherwise(F.split("broken_rules", ","))
    )


def _names(rules: tuple[Rule, ...]) -> Column:
    """Names of the broken ones, comma-separated: joining text costs half of filtering an array with a lambda."""
    return F.concat_ws(",", *(F.when(F.coalesce(rule.violated(), F.lit(True)), rule.name) for rule in rules))


def accepted() -> Column:
    """True for a row that breaks no rule; null counts as broken."""
    return F.coalesce(F.size("broken_rules") == 0, F.lit(False))
