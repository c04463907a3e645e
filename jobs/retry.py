"""Look again at what was refused, by the rules of today: what passes goes to silver, and from there to gold.

Silver takes a row before quarantine lets it go. So a retry that was killed in between is finished by the next one,
which finds the row in silver; nothing is lost, nothing comes twice. A stream may run beside it: the look for a row's
key and its append hold silver's lock, and the stream learns the key before its own next append.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import bronze, enrichment, quarantine, rules, silver
from jobs.errors import DataCheckFailed
from jobs.ingest import later
from jobs.lake import Lake, read_columns
from jobs.quarantine import CLOSED, OPEN, PLACE, RELEASED, Place, place_of
from jobs.reconciliation import CONTENT, PARTIES
from jobs.settings import Settings
from jobs.tokens import same_token
from schemas.tables import BRONZE, CONFLICT_RULE, SILVER

REPEAT_REASON = "it passes now, and repeats a row of silver"
_COMPARED = (*PLACE, *SILVER.key, *CONTENT, *PARTIES)
_TIME = pa.timestamp("us", tz="UTC")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Retried:
    """Records by what became of them; `refused` by rule, where one that breaks two rules counts in both."""

    looked_at: int = 0
    released: int = 0
    repeats: int = 0
    conflicts: int = 0
    refused_again: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What today's rules say of open rows: `refused` again, or `passing`, as rows of silver but for the batch's times.

    `tries` are those before, by place; `known` are the rows with a reference of these that silver had at its `version`.
    """

    at: datetime
    tries: Mapping[Place, int]
    refused: Sequence[Row]
    passing: pa.Table
    known: Sequence[Row]
    version: int

    def fates(self, newer: Sequence[Row] = ()) -> list[str]:
        """What each of `passing` becomes, with what has come to silver since."""
        return fates(self.passing.select(_COMPARED).to_pylist(), [*self.known, *newer])

    def retried(self, became: Sequence[str]) -> Retried:
        """The counts, when this is what the rows that pass become."""
        by_fate = Counter(became)
        return Retried(
            looked_at=len(self.refused) + len(became),
            released=by_fate["new"] + by_fate["there"],
            repeats=by_fate["repeat"],
            conflicts=by_fate["conflict"],
            refused_again=len(self.refused),
            refused=dict(Counter(rule for row in self.refused for rule in row["broken_rules"]).most_common()),
        )


class Retry:
    """Retries of a lake's quarantine: first a look, which changes nothing, then what follows from it."""

    def __init__(self, spark: SparkSession, lake: Lake, settings: Settings, silver_columns: enrichment.Steps) -> None:
        """`silver_columns` are what silver makes of a bronze row beyond its own columns."""
        self._spark, self._lake, self._settings = spark, lake, settings
        self._silver_columns = silver_columns

    def look(self, tries: Mapping[Place, int]) -> Look:
        """Read the records of these places (`quarantine.waiting`) again; one that bronze has no more is left out."""
        at = datetime.now(UTC)
        events = self._read_again(list(tries)).persist()
        try:
            refused = silver.quarantined(events).toArrow().to_pylist()
            passing = self._passing(events).toArrow().sort_by([(name, "ascending") for name in PLACE])
        finally:
            events.unpersist()
        in_silver = DeltaTable(self._lake.table_path(SILVER))
        known = _rows_of(in_silver, passing["transaction_reference"])
        return Look(at, tries, refused, passing, known, in_silver.version())

    def carry_out(self, look: Look) -> Retried:
        """Silver, then quarantine; safe to repeat, and to stop at any point."""
        with self._lake.writing(SILVER):
            files = self._lake.appended(SILVER, after=look.version)
            became = look.fates(read_columns(files, _COMPARED).to_pylist() if files else [])
            new = pa.array([fate == "new" for fate in became], pa.bool_())
            self._append_silver(look.passing.filter(new), look.at)
        outcomes = [_outcome(row, OPEN, row["broken_rules"]) for row in look.refused]
        outcomes += [_OUTCOMES[fate](row) for row, fate in zip(look.passing.to_pylist(), became, strict=True)]
        looked = {"rules_version": rules.RULES_VERSION, "last_tried_at": look.at}
        quarantine.record(self._lake, [{**row, **looked, "tries": look.tries[place_of(row)] + 1} for row in outcomes])
        return look.retried(became)

    def _read_again(self, places: Sequence[Place]) -> DataFrame:
        """Bronze's records of these places, by today's parser and rules."""
        wanted = quarantine.places_table(places)
        files = self._lake.files_holding(BRONZE, wanted)
        if not files:
            raise DataCheckFailed("Bronze has no record of what is open in quarantine: see what `momo reconcile` says.")
        there = F.broadcast(self._spark.createDataFrame(wanted))
        events = self._lake.read_files(self._spark, BRONZE, files).join(there, list(PLACE), "left_semi")
        dummy, tolerance = self._settings.dummy, self._settings.stream.future_tolerance
        again = bronze.parse_events(bronze.records_of(events), dummy, tolerance)
        return again.drop("key", "payload", "payload_bytes").withColumn("ingested_at", F.lit(None).cast("timestamp"))

    def _passing(self, events: DataFrame) -> DataFrame:
        """What breaks no rule now, as rows of silver but for the times of a batch."""
        rows = enrichment.with_steps(silver.transactions(events), self._silver_columns)
        return rows.select([name for name in SILVER.column_names if name != "stream_time"])

    def _append_silver(self, rows: pa.Table, at: datetime) -> None:
        """One commit, with the newest event time of silver before it, by which gold tells late rows. Silver is held."""
        if not rows.num_rows:
            return
        newest = self._lake.query(f"SELECT max(event_time) AS event, max(ingested_at) AS ingest FROM {SILVER.name}")
        before = newest.to_pylist()[0]
        times = {"stream_time": before["event"], "ingested_at": later(at, before["ingest"])}
        constants = {name: pa.array([time] * rows.num_rows, _TIME) for name, time in times.items()}
        columns = {name: constants[name] if name in constants else rows[name] for name in SILVER.column_names}
        frame = self._spark.createDataFrame(pa.table(columns)).coalesce(1)
        # Cast, for Arrow says nothing of whether an element of a list may be null.
        self._lake.append_held(frame.select([F.col(c.name).cast(c.type) for c in SILVER.columns]), SILVER)


def _rows_of(in_silver: DeltaTable, references: pa.ChunkedArray) -> list[dict[str, Any]]:
    """The rows of silver with one of these references."""
    if not len(references):
        return []
    is_one = pc.field("transaction_reference").isin(references.combine_chunks())
    rows: list[dict[str, Any]] = in_silver.to_pyarrow_dataset().to_table(list(_COMPARED), filter=is_one).to_pylist()
    return rows


def fates(passing: Iterable[Row], known: Iterable[Row]) -> list[str]:
    """What each row that passes, in Kafka's order, is beside the rows of silver with its key.

    `there` (by a retry that was killed), `new`, `repeat` of the first row with its key, or `conflict` with that.
    """
    passing, known = list(passing), list(known)
    there = {place_of(row) for row in known}
    first: dict[tuple[Any, ...], Row] = {}
    for row in (*known, *passing):
        first.setdefault(_values(row, SILVER.key), row)

    def fate(row: Row) -> str:
        of_key = first[_values(row, SILVER.key)]
        if place_of(row) in there:
            return "there"
        if place_of(row) == place_of(of_key):
            return "new"
        same_parties = all(same_token(row[name], of_key[name]) for name in PARTIES)
        return "repeat" if same_parties and _values(row, CONTENT) == _values(of_key, CONTENT) else "conflict"

    return [fate(row) for row in passing]


def _values(row: Row, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _outcome(row: Row, state: str, broken_rules: Sequence[str], closed_reason: str | None = None) -> dict[str, Any]:
    """What quarantine is to say of a row, as it was read now."""
    read = {name: row[name] for name in (*PLACE, "transaction_reference", "amount", "currency")}
    return {**read, "state": state, "last_broken_rules": broken_rules, "closed_reason": closed_reason}


_OUTCOMES = {
    "new": lambda row: _outcome(row, RELEASED, []),
    "there": lambda row: _outcome(row, RELEASED, []),
    "repeat": lambda row: _outcome(row, CLOSED, [], REPEAT_REASON),
    "conflict": lambda row: _outcome(row, OPEN, [CONFLICT_RULE]),
}
