"""The tables of the lake: grain, key, columns with their units.

All times are UTC; money is decimal(22,4), its sums decimal(32,4); shares and seconds may be double.
`TABLES` is the list that the lake creates, the checks walk and the docs print; `LEARNED` are those that `momo learn`
makes when it first writes them. A table's columns are the contract of the layer that writes it: each layer ends with a
`select` of exactly these.
"""

from dataclasses import dataclass

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

TEXT, LONG, INT, TIME, DAY, FLAG = StringType(), LongType(), IntegerType(), TimestampType(), DateType(), BooleanType()
TEXTS = ArrayType(StringType())
NUMBER = DoubleType()
# GSMA amounts have at most 18 digits before and 4 after the point.
MONEY = DecimalType(22, 4)
# A sum has room for ten billion of the largest amounts: an overflow would stop the stream.
MONEY_SUM = DecimalType(32, 4)
# Shares and seconds, never money.
RATIO = DoubleType()
MONEY_SUMS = ArrayType(MONEY_SUM)


@dataclass(frozen=True)
class Column:
    """A column: name, type, what it means (unit included)."""

    name: str
    type: DataType
    comment: str


@dataclass(frozen=True)
class Table:
    """A Delta table: its grain, its key and its columns. `ordinal` columns keep min and max for data skipping."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    ordinal: tuple[str, ...] = ()

    @property
    def schema(self) -> StructType:
        """Spark schema; every column may be null, for what must not be is a rule's or a check's business."""
        return StructType([StructField(c.name, c.type, True, {"comment": c.comment}) for c in self.columns])

    @property
    def column_names(self) -> list[str]:
        """The columns in order."""
        return [column.name for column in self.columns]


def _columns(*columns: tuple[str, DataType, str]) -> tuple[Column, ...]:
    return tuple(Column(*column) for column in columns)


COORDINATES = _columns(
    ("topic", TEXT, "Kafka topic"),
    ("partition", INT, "Kafka partition"),
    ("offset", LONG, "Kafka offset"),
    ("kafka_timestamp", TIME, "when the broker appended the record (LogAppendTime)"),
)

TRANSACTION = _columns(
    ("record_format", TEXT, "gsma or dummy; null when the payload is not one JSON object"),
    ("transaction_reference", TEXT, "the provider's unique reference"),
    ("status", TEXT, "pending, completed, failed or whatever the provider says, in lower case"),
    ("transaction_type", TEXT, "GSMA type: deposit (cash-in), withdrawal (cash-out), transfer, merchantpay, …"),
    ("sub_type", TEXT, "the provider's own sub-type"),
    ("amount", MONEY, "in major units of `currency`; null when the text is not an amount"),
    ("currency", TEXT, "ISO 4217 code"),
    ("fee_amount", MONEY, "sum of the fees in `currency`; 0 when none is stated"),
    ("debit_party", TEXT, "who pays, as key:value of the GSMA party"),
    ("credit_party", TEXT, "who is paid, as key:value of the GSMA party"),
    ("debit_msisdn", TEXT, "phone number of the payer, digits only; null when the payer is not a phone"),
    ("credit_msisdn", TEXT, "phone number of the payee, digits only; null when the payee is not a phone"),
    ("agent_id", TEXT, "the agent of a cash-in or cash-out; null for other types"),
    ("channel", TEXT, "ussd, app, agent, api, pos; unknown when not stated"),
    ("event_time", TIME, "modificationDate, else creationDate, else requestDate"),
    ("event_time_source", TEXT, "which field event_time comes from"),
    ("original_transaction_reference", TEXT, "of a reversal: what it reverses"),
    ("assumed", TEXTS, "columns that the record lacks and the settings supply"),
)

# What is read of a record since later versions: behind the other columns, where a lake of an earlier one gets it.
TRANSACTION_LATER = _columns(
    (
        "failure_reason",
        TEXT,
        "why it failed, an error code of GSMA; unknown when what the record says is none; null when it says nothing",
    ),
    ("debit_balance_before", MONEY, "what the payer's account held before, in `currency`; null when not stated"),
    ("debit_balance_after", MONEY, "what it held after; null when not stated"),
    ("credit_balance_before", MONEY, "what the payee's account held before, in `currency`; null when not stated"),
    ("credit_balance_after", MONEY, "what it held after; null when not stated"),
)

BRONZE = Table(
    name="bronze_transaction_events",
    grain="one row per Kafka record, everything the broker acknowledged",
    key=("topic", "partition", "offset"),
    columns=(
        *COORDINATES,
        *TRANSACTION,
        *_columns(
            ("broken_rules", TEXTS, "rules the record breaks; empty = fit for silver"),
            ("key", TEXT, "Kafka key as text; null when there is none or it is not UTF-8"),
            ("payload", TEXT, "the record as it came; null when it is not UTF-8"),
            ("payload_bytes", BinaryType(), "the record's bytes when they are not UTF-8"),
            ("ingested_at", TIME, "when the stream wrote the batch of the row; goes forward only"),
        ),
        *TRANSACTION_LATER,
    ),
    ordinal=("partition", "offset", "kafka_timestamp"),
)

# What silver has in place of the columns that name persons; see docs/privacy.md.
_WITHOUT_PERSONS = {
    "debit_party": Column("debit_party", TEXT, "who pays, as key:value of the GSMA party; a person's value is a token"),
    "credit_party": Column(
        "credit_party", TEXT, "who is paid, as key:value of the GSMA party; a person's value is a token"
    ),
    "debit_msisdn": Column("debit_token", TEXT, "the payer's token, of a phone number mostly; null for a business"),
    "credit_msisdn": Column("credit_token", TEXT, "the payee's token, of a phone number mostly; null for a business"),
    "agent_id": Column("agent_id", TEXT, "agent of a cash-in or cash-out, a person by its token; null for other types"),
}

SILVER = Table(
    name="silver_transactions",
    grain="one row per (transaction_reference, status): each step of a transaction's life once",
    key=("transaction_reference", "status"),
    columns=(
        *COORDINATES,
        *(_WITHOUT_PERSONS.get(column.name, column) for column in TRANSACTION),
        *_columns(
            ("debit_country", TEXT, "ISO 3166 country of the payer's number; unknown, or none when not a phone"),
            ("debit_operator", TEXT, "operator of the payer's number by prefix; unknown, or none when not a phone"),
            ("credit_country", TEXT, "ISO 3166 country of the payee's number; unknown, or none when not a phone"),
            ("credit_operator", TEXT, "operator of the payee's number by prefix; unknown, or none when not a phone"),
            ("event_date", DAY, "day of event_time"),
            ("stream_time", TIME, "newest event_time in silver before this row's batch; null in the first one"),
            ("ingested_at", TIME, "when the stream wrote the batch of the row; goes forward only"),
        ),
        *TRANSACTION_LATER,
    ),
    partitioned_by=("event_date",),
    ordinal=("partition", "offset", "kafka_timestamp", "event_time", "ingested_at"),
)

# Why the second of two rows with one key and other content is in quarantine; no row can tell it of itself.
CONFLICT_RULE = "conflicting_repeat"

QUARANTINE = Table(
    name="quarantine_events",
    grain="one row per refused Kafka record; its payload is in bronze at the same offset",
    key=("topic", "partition", "offset"),
    columns=(
        *COORDINATES,
        *_columns(
            ("transaction_reference", TEXT, "the provider's reference, where it could be read"),
            ("broken_rules", TEXTS, "why it was refused at first"),
            ("first_seen_at", TIME, "when it arrived (Kafka's append time)"),
            ("tries", INT, "how often the rules have looked at it"),
            ("state", TEXT, "open; released, to silver by a retry; closed, by a person or as a repeat"),
            ("last_broken_rules", TEXTS, "why the last retry refused it, empty when it passed; null before a retry"),
            ("rules_version", INT, "version of the rules that looked last; null when they had none yet"),
            ("last_tried_at", TIME, "when the last retry looked at it; null before a retry"),
            ("closed_reason", TEXT, "why it was closed; null when it is not"),
            ("amount", MONEY, "as it was read last, in major units of `currency`; null when that is no amount"),
            ("currency", TEXT, "ISO 4217 code as it was read last; null when that is no code"),
        ),
    ),
    ordinal=("partition", "offset"),
)

_WINDOW_STATE = _columns(
    ("is_final", FLAG, "true once the stream's time has passed the window by the allowed lateness"),
    ("revision", INT, "0 for a window as the stream closed it, +1 for each correction, by late events or a backfill"),
    ("corrected_at", TIME, "newest arrival in the window when it was last corrected after it closed; null for none"),
    ("window_date", DAY, "day of window_start"),
)

PER_MINUTE = Table(
    name="gold_transactions_per_minute",
    grain="one row per minute of event time, type, currency and channel; every silver row counts in one",
    key=("window_start", "transaction_type", "currency", "channel"),
    columns=(
        *_columns(
            ("window_start", TIME, "start of the minute"),
            ("window_end", TIME, "end of the minute, exclusive"),
            ("transaction_type", TEXT, "GSMA type"),
            ("currency", TEXT, "ISO 4217 code"),
            ("channel", TEXT, "ussd, app, agent, api, pos, unknown"),
            ("event_count", LONG, "silver rows of every status"),
            ("transaction_count", LONG, "completed transactions"),
            ("amount", MONEY_SUM, "sum of completed amounts, in `currency`"),
            ("failed_count", LONG, "failed transactions"),
            ("failed_amount", MONEY_SUM, "sum of failed amounts, in `currency`"),
            ("fee_amount", MONEY_SUM, "sum of fees of completed transactions, in `currency`"),
            ("distinct_payers", LONG, "different payers of completed transactions, by 64-bit hash"),
            ("largest_amount", MONEY, "largest completed amount, in `currency`; null when none completed"),
        ),
        *_WINDOW_STATE,
    ),
    partitioned_by=("window_date",),
    ordinal=("window_start",),
)

AGENT_5M = Table(
    name="gold_agent_activity_5m",
    grain="one row per 5 minutes of event time, agent and currency; completed cash-in and cash-out alone",
    key=("window_start", "agent_id", "currency"),
    columns=(
        *_columns(
            ("window_start", TIME, "start of the five minutes"),
            ("window_end", TIME, "end of the five minutes, exclusive"),
            ("agent_id", TEXT, "the agent's alias"),
            ("currency", TEXT, "ISO 4217 code"),
            ("cash_in_count", LONG, "completed deposits"),
            ("cash_in_amount", MONEY_SUM, "their sum, in `currency`"),
            ("cash_out_count", LONG, "completed withdrawals"),
            ("cash_out_amount", MONEY_SUM, "their sum, in `currency`"),
            ("net_float", MONEY_SUM, "change of the agent's e-money float: cash-out minus cash-in, in `currency`"),
            ("distinct_customers", LONG, "different customers served, by 64-bit hash"),
        ),
        *_WINDOW_STATE,
    ),
    partitioned_by=("window_date",),
    ordinal=("window_start",),
)

CORRIDOR_HOURLY = Table(
    name="gold_corridor_hourly",
    grain="one row per hour of event time, operator and country pair, and currency; completed transactions alone",
    key=("window_start", "debit_country", "debit_operator", "credit_country", "credit_operator", "currency"),
    columns=(
        *_columns(
            ("window_start", TIME, "start of the hour"),
            ("window_end", TIME, "end of the hour, exclusive"),
            ("debit_country", TEXT, "country of the payer; none when the payer is not a phone"),
            ("debit_operator", TEXT, "operator of the payer; none when the payer is not a phone"),
            ("credit_country", TEXT, "country of the payee; none when the payee is not a phone"),
            ("credit_operator", TEXT, "operator of the payee; none when the payee is not a phone"),
            ("currency", TEXT, "ISO 4217 code"),
            ("transaction_count", LONG, "completed transactions"),
            ("amount", MONEY_SUM, "sum of completed amounts, in `currency`"),
            ("fee_amount", MONEY_SUM, "sum of their fees, in `currency`"),
            ("largest_amount", MONEY, "largest completed amount, in `currency`"),
        ),
        *_WINDOW_STATE,
    ),
    partitioned_by=("window_date",),
    ordinal=("window_start",),
)

CUSTOMERS_DAILY = Table(
    name="gold_customers_daily",
    grain="one row per day of event time, person's token and currency; whoever paid or was paid in any status",
    key=("event_date", "customer_token", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("customer_token", TEXT, "token of the person, as in silver"),
        ("currency", TEXT, "ISO 4217 code; a person has one account in each currency"),
        ("country", TEXT, "ISO 3166 country of the person's number; unknown, or none when not a phone"),
        ("event_count", LONG, "silver rows of every status that name the person"),
        ("in_count", LONG, "completed transactions that paid the person"),
        ("in_amount", MONEY_SUM, "their sum, in `currency`"),
        ("out_count", LONG, "completed transactions that the person paid"),
        ("out_amount", MONEY_SUM, "their sum without fees, in `currency`"),
        ("transfer_count", LONG, "those of them that were transfers, at home or abroad"),
        ("largest_transfer_amount", MONEY, "the largest of these; null without any"),
        ("fee_amount", MONEY_SUM, "fees of completed transactions that the person paid, or was paid by a business"),
        ("failed_count", LONG, "failed transactions that name the person"),
        ("first_event_time", TIME, "first silver row of the day that names the person"),
        ("last_event_time", TIME, "last silver row of the day that names the person"),
    ),
    partitioned_by=("event_date",),
    # Of the first columns, the default, the tokens would be in the log, which outlives the row.
    ordinal=("first_event_time",),
)

KPIS_DAILY = Table(
    name="gold_kpis_daily",
    grain="one row per day, country and currency with an account or a transaction; GSMA's definitions",
    key=("event_date", "country", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC; trailing windows end with it"),
        (
            "country",
            TEXT,
            "country of the account; of a transaction its payer's, its payee's if a business pays",
        ),
        ("currency", TEXT, "ISO 4217 code"),
        ("registered_count", LONG, "accounts (token, currency) that silver has seen up to the day, in any status"),
        ("active_30d_count", LONG, "accounts with a completed value-moving transaction in the 30 days that end here"),
        ("active_90d_count", LONG, "the same for 90 days"),
        ("activity_rate", RATIO, "active_30d_count / registered_count, 0 to 1; null without accounts"),
        ("transaction_count", LONG, "completed transactions of the day, reversals and adjustments among them"),
        ("amount", MONEY_SUM, "their sum, in `currency`; the sum of the seven flow classes"),
        ("cash_in_amount", MONEY_SUM, "flow class cash-in: deposits"),
        ("cash_out_amount", MONEY_SUM, "flow class cash-out: withdrawals"),
        ("circulating_amount", MONEY_SUM, "flow class circulating: wallet to wallet, and merchants"),
        ("digital_in_amount", MONEY_SUM, "flow class digital in: from banks, organisations and abroad"),
        ("digital_out_amount", MONEY_SUM, "flow class digital out: to banks, billers, airtime and abroad"),
        ("float_amount", MONEY_SUM, "transfers between businesses, agents among them: none of GSMA's five classes"),
        ("contra_amount", MONEY_SUM, "reversals and adjustments: none of GSMA's five classes"),
        ("fee_amount", MONEY_SUM, "fees charged for the day's completed transactions, in `currency`"),
        ("fee_30d_amount", MONEY_SUM, "fees that these accounts paid in the 30 days that end here, in `currency`"),
        ("arpu_30d", MONEY, "fee_30d_amount / active_30d_count, in `currency`, half up; null without active accounts"),
        ("failed_count", LONG, "failed transactions of the day"),
        ("failure_rate", RATIO, "failed / (failed + completed), 0 to 1; null without either"),
        ("reversal_count", LONG, "completed reversals of the day"),
        ("reversal_rate", RATIO, "reversals / other completed transactions; null without the latter"),
        ("timed_count", LONG, "transactions decided on the day whose pending step silver has too, at most a day older"),
        ("seconds_to_final_p50", RATIO, "median of their time from pending to completed or failed; null without any"),
        ("seconds_to_final_p95", RATIO, "the 95th percentile of it, linear between neighbours"),
    ),
    partitioned_by=("event_date",),
)

REVENUE_DAILY = Table(
    name="gold_revenue_daily",
    grain="one row per day, country and operator of the customer, type, sub-type and currency; completed alone",
    key=("event_date", "country", "operator", "transaction_type", "sub_type", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("country", TEXT, "country of the payer, of the payee if a business pays"),
        ("operator", TEXT, "operator of the same side"),
        ("transaction_type", TEXT, "GSMA type"),
        ("sub_type", TEXT, "the provider's own sub-type; none when not stated"),
        ("currency", TEXT, "ISO 4217 code"),
        ("transaction_count", LONG, "completed transactions"),
        ("amount", MONEY_SUM, "their sum, in `currency`"),
        ("fee_amount", MONEY_SUM, "fees that were charged, in `currency`"),
        ("tariff_count", LONG, "transactions for which conf/reference/tariffs.csv has a band"),
        ("expected_fee_amount", MONEY_SUM, "fees by that tariff, of these alone"),
        ("fee_difference", MONEY_SUM, "charged minus expected, of these alone; more than zero is overcharged"),
        ("mischarged_count", LONG, "of these, how many were charged another fee"),
        ("fee_tax_amount", MONEY_SUM, "tax on the fees that were charged, by conf/reference/taxes.csv"),
        ("value_tax_amount", MONEY_SUM, "levies on the amounts, by the same; paid by the customer, no part of revenue"),
        ("commission_count", LONG, "transactions for which conf/reference/commissions.csv has a band"),
        ("commission_amount", MONEY_SUM, "agents' commission of these alone, in `currency`"),
        ("net_revenue", MONEY_SUM, "fee_amount - fee_tax_amount - commission_amount"),
    ),
    partitioned_by=("event_date",),
)

AGENTS_DAILY = Table(
    name="gold_agents_daily",
    grain="one row per day, agent and currency; completed cash-in and cash-out alone",
    key=("event_date", "agent_id", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("agent_id", TEXT, "the agent's alias"),
        ("currency", TEXT, "ISO 4217 code"),
        ("cash_in_count", LONG, "completed deposits"),
        ("cash_in_amount", MONEY_SUM, "their sum, in `currency`"),
        ("cash_out_count", LONG, "completed withdrawals"),
        ("cash_out_amount", MONEY_SUM, "their sum, in `currency`"),
        ("net_float", MONEY_SUM, "change of the agent's e-money float: cash-out minus cash-in, in `currency`"),
        ("distinct_customers", LONG, "different customers served, exact"),
        ("commission_count", LONG, "transactions for which conf/reference/commissions.csv has a band"),
        ("commission_amount", MONEY_SUM, "commission of these alone, in `currency`"),
        ("split_score", RATIO, "share of cash-ins by customers who came more than once, 0 to 1; null without cash-in"),
        ("split_gain", MONEY_SUM, "what their cash-ins earned beyond the commission of one cash-in of the sum"),
    ),
    partitioned_by=("event_date",),
)

MERCHANTS_DAILY = Table(
    name="gold_merchants_daily",
    grain="one row per day, merchant or biller and currency",
    key=("event_date", "merchant_id", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("merchant_id", TEXT, "alias of the business that is paid by merchantpay or billpay; a person's is left out"),
        ("currency", TEXT, "ISO 4217 code"),
        ("transaction_count", LONG, "completed payments"),
        ("amount", MONEY_SUM, "their sum, in `currency`"),
        ("fee_amount", MONEY_SUM, "their fees, in `currency`"),
        ("failed_count", LONG, "failed payments"),
        ("distinct_payers", LONG, "different payers of completed payments, exact"),
        ("largest_amount", MONEY, "largest completed payment, in `currency`; null when none completed"),
    ),
    partitioned_by=("event_date",),
)

CORRIDORS_DAILY = Table(
    name="gold_corridors_daily",
    grain="one row per day, operator and country pair, and currency; completed transactions alone",
    key=("event_date", "debit_country", "debit_operator", "credit_country", "credit_operator", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("debit_country", TEXT, "country of the payer; none when the payer is not a phone"),
        ("debit_operator", TEXT, "operator of the payer; none when the payer is not a phone"),
        ("credit_country", TEXT, "country of the payee; none when the payee is not a phone"),
        ("credit_operator", TEXT, "operator of the payee; none when the payee is not a phone"),
        ("currency", TEXT, "ISO 4217 code"),
        ("transaction_count", LONG, "completed transactions"),
        ("amount", MONEY_SUM, "their sum, in `currency`"),
        ("fee_amount", MONEY_SUM, "their fees, in `currency`"),
        ("distinct_payers", LONG, "different payers, exact"),
        ("largest_amount", MONEY, "largest amount, in `currency`"),
    ),
    partitioned_by=("event_date",),
)

FAILURES_DAILY = Table(
    name="gold_failures_daily",
    grain="one row per day, country and operator of the customer, type, currency and reason; failed transactions alone",
    key=("event_date", "country", "operator", "transaction_type", "currency", "failure_reason"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("country", TEXT, "country of the payer, of the payee if a business pays"),
        ("operator", TEXT, "operator of the same side"),
        ("transaction_type", TEXT, "GSMA type"),
        ("currency", TEXT, "ISO 4217 code"),
        ("failure_reason", TEXT, "an error code of GSMA; unknown when what was said is none; not stated"),
        ("failed_count", LONG, "failed transactions"),
        ("failed_amount", MONEY_SUM, "sum of what was to be paid, in `currency`"),
        ("distinct_payers", LONG, "different payers, exact"),
    ),
    partitioned_by=("event_date",),
)

PAIRS_DAILY = Table(
    name="gold_pairs_daily",
    grain="one row per day, payer, payee and currency; completed transfers between two persons",
    key=("event_date", "payer_token", "payee_token", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("payer_token", TEXT, "token of the person who paid, as in silver"),
        ("payee_token", TEXT, "token of the person who was paid"),
        ("currency", TEXT, "ISO 4217 code"),
        ("transfer_count", LONG, "completed transfers, at home or abroad"),
        ("amount", MONEY_SUM, "their sum without fees, in `currency`"),
        ("first_event_time", TIME, "the first of them"),
        ("last_event_time", TIME, "the last of them"),
    ),
    partitioned_by=("event_date",),
    # As with customers: tokens stay out of the log.
    ordinal=("first_event_time",),
)

BALANCES_DAILY = Table(
    name="gold_balances_daily",
    grain="one row per day, account and currency of which a completed transaction states a balance",
    key=("event_date", "account", "currency"),
    columns=_columns(
        ("event_date", DAY, "day of event_time, UTC"),
        ("account", TEXT, "a person's token, or a business's alias"),
        ("currency", TEXT, "ISO 4217 code"),
        ("transaction_count", LONG, "completed transactions of the account from the first to the last that states it"),
        ("stated_count", LONG, "of these, how many state the account's balance before or after"),
        ("opening_balance", MONEY_SUM, "before the first that states it, in `currency`"),
        ("credit_amount", MONEY_SUM, "what came in by these transactions, in `currency`"),
        ("debit_amount", MONEY_SUM, "what went out, fees of the account's own with it"),
        ("closing_balance", MONEY_SUM, "after the last that states it"),
        ("difference_amount", MONEY_SUM, "closing - (opening + credit - debit); not 0: money moved without a record"),
        ("mismatch_count", LONG, "transactions whose own balances before and after do not differ by what they moved"),
        ("negative_count", LONG, "transactions that state a balance below 0"),
        ("over_limit_count", LONG, "transactions after which a person holds more than limits.csv allows anybody"),
    ),
    partitioned_by=("event_date",),
    # As with customers: tokens stay out of the log.
    ordinal=("transaction_count",),
)

TRUST_DAILY = Table(
    name="gold_trust_daily",
    grain="one row per day and currency of which balances or a bank's statement are known",
    key=("event_date", "currency"),
    columns=_columns(
        ("event_date", DAY, "day whose end, UTC, is looked at"),
        ("currency", TEXT, "ISO 4217 code"),
        ("account_count", LONG, "accounts that completed transactions have moved, up to the day"),
        ("stated_count", LONG, "of these, how many had their balance stated at least once"),
        ("outstanding_amount", MONEY_SUM, "what these hold: their last stated balance and what moved since"),
        ("trust_amount", MONEY_SUM, "what banks hold in trust, by trust_statements.csv; null when unknown"),
        ("trust_ratio", RATIO, "trust_amount / outstanding_amount; null when either is unknown or nothing is held"),
        ("difference_amount", MONEY_SUM, "trust_amount - outstanding_amount; null without a statement"),
    ),
    partitioned_by=("event_date",),
)

CHECK_RESULTS = Table(
    name="check_results",
    grain="one row per run of the checks, table and expectation",
    key=("run_id", "table_name", "expectation"),
    columns=_columns(
        ("run_id", TEXT, "one id per run"),
        ("checked_at", TIME, "when the run started"),
        ("table_name", TEXT, "the table that was checked"),
        ("table_version", LONG, "its Delta version"),
        ("expectation", TEXT, "what was expected, in words"),
        ("severity", TEXT, "critical fails the run, warning and info do not"),
        ("success", FLAG, "whether it held; null when it could not be evaluated"),
        ("observed", TEXT, "counts alone, never values"),
    ),
)

ALERTS = Table(
    name="alerts",
    grain="one row per rule, version, entity, currency and window (or transaction) that fulfils the rule",
    key=("alert_id",),
    columns=_columns(
        ("alert_id", TEXT, "hash of rule, version, entity, currency and window: the same whoever computes it"),
        ("rule_id", TEXT, "the rule, a file in conf/rules"),
        ("rule_version", INT, "its version"),
        ("state", TEXT, "active, hint: counts among others alone, or shadow: seen by nobody but who asks for it"),
        ("severity", TEXT, "low, medium, high, critical"),
        ("entity_type", TEXT, "payer, payee, agent or pair"),
        ("entity", TEXT, "token, agent's alias, or both parties of a pair"),
        ("currency", TEXT, "ISO 4217 code; sums of one currency alone"),
        ("window_start", TIME, "start of the window; of a rule over single rows the time of the event"),
        ("window_end", TIME, "end of the window, exclusive; of a rule over single rows the time of the event"),
        ("band", TEXT, "the highest band of the rule that was reached"),
        ("score", INT, "the band's score, 1 to 1000"),
        ("reason", TEXT, "the rule's explanation with the values of this window"),
        ("values", TEXT, "JSON: each measure of the rule, money in `currency`"),
        ("transaction_references", TEXTS, "the window's first transactions in the order of event time, at most 20"),
        ("first_event_time", TIME, "event time of the window's first row"),
        ("raised_at", TIME, "when the alert was first written"),
        ("revision", INT, "how often it was written since, with other values"),
        ("window_date", DAY, "day of window_start"),
    ),
    partitioned_by=("window_date",),
    ordinal=("window_start",),
)

# Each of them names an ordinal column: else the log would keep the first and last token of each file.
_DAY = _columns(("day", DAY, "the day that was looked at, by event time"))

ANOMALIES = Table(
    name="gold_anomalies",
    grain="one row per window, series and measure that was judged; without a transaction only where that is unusual",
    key=("window_start", "entity_type", "entity", "currency", "measure"),
    columns=(
        *_DAY,
        *_columns(
            ("window_start", TIME, "start of the window"),
            ("window_minutes", INT, "1 for a type, 5 for an agent"),
            ("entity_type", TEXT, "transaction_type or agent"),
            ("entity", TEXT, "the GSMA type, or the agent's alias"),
            ("currency", TEXT, "ISO 4217 code"),
            (
                "measure",
                TEXT,
                "count (completed and failed), amount (of the completed), success_rate (completed of both)",
            ),
            ("observed", MONEY_SUM, "transactions, money in `currency`, or a share of 1"),
            (
                "expected",
                MONEY_SUM,
                "the middle of what was before; of an amount that of so many transactions; null: no score",
            ),
            ("expected_low", MONEY_SUM, "least value that is not unusual; null without a score"),
            ("expected_high", MONEY_SUM, "largest value that is not unusual; null without a score"),
            ("score", NUMBER, "spreads above (or, negative, below) what is expected; null when history is too short"),
            ("is_anomaly", FLAG, "whether the score is beyond 5 or -5; null without a score"),
            ("baseline", TEXT, "what was compared with: hour_of_week, hour_of_day, overall; null without a score"),
            ("history_windows", LONG, "so many windows before were compared with, or were too few"),
            ("reason", TEXT, "the finding in words"),
        ),
    ),
    partitioned_by=("day",),
    ordinal=("window_start",),
)

AGENT_LIQUIDITY = Table(
    name="gold_agent_liquidity_forecast",
    grain="one row per day, agent and currency: the change of the agent's e-money float in the 24 hours after the day",
    key=("day", "agent_id", "currency"),
    columns=(
        *_DAY,
        *_columns(
            ("agent_id", TEXT, "the agent's alias"),
            ("currency", TEXT, "ISO 4217 code"),
            ("history_days", INT, "days that were looked back upon"),
            (
                "method",
                TEXT,
                "weekday or daily (profiles), yesterday or flat (plain rules); null when history is short",
            ),
            ("cumulative_net_float", MONEY_SUMS, "expected change since the day's end, after each of the 24 hours"),
            ("cumulative_low", MONEY_SUMS, "the same, with the method's worst error of the tested days downwards"),
            ("cumulative_high", MONEY_SUMS, "the same, with its worst error upwards"),
            ("float_amount", MONEY_SUM, "the float at the day's end, in `currency`; null when it was not given"),
            ("runs_out_at", TIME, "end of the hour by which it is used up; null when it lasts, or is not known"),
            ("runs_out_earliest", TIME, "the same by `cumulative_low`"),
            ("runs_out_latest", TIME, "the same by `cumulative_high`"),
            ("tested_days", INT, "days of the back-test, each forecast from the days before it alone"),
            ("profile_error", MONEY_SUM, "mean absolute error of the better profile there, in `currency`"),
            ("plain_error", MONEY_SUM, "mean absolute error of the better plain rule there, in `currency`"),
            ("beats_plain", FLAG, "whether the profile was better; else the plain rule is what is offered"),
            ("reason", TEXT, "the choice in words"),
        ),
    ),
    partitioned_by=("day",),
    ordinal=("history_days",),
)

_DAY_SCORES = _columns(
    ("currency", TEXT, "ISO 4217 code"),
    ("transaction_count", LONG, "completed transactions"),
    ("amount", MONEY_SUM, "their sum, in and out, in `currency`"),
    ("distinct_parties", LONG, "different parties on the other side"),
    ("active_hours", LONG, "hours of the day with a transaction"),
    ("round_share", NUMBER, "share of the transactions whose amount has at most two digits before its zeros"),
    ("in_share", NUMBER, "share of the amount that came in, as e-money"),
    ("score", NUMBER, "of the isolation forest, 0 to 1, usual about 0.4; null when the currency was not trained on"),
    ("percentile", NUMBER, "share of the trained days with a lower score"),
    ("is_outlier", FLAG, "whether the score is above that of 99.5 % of the trained days"),
    ("amount_z", NUMBER, "the plain rule beside it: spreads of the logarithm of the amount above its median"),
    ("model_version", INT, "which model gave the score"),
    ("reason", TEXT, "what is most unusual of an outlier, or why there is no score"),
)

AGENT_DAY_SCORES = Table(
    name="gold_agent_day_scores",
    grain="one row per day, agent and currency with at least 5 completed cash-ins and cash-outs",
    key=("day", "agent_id", "currency"),
    columns=(*_DAY, *_columns(("agent_id", TEXT, "the agent's alias")), *_DAY_SCORES),
    partitioned_by=("day",),
    ordinal=("transaction_count",),
)

CUSTOMER_DAY_SCORES = Table(
    name="gold_customer_day_scores",
    grain="one row per day, customer and currency with at least 5 completed transactions",
    key=("day", "customer_token", "currency"),
    columns=(*_DAY, *_columns(("customer_token", TEXT, "the customer's token, as in silver")), *_DAY_SCORES),
    partitioned_by=("day",),
    ordinal=("transaction_count",),
)

CUSTOMER_SEGMENTS = Table(
    name="gold_customer_segments",
    grain="one row per day, customer and currency with a completed transaction in the 90 days that end with the day",
    key=("day", "customer_token", "currency"),
    columns=(
        *_DAY,
        *_columns(
            ("customer_token", TEXT, "the customer's token, as in silver"),
            ("currency", TEXT, "ISO 4217 code"),
            ("recency_days", LONG, "days since the last transaction"),
            ("active_days", LONG, "days with a transaction"),
            ("transaction_count", LONG, "completed transactions, reversals and adjustments left out"),
            ("amount", MONEY_SUM, "their sum, in and out, in `currency`"),
            ("recency_score", INT, "fifth of the currency's customers, 5 the latest; null when they are fewer than 50"),
            ("frequency_score", INT, "the same by transactions, 5 the most"),
            ("monetary_score", INT, "the same by amount, 5 the largest"),
            ("segment", TEXT, "the first that fits: see docs/learning.md"),
            ("reason", TEXT, "why, in words"),
            ("next_best_action", TEXT, "what to offer"),
        ),
    ),
    partitioned_by=("day",),
    ordinal=("transaction_count",),
)

GOLD = (PER_MINUTE, AGENT_5M, CORRIDOR_HOURLY)
# Gold that `momo insights` computes day by day; the stream does not write it.
DAILY = (
    CUSTOMERS_DAILY, KPIS_DAILY, REVENUE_DAILY, AGENTS_DAILY, MERCHANTS_DAILY, CORRIDORS_DAILY, FAILURES_DAILY,
    PAIRS_DAILY, BALANCES_DAILY, TRUST_DAILY,
)  # fmt: skip
TABLES = (BRONZE, SILVER, QUARANTINE, *GOLD, *DAILY, ALERTS, CHECK_RESULTS)
LEARNED = (ANOMALIES, AGENT_LIQUIDITY, AGENT_DAY_SCORES, CUSTOMER_DAY_SCORES, CUSTOMER_SEGMENTS)
