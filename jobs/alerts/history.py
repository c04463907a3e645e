"""What accounts did before a day, and who knew whom, for rules that compare with an account's own past.

An account is a person's token in a currency. In a lake its days are `gold_customers_daily`, and who sent money to whom
is `gold_pairs_daily`, so the past reaches as far as `momo insights` has come; a day that is computed later changes
what open windows are compared with, not closed ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.alerts.facts import ten_thousandths
from jobs.alerts.movements import Bits, Flags, Ints, hashed, mixed, pair_of, places_in
from jobs.alerts.totals import different
from jobs.lake import Lake
from jobs.rules import TRANSFERS
from schemas.tables import CUSTOMERS_DAILY, PAIRS_DAILY

# What is usual is said by so many days; who was quiet for longer than the other has no past; two persons know each
# other for so many days after the last transfer between them.
USUAL_DAYS = 30
REMEMBERED_DAYS = 400
FAMILIAR_DAYS = 90


@dataclass(frozen=True)
class Circle:
    """Who knew whom: pairs of persons with a transfer between them, whoever sent it, and everybody in one."""

    pairs: Bits = field(default_factory=lambda: np.zeros(0, np.uint64))
    persons: Bits = field(default_factory=lambda: np.zeros(0, np.uint64))

    @classmethod
    def of(cls, payers: Bits, payees: Bits) -> "Circle":
        """By transfers, told by the hashes of the tokens."""
        return cls(different(pair_of(payers, payees)), different(np.concatenate([payers, payees])))

    def are_strangers(self, persons: Bits, pairs: Bits) -> Flags:
        """Of persons who have sent or received before: the pairs that are new."""
        if not len(self.persons):
            return np.zeros(len(pairs), bool)
        return np.asarray(places_in(self.persons, persons)[1] & ~places_in(self.pairs, pairs)[1])


@dataclass(frozen=True)
class History:
    """Accounts in order of their hashes: transfers of `USUAL_DAYS`, the largest of them, and days without any use.

    `circle` says which persons know each other.
    """

    accounts: Bits = field(default_factory=lambda: np.zeros(0, np.uint64))
    values: Mapping[str, Ints] = field(default_factory=dict)
    circle: Circle = field(default_factory=Circle)

    def of(self, accounts: Bits) -> dict[str, Ints]:
        """The values of these accounts; 0 for one that has no past."""
        if not len(self.accounts):
            return {name: np.zeros(len(accounts), np.int64) for name in PAST}
        at, is_known = places_in(self.accounts, accounts)
        return {name: np.where(is_known, self.values[name][at], 0) for name in PAST}


PAST = ("usual_count", "usual_largest", "quiet_days")


class Histories(Protocol):
    """Where the past is read."""

    def before(self, day: date) -> History:
        """The past of all accounts, the day itself left out."""

    def has_changed(self) -> bool:
        """Whether the past is another one than when it was last asked for."""


def history_of(days: pa.Table, pairs: pa.Table, day: date) -> History:
    """The past before a day; `days` has a row for each account: who, its last day, its usual count and largest.

    `pairs` has at least a row for each two who know each other: the tokens of payer and payee.
    """
    accounts = mixed(hashed(days["customer_token"]), hashed(days["currency"]))
    order = np.argsort(accounts)
    largest = np.array([ten_thousandths(one) for one in days["usual_largest"].to_pylist()], np.int64)
    last_day = days["last_day"].cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)
    values = {
        "usual_count": days["usual_count"].to_numpy().astype(np.int64),
        "usual_largest": largest,
        # The day after the last use is the first one without.
        "quiet_days": (day - date(1970, 1, 1)).days - last_day - 1,
    }
    circle = Circle.of(*(hashed(pairs[name]) for name in ("payer_token", "payee_token")))
    return History(accounts[order], {name: value[order] for name, value in values.items()}, circle)


@dataclass
class LakeHistories:
    """By the days that `momo insights` has computed."""

    lake: Lake
    _versions: tuple[int, ...] | None = None
    _read: dict[date, History] = field(default_factory=dict)

    def before(self, day: date) -> History:
        """The past of all accounts; read once for each day."""
        self._versions = self._versions or self._newest()
        if day not in self._read:
            days, pairs = self.lake.query(_days_before(day)), self.lake.query(_pairs_before(day))
            # Two days are open at a time, and a late row now and then asks for one before.
            self._read = dict(list(self._read.items())[-2:]) | {day: history_of(days, pairs, day)}
        return self._read[day]

    def has_changed(self) -> bool:
        """Whether a day was computed since; then all is read anew."""
        if self._versions is None or self._newest() == self._versions:
            return False
        self._versions, self._read = None, {}
        return True

    def _newest(self) -> tuple[int, ...]:
        return tuple(self.lake.newest_version(table) for table in (CUSTOMERS_DAILY, PAIRS_DAILY))


class RowHistories:
    """By rows of silver that are all there is."""

    def __init__(self, rows: pa.Table) -> None:
        """`rows` are of whatever columns rules look at."""
        completed = rows.filter(pc.equal(rows["status"], "completed"))
        self._days = pa.concat_tables([_side(completed, side) for side in ("debit", "credit")])
        self._transfers = _transfers(completed)

    def before(self, day: date) -> History:
        """The past of all accounts."""
        rows = self._days.filter(pc.less(self._days["day"], pa.scalar(day)))
        is_recent = pc.greater_equal(rows["day"], pa.scalar(day - timedelta(days=USUAL_DAYS)))
        counted = pc.and_(is_recent, rows["is_usual"])
        usual = {
            "usual_count": pc.cast(counted, pa.int64()),
            "usual_largest": pc.if_else(counted, rows["amount"], pa.scalar(0, rows["amount"].type)),
        }
        for name, values in usual.items():
            rows = rows.append_column(name, values)
        added = rows.group_by(["customer_token", "currency"]).aggregate(
            [("day", "max"), ("usual_count", "sum"), ("usual_largest", "max")]
        )
        names = {"day_max": "last_day", "usual_count_sum": "usual_count", "usual_largest_max": "usual_largest"}
        days = added.rename_columns([names.get(name, name) for name in added.column_names])
        return history_of(days, self._transfers_before(day), day)

    def _transfers_before(self, day: date) -> pa.Table:
        days = self._transfers["day"]
        is_familiar = pc.greater_equal(days, pa.scalar(day - timedelta(days=FAMILIAR_DAYS)))
        return self._transfers.filter(pc.and_(is_familiar, pc.less(days, pa.scalar(day))))

    def has_changed(self) -> bool:
        """Never."""
        return False


def _days_before(day: date) -> str:
    usual = f"event_date >= DATE '{day - timedelta(days=USUAL_DAYS)}'"
    first = day - timedelta(days=REMEMBERED_DAYS)
    return (
        f"SELECT customer_token, currency, max(event_date) AS last_day, "
        f"CAST(coalesce(sum(transfer_count) FILTER (WHERE {usual}), 0) AS BIGINT) AS usual_count, "
        f"coalesce(max(largest_transfer_amount) FILTER (WHERE {usual}), 0) AS usual_largest "
        f"FROM {CUSTOMERS_DAILY.name} WHERE event_date < DATE '{day}' AND event_date >= DATE '{first}' "
        f"AND in_count + out_count > 0 GROUP BY customer_token, currency"
    )


def _pairs_before(day: date) -> str:
    first = day - timedelta(days=FAMILIAR_DAYS)
    return (
        f"SELECT DISTINCT payer_token, payee_token FROM {PAIRS_DAILY.name} "
        f"WHERE event_date < DATE '{day}' AND event_date >= DATE '{first}'"
    )


def _transfers(rows: pa.Table) -> pa.Table:
    parts = {
        "payer_token": rows["debit_token"],
        "payee_token": rows["credit_token"],
        "day": pc.cast(rows["event_time"], pa.date32()),
    }
    both = pc.and_(pc.is_valid(rows["debit_token"]), pc.is_valid(rows["credit_token"]))
    return pa.table(parts).filter(pc.and_(both, pc.is_in(rows["transaction_type"], value_set=pa.array(TRANSFERS))))


def _side(rows: pa.Table, side: str) -> pa.Table:
    token = rows[f"{side}_token"]
    parts = {
        "customer_token": token,
        "currency": rows["currency"],
        "day": pc.cast(rows["event_time"], pa.date32()),
        "amount": rows["amount"].cast(pa.decimal128(38, 4)),
        "is_usual": pc.and_(pc.is_in(rows["transaction_type"], value_set=pa.array(TRANSFERS)), side == "debit"),
    }
    return pa.table(parts).filter(pc.is_valid(token))
