"""What is learned of a day, table by table, and the models that two of the tables need."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import NotFound, SettingsError
from jobs.lake import Lake
from jobs.learning import anomalies, history, isolation, liquidity, models, segments
from jobs.learning.day_tables import put_day
from jobs.learning.models import Stored
from schemas.tables import (
    AGENT_DAY_SCORES,
    AGENT_LIQUIDITY,
    ANOMALIES,
    CUSTOMER_DAY_SCORES,
    CUSTOMER_SEGMENTS,
    LEARNED,
    PER_MINUTE,
    SILVER,
    Table,
)

Floats = Mapping[tuple[str, str], Decimal]
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Learned:
    """What became of a table's day: its rows, those that are flagged or could not be, and whether anything changed.

    `left` says why nothing was done.
    """

    table: str
    rows: int = 0
    flagged: int = 0
    unscored: int = 0
    is_changed: bool = False
    left: str = ""


@dataclass(frozen=True)
class _Scored:
    """A table of day scores: whose days, by which model, and the column that names them."""

    model: str
    entity: str
    days: Callable[[Lake, date, date], pd.DataFrame]


SCORED = {
    AGENT_DAY_SCORES: _Scored("agent_days", "agent_id", history.agent_days),
    CUSTOMER_DAY_SCORES: _Scored("customer_days", "customer_token", history.customer_days),
}
# What is counted as flagged; a null is a row without a score.
_FLAGS = {
    ANOMALIES: "is_anomaly",
    AGENT_LIQUIDITY: "beats_plain",
    AGENT_DAY_SCORES: "is_outlier",
    CUSTOMER_DAY_SCORES: "is_outlier",
}


def learn(lake: Lake, day: date, names: str | None, floats: Floats) -> list[Learned]:
    """Write the day of these tables, of all for None; safe to repeat, for the same day of gold gives the same rows.

    Raises `SettingsError` for a table that is none of these, `TryAgain` while the day is not over.
    """
    tables = _tables(names)
    history.require_over(lake, day)
    done = []
    for table in tables:
        if names is None and table in SCORED and not models.exists(lake, SCORED[table].model):
            done.append(Learned(table.name, left="there is no model yet: run `momo train`"))
            continue
        rows = _rows(lake, table, day, floats)
        is_changed = put_day(lake, table, day, rows)
        flags = rows[_FLAGS[table]] if table in _FLAGS else pa.chunked_array([pa.array([], pa.bool_())])
        done.append(Learned(table.name, rows.num_rows, pc.sum(flags).as_py() or 0, flags.null_count, is_changed))
    return done


def train(lake: Lake, first: date, end: date) -> list[Stored]:
    """A model of agents' days and one of customers', from the days of silver before `end`.

    Raises `SettingsError` when these are no days, `NotFound` when there is too little of one kind; the other is kept.
    """
    if first >= end:
        raise SettingsError(f"--to is {end}, a day after --from ({first}) is expected: the day after the last one.")
    if lake.open(SILVER) is None or lake.open(PER_MINUTE) is None:
        raise SettingsError(f"There are no tables in {lake.path}: run `momo stream` first, or name another --lake.")
    isolation.require_library()
    trained, lacks = [], []
    for scored in SCORED.values():
        try:
            trained.append(_trained(lake, scored, first, end - _DAY))
        except NotFound as lack:
            lacks.append(f"The model {scored.model} cannot be trained from {first} to {end}: {lack}")
    if lacks:
        raise NotFound(" ".join(lacks))
    return trained


def _tables(names: str | None) -> list[Table]:
    known = {table.name: table for table in LEARNED}
    wanted = list(known) if names is None else list(dict.fromkeys(names.split(",")))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SettingsError(f"--tables names '{unknown[0]}', which is not learned: choose from {', '.join(known)}.")
    return [known[name] for name in wanted]


def _rows(lake: Lake, table: Table, day: date, floats: Floats) -> pa.Table:
    if table == ANOMALIES:
        return _anomalies(lake, day)
    if table == AGENT_LIQUIDITY:
        return liquidity.forecasts(history.agent_flows(lake, day - history.HISTORY_DAYS * _DAY, day), day, floats)
    if table == CUSTOMER_SEGMENTS:
        activity = history.customer_activity(lake, day)
        return segments.segmented(activity, day, history.first_day(lake) or day)
    scored = SCORED[table]
    stored, model = models.load(lake, scored.model)
    return isolation.scored_days(scored.days(lake, day, day), model, stored.version, table, scored.entity)


def _anomalies(lake: Lake, day: date) -> pa.Table:
    first, last = day - history.HISTORY_DAYS * _DAY, day - _DAY
    before, of_day = history.minute_windows(lake, first, last), history.minute_windows(lake, day, day)
    parts = [anomalies.scored_windows(before, of_day, anomalies.TYPES, day)]
    for agents in history.agent_ranges(lake, day, day):
        before, of_day = (history.agent_windows(lake, *days, agents) for days in ((first, last), (day, day)))
        parts.append(anomalies.scored_windows(before, of_day, anomalies.AGENTS, day))
    return pa.concat_tables(parts)


def _trained(lake: Lake, scored: _Scored, first: date, last: date) -> Stored:
    # Rows of these days that come between this and the reading are in the data, and in their hash, all the same.
    version = lake.newest_version(SILVER)
    days = scored.days(lake, first, last)
    model = isolation.train(days)
    about = {
        "first_day": str(first),
        "last_day": str(last),
        "delta_versions": {SILVER.name: version},
        "data_sha256": hashlib.sha256(days.to_csv(index=False).encode()).hexdigest(),
        "features": list(isolation.FEATURES),
        "parameters": isolation.PARAMETERS,
        "scikit_learn": isolation.require_library(),
        "metrics": {
            "days": len(days),
            "currencies": len(model.currencies),
            "median_score": round(float(np.median(model.trained_scores)), 4),
            "outlier_above": round(model.outlier_above, 4),
        },
    }
    return models.save(lake, scored.model, model, about)
