"""The daily tables of a day that was computed by hand, in a lake."""

import json
from decimal import Decimal

import pytest

from jobs import derive_insights, validate_tables
from jobs.command_line import run
from jobs.erasure import _erase_table
from jobs.lake import Lake
from jobs.persons import Persons, RowsWithout
from schemas.tables import CUSTOMERS_DAILY, DAILY, MERCHANTS_DAILY, PAIRS_DAILY, SILVER
from tests.builders import put_rows
from tests.insights import step

FAILED = {"status": "failed", "failure_reason": "insufficientFunds"}
UGX = {"currency": "UGX"}


def held(**balances):
    """What a record states of balances, such as debit_after="100"."""
    return {name.replace("_", "_balance_"): Decimal(amount) for name, amount in balances.items()}


AT_MER_1, AT_KE1 = held(credit_after="5200"), held(debit_before="7500", debit_after="2400")
ROWS = [
    # The day before, the window of 30 days and its edges, that of 90, and who has not been seen for longer.
    step("OLD-1", "transfer", "ke7", "ke8", "100", "2025-12-01 10:00:00"),
    step("OLD-2", "transfer", "ke5", "ke6", "100", "2026-02-20 10:00:00"),
    step("OLD-3", "transfer", "ke11", "ke12", "200", "2026-02-25 23:59:59", fee_amount="7"),
    step("OLD-4", "transfer", "ke13", "ke14", "300", "2026-02-26 00:00:00", fee_amount="7"),
    step("OLD-5", "transfer", "ke1", "ke2", "5000", "2026-03-10 10:00:00", fee_amount="57"),
    step("T-1", "transfer", "ke1", "ke2", "1000", "2026-03-26 23:59:58", status="pending"),
    # The day.
    step("T-1", "transfer", "ke1", "ke2", "1000", "2026-03-27 00:00:02", fee_amount="13"),
    step("T-2", "transfer", "ke1", "ke3", "1000.01", "2026-03-27 10:00:00", status="pending"),
    step("T-2", "transfer", "ke1", "ke3", "1000.01", "2026-03-27 10:00:10", fee_amount="13"),
    step("T-3", "transfer", "ke9", "ke10", "50", "2026-03-27 10:30:00", status="pending"),
    step("W-1", "withdrawal", "ke2", "AG-1", "2500", "2026-03-27 11:00:00", fee_amount="29", **held(debit_after="-29")),
    step("D-1", "deposit", "AG-1", "ke3", "500", "2026-03-27 12:00:00"),
    step("D-2", "deposit", "AG-1", "ke3", "500", "2026-03-27 12:05:00"),
    step("D-3", "deposit", "AG-1", "ke1", "1000", "2026-03-27 12:10:00", **held(credit_after="5700")),
    step("M-1", "merchantpay", "ke3", "MER-1", "200", "2026-03-27 13:00:00", sub_type="till", **AT_MER_1),
    step("M-2", "merchantpay", "ke3", "MER-1", "300", "2026-03-27 13:01:00", sub_type="till", **FAILED),
    step("R-1", "reversal", "ke2", "ke1", "1000", "2026-03-27 14:00:00", original_transaction_reference="T-1"),
    step("I-1", "inttransfer", "ke1", "ug1", "5000", "2026-03-27 15:00:00", **AT_KE1),
    step("S-1", "disbursement", "ORG-1", "ke4", "9000", "2026-03-27 16:00:00", **held(credit_before="0")),
    step("B-1", "billpay", "ke4", "BIL-1", "100", "2026-03-27 17:00:00", **held(debit_after="8900")),
    step("W-2", "withdrawal", "ug2", "AG-2", "20000", "2026-03-27 18:00:00", fee_amount="700", **UGX),
    # The day after.
    step("N-1", "merchantpay", "ke1", "MER-1", "100", "2026-03-28 00:00:00"),
]


@pytest.fixture
def lake(stream):
    put_rows(stream.lake, SILVER, *ROWS)
    return stream.lake


def derived(lake, capsys, *words):
    """Exit code 0 is asked for; rows, changed, added and removed by table."""
    assert run(derive_insights.main, ["--lake", str(lake.path), "--json", *words]) == 0
    tallies = json.loads(capsys.readouterr().out)["tables"]
    return {one["table"]: (one["rows"], one["changed"], one["added"], one["removed"]) for one in tallies}


def rows(lake, table, *columns, where="true"):
    """Rows in the order of the table's key, money as text and ratios to nine digits."""
    names = columns or table.column_names[1:]
    found = lake.query(f"SELECT {', '.join(names)} FROM {table.name} WHERE {where} ORDER BY {', '.join(table.key)}")
    return [tuple(_plain(value) for value in row.values()) for row in found.to_pylist()]


def _plain(value):
    if isinstance(value, float):
        return round(value, 9)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def test_a_day_computed_by_hand(lake, capsys):
    done = derived(lake, capsys, "--day", "2026-03-27")

    assert done == {
        "gold_customers_daily": (8, 0, 8, 0),
        "gold_kpis_daily": (3, 0, 3, 0),
        "gold_revenue_daily": (9, 0, 9, 0),
        "gold_agents_daily": (2, 0, 2, 0),
        "gold_merchants_daily": (2, 0, 2, 0),
        "gold_corridors_daily": (5, 0, 5, 0),
        "gold_failures_daily": (1, 0, 1, 0),
        "gold_pairs_daily": (3, 0, 3, 0),
        "gold_balances_daily": (4, 0, 4, 0),
        "gold_trust_daily": (1, 0, 1, 0),
    }
    assert [name for name in done] == [table.name for table in DAILY]
    customers, kpis, revenue, agents, merchants, corridors, failures, pairs, balances, trust = DAILY
    said = ("country", "event_count", "in_count", "in_amount", "out_count", "out_amount", "fee_amount", "failed_count")
    assert rows(lake, customers, *said, where="customer_token = 'k1_ke3'") == [
        ("KE", 6, 3, "2000.01", 1, "200", "0", 1)
    ]
    assert rows(lake, customers, *said, where="customer_token = 'k1_ke1'") == [
        ("KE", 6, 2, "2000", 3, "7000.01", "26", 0)
    ]
    seen = ("CAST(first_event_time AS varchar)", "CAST(last_event_time AS varchar)")
    assert rows(lake, customers, *seen, where="customer_token = 'k1_ke3'") == [
        ("2026-03-27T10:00:00Z", "2026-03-27T13:01:00Z")
    ]

    area = ("country", "currency")
    accounts = (
        "registered_count",
        "active_30d_count",
        "active_90d_count",
        "activity_rate",
        "fee_30d_amount",
        "arpu_30d",
    )
    assert rows(lake, kpis, *area, *accounts) == [
        ("KE", "KES", 14, 6, 10, round(6 / 14, 9), "119", "19.8333"),
        ("UG", "KES", 1, 1, 1, 1.0, "0", "0"),
        ("UG", "UGX", 1, 1, 1, 1.0, "700", "700"),
    ]
    flows = (
        "transaction_count",
        "amount",
        "cash_in_amount",
        "cash_out_amount",
        "circulating_amount",
        "digital_in_amount",
    )
    flows += ("digital_out_amount", "float_amount", "contra_amount", "fee_amount")
    assert rows(lake, kpis, *area, *flows) == [
        ("KE", "KES", 11, "21800.01", "2000", "2500", "2200.01", "9000", "5100", "0", "1000", "55"),
        ("UG", "KES", 0, "0", "0", "0", "0", "0", "0", "0", "0", "0"),
        ("UG", "UGX", 1, "20000", "0", "20000", "0", "0", "0", "0", "0", "700"),
    ]
    shares = ("failed_count", "failure_rate", "reversal_count", "reversal_rate")
    times = ("timed_count", "seconds_to_final_p50", "seconds_to_final_p95")
    assert rows(lake, kpis, *area, *shares, *times) == [
        ("KE", "KES", 1, round(1 / 12, 9), 1, 0.1, 2, 7.0, 9.7),
        ("UG", "KES", 0, None, 0, None, 0, None, None),
        ("UG", "UGX", 0, 0.0, 0, 0.0, 0, None, None),
    ]

    # Of the fee, 15 % excise is within: 13 × 15/115 is 1.70 by each transfer, 29 × 15/115 is 3.78.
    assert rows(lake, revenue) == [
        ("KE", "Safaricom", "billpay", "none", "KES", 1, "100", "0", 0, "0", "0", 0, "0", "0", 0, "0", "0"),
        ("KE", "Safaricom", "deposit", "none", "KES", 3, "2000", "0", 3, "0", "0", 0, "0", "0", 3, "25", "-25"),
        ("KE", "Safaricom", "disbursement", "none", "KES", 1, "9000", "0", 0, "0", "0", 0, "0", "0", 0, "0", "0"),
        ("KE", "Safaricom", "inttransfer", "none", "KES", 1, "5000", "0", 0, "0", "0", 0, "0", "0", 0, "0", "0"),
        ("KE", "Safaricom", "merchantpay", "till", "KES", 1, "200", "0", 0, "0", "0", 0, "0", "0", 0, "0", "0"),
        ("KE", "Safaricom", "reversal", "none", "KES", 1, "1000", "0", 0, "0", "0", 0, "0", "0", 0, "0", "0"),
        (
            "KE",
            "Safaricom",
            "transfer",
            "none",
            "KES",
            2,
            "2000.01",
            "26",
            2,
            "36",
            "-10",
            1,
            "3.4",
            "0",
            0,
            "0",
            "22.6",
        ),
        (
            "KE",
            "Safaricom",
            "withdrawal",
            "none",
            "KES",
            1,
            "2500",
            "29",
            1,
            "29",
            "0",
            0,
            "3.78",
            "0",
            0,
            "0",
            "25.22",
        ),
        ("UG", "MTN", "withdrawal", "none", "UGX", 1, "20000", "700", 0, "0", "0", 0, "0", "100", 0, "0", "700"),
    ]
    # Two cash-ins of 500 earn 8 each, one of 1,000 earns 9.
    assert rows(lake, agents) == [
        ("AG-1", "KES", 3, "2000", 1, "2500", "500", 3, 3, "25", round(2 / 3, 9), "7"),
        ("AG-2", "UGX", 0, "0", 1, "20000", "20000", 1, 0, "0", None, "0"),
    ]
    assert rows(lake, merchants) == [
        ("BIL-1", "KES", 1, "100", "0", 0, 1, "100"),
        ("MER-1", "KES", 1, "200", "0", 1, 1, "200"),
    ]
    assert rows(lake, corridors) == [
        ("KE", "Safaricom", "KE", "Safaricom", "KES", 3, "3000.01", "26", 2, "1000.01"),
        ("KE", "Safaricom", "UG", "MTN", "KES", 1, "5000", "0", 1, "5000"),
        ("KE", "Safaricom", "none", "none", "KES", 3, "2800", "29", 3, "2500"),
        ("UG", "MTN", "none", "none", "UGX", 1, "20000", "700", 1, "20000"),
        ("none", "none", "KE", "Safaricom", "KES", 4, "11000", "0", 2, "9000"),
    ]
    assert rows(lake, failures) == [
        ("KE", "Safaricom", "merchantpay", "KES", "insufficientFunds", 1, "300", 1),
    ]
    assert rows(lake, pairs, "payer_token", "payee_token", "currency", "transfer_count", "amount") == [
        ("k1_ke1", "k1_ke2", "KES", 1, "1000"),
        ("k1_ke1", "k1_ke3", "KES", 1, "1000.01"),
        ("k1_ke1", "k1_ug1", "KES", 1, "5000"),
    ]
    # ke1 has 4,700 before D-1, then 2,000 come and 5,000 go: 1,700. I-1 itself takes 5,000 and says 5,100. What ke2 was
    # paid before W-1, and paid after it, is told by no balance.
    assert rows(lake, balances) == [
        ("MER-1", "KES", 1, 1, "5000", "200", "0", "5200", "0", 0, 0, 0),
        ("k1_ke1", "KES", 3, 2, "4700", "2000", "5000", "2400", "700", 1, 0, 0),
        ("k1_ke2", "KES", 1, 1, "2500", "0", "2529", "-29", "0", 0, 1, 0),
        ("k1_ke4", "KES", 2, 2, "0", "9000", "100", "8900", "0", 0, 0, 0),
    ]
    # 5,200 + 2,400 + 8,900, and -29 less the 1,000 that ke2 paid later.
    assert rows(lake, trust) == [("KES", 17, 4, "15471", None, None, None)]


def test_the_checks_look_at_daily_tables_once_they_have_rows(lake, capsys):
    def checked():
        assert run(validate_tables.main, ["--lake", str(lake.path), "--json"]) == 65
        checks = json.loads(capsys.readouterr().out)
        daily = [check for check in checks if check["table_name"] in {table.name for table in DAILY}]
        broken = [one["expectation"] for check in daily for one in check["findings"] if not one["success"]]
        return [check["table_name"] for check in daily], broken

    assert checked() == ([], [])
    derived(lake, capsys, "--day", "2026-03-26", "--to", "2026-03-28")
    # These days' balances are wrong on purpose.
    warnings = [
        "Balances follow from what moved.",
        "No account is below nothing, and no person above what limits.csv allows anybody.",
    ]
    assert checked() == ([table.name for table in DAILY], warnings)


def test_a_second_run_writes_nothing_and_a_late_event_changes_its_own_rows(lake, capsys):
    only = ("--tables", MERCHANTS_DAILY.name)
    derived(lake, capsys, "--day", "2026-03-27", "--to", "2026-03-29", *only)
    version = lake.newest_version(MERCHANTS_DAILY)
    other_day = rows(lake, MERCHANTS_DAILY, where="event_date = '2026-03-28'")

    assert derived(lake, capsys, "--day", "2026-03-27", *only) == {MERCHANTS_DAILY.name: (2, 0, 0, 0)}
    assert lake.newest_version(MERCHANTS_DAILY) == version

    late = [step(f"L-{n}", "merchantpay", "ke1", f"MER-{n}", "1", "2026-03-27 09:00:00") for n in (1, 2)]
    put_rows(lake, SILVER, *late)
    assert derived(lake, capsys, "--day", "2026-03-27", *only) == {MERCHANTS_DAILY.name: (3, 1, 1, 0)}
    paid = rows(lake, MERCHANTS_DAILY, "merchant_id", "amount", "distinct_payers", where="event_date = '2026-03-27'")
    assert paid == [("BIL-1", "100", 1), ("MER-1", "201", 2), ("MER-2", "1", 1)]

    # What silver has no longer goes.
    lake.open(SILVER).delete("transaction_reference LIKE 'L-%'")
    assert derived(lake, capsys, "--day", "2026-03-27", *only) == {MERCHANTS_DAILY.name: (2, 1, 0, 1)}
    assert other_day == [("MER-1", "KES", 1, "100", "0", 0, 1, "100")]
    assert rows(lake, MERCHANTS_DAILY, where="event_date = '2026-03-28'") == other_day
    assert lake.newest_version(MERCHANTS_DAILY) == version + 2


@pytest.mark.parametrize(
    ("table", "columns"),
    [(CUSTOMERS_DAILY, ("customer_token",)), (PAIRS_DAILY, ("payer_token", "payee_token"))],
    ids=lambda value: getattr(value, "name", None),
)
def test_of_an_erased_person_no_row_and_no_file_is_left(lake, capsys, table, columns):
    derived(lake, capsys, "--day", "2026-03-27", "--tables", table.name)
    others = rows(lake, table, where=" AND ".join(f"{name} <> 'k1_ke3'" for name in columns))
    persons = Persons({}, frozenset({"k1_ke3"}), frozenset())

    _, done = _erase_table(lake, table, RowsWithout(persons, columns))

    assert done["rows"] == 1
    assert rows(lake, table) == others
    logs = (lake.path / table.name / "_delta_log").glob("*.json")
    assert not any("k1_" in log.read_text() for log in logs)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--day", "27.3.2026"], "--day is '27.3.2026', a day such as 2026-03-27 is expected"),
        (["--day", "2026-03-27", "--to", "2026-03-27"], "--to is 2026-03-27, a day after --day"),
        (["--day", "2026-03-27", "--tables", "silver"], "--tables names 'silver', which is no daily table"),
        (["--day", "2026-03-27", "--lake", "/no/lake"], "There are no tables in /no/lake"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(tmp_path, capsys, arguments, sentence):
    Lake(tmp_path / "lake").create()

    assert run(derive_insights.main, ["--lake", str(tmp_path / "lake"), *arguments]) == 64

    assert sentence in capsys.readouterr().err


def test_a_second_process_on_the_same_lake_is_refused(tmp_path, capsys):
    lake = Lake(tmp_path / "lake")
    lake.create()
    with lake.alone("insights", "summed up by day"):
        code = run(derive_insights.main, ["--lake", str(lake.path), "--day", "2026-03-27"])

    assert code == 73
    assert "is being summed up by day by another process" in capsys.readouterr().err
