"""Whether gold adds up to silver: counts and money by currency, summed in both."""

from dataclasses import dataclass
from decimal import Decimal

from jobs.lake import Lake
from schemas.tables import AGENT_5M, CORRIDOR_HOURLY, PER_MINUTE, SILVER

# What silver says and what gold must say too, by currency.
_IS_AGENT = "agent_id IS NOT NULL AND status = 'completed'"
MONEY = {
    "amount": (_sum := "sum(amount) FILTER (WHERE status = 'completed')", PER_MINUTE, "sum(amount)"),
    "failed_amount": ("sum(amount) FILTER (WHERE status = 'failed')", PER_MINUTE, "sum(failed_amount)"),
    "fee_amount": ("sum(fee_amount) FILTER (WHERE status = 'completed')", PER_MINUTE, "sum(fee_amount)"),
    "event_count": ("count(*)", PER_MINUTE, "sum(event_count)"),
    "corridor_amount": (_sum, CORRIDOR_HOURLY, "sum(amount)"),
    "agent_cash_in": (
        f"sum(amount) FILTER (WHERE {_IS_AGENT} AND transaction_type = 'deposit')", AGENT_5M, "sum(cash_in_amount)",
    ),
    "agent_cash_out": (
        f"sum(amount) FILTER (WHERE {_IS_AGENT} AND transaction_type = 'withdrawal')", AGENT_5M, "sum(cash_out_amount)",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class MoneyLine:
    """One measure in one currency, summed in silver and in gold."""

    measure: str
    currency: str
    silver: Decimal
    gold: Decimal

    @property
    def agrees(self) -> bool:
        """To the last digit."""
        return self.silver == self.gold


def money_lines(lake: Lake) -> list[MoneyLine]:
    """Every measure in every currency that silver or gold has money in."""
    lines = []
    for measure, (in_silver, table, in_gold) in MONEY.items():
        silver = _by_currency(lake, in_silver, SILVER.name)
        gold = _by_currency(lake, in_gold, table.name)
        for currency in sorted(silver.keys() | gold.keys()):
            silver_sum, gold_sum = silver.get(currency, Decimal(0)), gold.get(currency, Decimal(0))
            if silver_sum or gold_sum:
                lines.append(MoneyLine(measure, currency, silver_sum, gold_sum))
    return lines


def _by_currency(lake: Lake, aggregate: str, table: str) -> dict[str, Decimal]:
    rows = lake.query(f"SELECT currency, {aggregate} AS total FROM {table} GROUP BY currency").to_pylist()
    return {row["currency"]: Decimal(row["total"] or 0) for row in rows}
