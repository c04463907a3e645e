from datetime import UTC, datetime
from decimal import Decimal

from pyspark.sql import functions as F

from jobs import gold
from schemas.tables import GOLD
from tests.builders import agent_cash, gsma, silver_rows
from tests.frames import assert_rows

PAYER, PAYEE = "256777000001", "254722000002"


def measures(spark, records, build):
    """The windows of one gold table, its keys and measures under their own names."""
    spec = build()
    rows = gold.whole_windows(silver_rows(spark, records)).filter(F.col("table_name") == spec.table.name)
    keys = [F.col("keys")[i].alias(key) for i, key in enumerate(spec.keys)]
    return rows.select("window_start", *keys, *(F.col(slot).alias(name) for name, slot in spec.measures.items()))


def payment(reference, status="completed", payer=PAYER, **changes):
    return gsma(
        transactionReference=reference,
        transactionStatus=status,
        debitParty=[{"key": "msisdn", "value": payer}],
        **changes,
    )


def test_a_minute_counts_every_status_and_sums_what_completed(spark):
    records = [
        payment("T-1", amount="5000"),
        payment("T-2", amount="7000", payer="256777000009"),
        payment("T-3", amount="100", status="failed"),
        payment("T-4", amount="9000", status="pending"),
        payment("T-5", amount="1", creationDate="2026-03-27T18:00:00Z"),
    ]
    rows = measures(spark, records, gold.gold_transactions_per_minute)

    first, second = datetime(2026, 3, 27, 17, 59), datetime(2026, 3, 27, 18, 0)
    keys = ("transfer", "UGX", "ussd")
    money = [Decimal(text) for text in ("12000", "100", "200", "1", "0", "100", "7000", "1")]
    amount, failed, fees, small, none, one_fee, largest, smallest = money
    assert_rows(
        rows,
        [
            (first, *keys, 4, 2, 1, amount, failed, fees, largest, 2),
            (second, *keys, 1, 1, 0, small, none, one_fee, smallest, 1),
        ],
    )


def test_cash_in_takes_float_from_the_agent_and_cash_out_brings_it_back(spark):
    records = [
        agent_cash("deposit", "AG-1", PAYER, amount="5000", transactionReference="T-1"),
        agent_cash(
            "deposit", "AG-1", PAYER, amount="2000", transactionReference="T-2", creationDate="2026-03-27T17:55:00Z"
        ),
        agent_cash("withdrawal", "AG-1", "256777000009", amount="10000", transactionReference="T-3"),
        agent_cash("withdrawal", "AG-1", PAYER, amount="1", transactionReference="T-4", transactionStatus="failed"),
        payment("T-5"),
    ]
    rows = measures(spark, records, gold.gold_agent_activity_5m)

    cash_in, cash_out, net = Decimal("7000"), Decimal("10000"), Decimal("3000")
    start = datetime(2026, 3, 27, 17, 55)
    assert_rows(rows, [(start, "AG-1", "UGX", 2, 1, cash_in, cash_out, net, 2)])


def test_a_corridor_is_the_pair_of_operators_and_countries(spark):
    abroad = [{"key": "msisdn", "value": PAYEE}]
    records = [payment(f"T-{i}", amount=str(1000 * i), creditParty=abroad) for i in (1, 2)]
    rows = measures(spark, [*records, payment("T-3", status="failed")], gold.gold_corridor_hourly)

    total, fees, largest = Decimal("3000"), Decimal("200"), Decimal("2000")
    start = datetime(2026, 3, 27, 17, 0)
    assert_rows(rows, [(start, "UG", "MTN", "KE", "Safaricom", "UGX", 2, total, fees, largest)])


def test_two_of_the_largest_amounts_have_a_sum(spark):
    largest = "999999999999999999"
    records = [payment("T-1", amount=largest), payment("T-2", amount=largest)]

    rows = measures(spark, records, gold.gold_transactions_per_minute).select("amount")

    assert_rows(rows, [(2 * Decimal(largest),)])


def test_gold_begins_anew_with_open_hours_and_with_what_is_written_from_now_on(spark):
    now = datetime(2026, 3, 27, 18, 5, tzinfo=UTC)
    closed, still_open = ({"creationDate": f"2026-03-27T{time}:00Z"} for time in ("16:59", "17:00"))
    earlier = silver_rows(spark, [payment("T-1", **closed), payment("T-2", **still_open)], now.replace(minute=4))
    first = silver_rows(spark, [payment("T-3", **closed), payment("T-4", **still_open)])
    late = silver_rows(spark, [payment("T-5", **closed)], now)

    rows = gold.rows_to_begin_with(earlier.union(first).union(late), datetime(2026, 3, 27, 17, tzinfo=UTC), now)

    assert_rows(rows.select("transaction_reference"), [("T-2",), ("T-4",), ("T-5",)])


def test_the_specifications_fill_the_tables_of_the_contract(spark):
    state = {"window_start", "window_end", "is_final", "revision", "corrected_at", "window_date"}
    computed = {spec.table.name: {*spec.keys, *spec.measures} for spec in gold.windowed()}

    assert computed == {table.name: set(table.column_names) - state for table in GOLD}
