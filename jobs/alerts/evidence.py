"""What an alert says besides its values: of whom it is, and the first transactions that led to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.alerts.evaluation import Fired, Touched, Windowing, Windows
from jobs.alerts.history import RowHistories
from jobs.alerts.movements import PAIR_SEPARATOR, Batch, batch_of, entities_of
from jobs.alerts.rulebook import Rulebook
from schemas.tables import ALERTS

# So many transactions an alert names at the most.
MOST_REFERENCES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Window = tuple[Windowing, int]


@dataclass
class Evidence:
    """The names of a window, and its first transactions in the order of event time."""

    entity: str
    currency: str
    first: list[tuple[int, str]] = field(default_factory=list)

    @property
    def references(self) -> list[str]:
        """The transactions alone."""
        return [reference for _, reference in self.first]

    def add(self, transactions: Iterable[tuple[int, str]]) -> None:
        """Take in more of the window's transactions, whichever were there before."""
        self.first = sorted({*self.first, *transactions})[:MOST_REFERENCES]


def windows_of(fired: Iterable[Fired]) -> Touched:
    """The windows in which these fired."""
    return keys_of({(one.windowing, one.key) for one in fired})


def keys_of(windows: Iterable[Window]) -> Touched:
    """The keys of windows, by kind and length."""
    keys: dict[Windowing, list[int]] = defaultdict(list)
    for windowing, key in windows:
        keys[windowing].append(key)
    return {windowing: np.array(of_them, np.uint64) for windowing, of_them in keys.items()}


def note(evidence: dict[Window, Evidence], batch: Batch, wanted: Touched) -> None:
    """Add to `evidence` what these rows say of the wanted windows."""
    for windowing, keys in wanted.items():
        kind, own = windowing[0], batch.keys(*windowing)
        places = np.flatnonzero(np.isin(own, keys))
        mine = batch.movements[kind][places]
        of_row = batch.rows.select(["transaction_reference", "currency"]).take(pa.array(mine.row)).to_pylist()
        entities = entities_of(kind, mine, batch.rows)
        came: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for key, entity, time, row in zip(own[places].tolist(), entities, mine.time.tolist(), of_row, strict=True):
            if (windowing, key) not in evidence:
                evidence[windowing, key] = Evidence(entity, row["currency"])
            came[key].append((time, row["transaction_reference"]))
        for key, transactions in came.items():
            evidence[windowing, key].add(transactions)


def names_in(batch: Batch, windows: Touched) -> set[str]:
    """The names of the entities of these windows that have rows in the batch; of a pair both."""
    found: dict[Window, Evidence] = {}
    note(found, batch, windows)
    return {name for one in found.values() for name in one.entity.split(PAIR_SEPARATOR)}


def among(windows: Iterable[Window], touched: Touched) -> set[Window]:
    """Which windows are touched; they are few, and the touched ones many."""
    none, those = np.zeros(0, np.uint64), keys_of(windows)
    there = {windowing: of_them[np.isin(of_them, touched.get(windowing, none))] for windowing, of_them in those.items()}
    return {(windowing, key) for windowing, of_them in there.items() for key in of_them.tolist()}


def batch_in(batch: Batch, wanted: Touched) -> Batch:
    """The rows that are in one of these windows."""
    is_wanted = np.zeros(batch.rows.num_rows, bool)
    for windowing, keys in wanted.items():
        is_wanted[batch.movements[windowing[0]].row[np.isin(batch.keys(*windowing), keys)]] = True
    return batch_of(batch.rows.filter(pa.array(is_wanted)))


def alert_rows(
    fired: Iterable[Fired], evidence: Mapping[Window, Evidence], raised_at: datetime | None
) -> list[dict[str, Any]]:
    """The alerts, with the columns of the table; none of a window whose rows silver has no more."""
    known = [(one, evidence.get((one.windowing, one.key))) for one in fired]
    return [_alert(one, its, raised_at) for one, its in known if its is not None]


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows with the types of the table."""
    return pa.Table.from_pylist(rows, schema=to_arrow_schema(ALERTS.schema, timezone="UTC"))


def alerts_of(rows: pa.Table, rulebook: Rulebook) -> pa.Table:
    """All alerts of these rows of silver: the function that stream and backfill compute piece by piece."""
    windows, evidence = Windows(rulebook, histories=RowHistories(rows)), dict[Window, Evidence]()
    batch = batch_of(rows)
    windows.add(batch)
    fired = windows.fired(windows.touched())
    note(evidence, batch, windows_of(fired))
    return table_of(alert_rows(fired, evidence, None))


def _alert(fired: Fired, evidence: Evidence, raised_at: datetime | None) -> dict[str, Any]:
    rule, band = fired.rule, fired.rule.bands[fired.band]
    start = time_of(fired.start)
    return {
        "alert_id": fired.alert_id(evidence.entity, evidence.currency, evidence.references[0]),
        "rule_id": rule.id,
        "rule_version": rule.version,
        "state": rule.state,
        "severity": band.severity,
        "entity_type": rule.entity,
        "entity": evidence.entity,
        "currency": evidence.currency,
        "window_start": start,
        "window_end": time_of(fired.start + rule.length),
        "band": band.name,
        "score": band.score,
        "reason": fired.reason(evidence.currency),
        "values": fired.values_json(),
        "transaction_references": evidence.references,
        "first_event_time": time_of(fired.first_time),
        "raised_at": raised_at,
        "revision": 0,
        "window_date": start.date(),
    }


def time_of(microseconds: int) -> datetime:
    """A time of its microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(time: datetime) -> int:
    """The reverse of `time_of`."""
    return (time - _EPOCH) // timedelta(microseconds=1)
