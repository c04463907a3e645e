"""Windows that differ from what was usual at their time of the week: pure, pandas in, Arrow out.

Usual is the median of the windows before, and how far they lie from it (median absolute deviation): neither is moved by
the odd values that are looked for. By hour of the week where there are enough of them, else by hour of the day, else
by all of them; with too few windows there is no score, and the reason says so.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.learning.arrow import arrow_schema, decimals, table_of
from jobs.learning.measures import AMOUNT, COUNT, NORMAL, SUCCESS_RATE, Measure
from schemas.tables import ANOMALIES

KEYS = ["entity", "currency"]
LEAST_WINDOWS = 30
# A country's day has some 300,000 windows and measures: beyond 5 spreads chance puts less than one of them, beyond the
# usual 3.5 it puts 140.
ANOMALY_SCORE = 5.0


@dataclass(frozen=True)
class Series:
    """What the windows are of, and what is judged; whether a window without a transaction is one of none.

    Of an agent it is not: agents come and go, and nobody misses five minutes of one.
    """

    entity_type: str
    minutes: int
    measures: tuple[Measure, ...]
    is_continuous: bool


TYPES = Series("transaction_type", 1, (COUNT, AMOUNT, SUCCESS_RATE), is_continuous=True)
# Agents' windows count what is completed alone.
AGENTS = Series("agent", 5, (COUNT, AMOUNT), is_continuous=False)


@dataclass(frozen=True)
class _Level:
    """What a window is compared with: windows of the same bucket, from so many days at least."""

    name: str
    bucket: tuple[str, ...]
    least_days: int


_LEVELS = (
    _Level("hour_of_week", ("hour_of_week",), 3),
    _Level("hour_of_day", ("hour_of_day",), 3),
    _Level("overall", (), 1),
)


def scored_windows(history: pd.DataFrame, windows: pd.DataFrame, series: Series, day: date) -> pa.Table:
    """The windows of a day judged by those before it, as rows of `gold_anomalies`.

    Both frames have one row per (window_start, entity, currency), with `attempts`, `completed` and `amount`; amounts
    of the day are decimals. The day must be over: from the first window of a series on, silence is judged too.
    """
    parts = [arrow_schema(ANOMALIES).empty_table()]
    # One after the other, for a country's windows of six weeks are hundreds of thousands.
    for currency in sorted({*history["currency"], *windows["currency"]}):
        before, of_day = (frame[frame["currency"] == currency] for frame in (history, windows))
        parts += _scored(before, of_day, series, day)
    return pa.concat_tables(parts).sort_by([(name, "ascending") for name in ANOMALIES.key])


def _scored(history: pd.DataFrame, windows: pd.DataFrame, series: Series, day: date) -> list[pa.Table]:
    """Measure by measure."""
    start = pd.Timestamp(day, tz="UTC")
    history, windows = _timed(history), _timed(windows)
    if series.is_continuous:
        begins = pd.concat([history, windows]).groupby(KEYS, observed=True)["window_start"].min()
        first = history["window_start"].min() if len(history) else start
        history = _with_silence(history, begins, pd.Timestamp(first), start, series.minutes)
        windows = _with_silence(windows, begins, start, start + pd.Timedelta(days=1), series.minutes)
    return [_rows(_judged(history, windows, measure), measure, series, day) for measure in series.measures]


def _timed(windows: pd.DataFrame) -> pd.DataFrame:
    start = windows["window_start"].dt.as_unit("us")
    return windows.assign(
        window_start=start,
        date=start.dt.normalize(),
        hour_of_day=start.dt.hour,
        hour_of_week=start.dt.dayofweek * 24 + start.dt.hour,
    )


def _with_silence(
    windows: pd.DataFrame, begins: "pd.Series[pd.Timestamp]", start: pd.Timestamp, end: pd.Timestamp, minutes: int
) -> pd.DataFrame:
    """All windows of a stretch of time, of each series from its first one on: those that gold lacks have none."""
    starts = pd.date_range(start, end, freq=f"{minutes}min", inclusive="left", unit="us", name="window_start")
    grid = begins.rename("begins").reset_index().merge(starts.to_frame(index=False), how="cross")
    grid = grid[grid["window_start"] >= grid["begins"]]
    columns = [*KEYS, "window_start", "attempts", "completed", "amount"]
    filled = grid[columns[:3]].merge(windows[columns], on=columns[:3], how="left")
    return _timed(filled.assign(attempts=filled["attempts"].fillna(0.0), completed=filled["completed"].fillna(0.0)))


def _judged(history: pd.DataFrame, windows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The windows that have a value: `expected`, `low`, `high`, `score`, NaN where history is too short."""
    rows = _with_value(windows, measure)
    usual = _usual(_with_value(history, measure), rows, measure)
    value, trials = rows["value"].to_numpy(float), rows["trials"].to_numpy(float)
    centre, spread = usual["centre"].to_numpy(float), usual["spread"].to_numpy(float)
    middle, shown = measure.to_scale(centre, trials), trials if measure.is_sum else 1.0
    return rows.assign(
        baseline=usual["baseline"].where(usual["baseline"].notna(), None),
        history_windows=usual["history_windows"],
        expected=centre * shown,
        low=measure.from_scale(middle - ANOMALY_SCORE * spread, trials) * shown,
        high=measure.from_scale(middle + ANOMALY_SCORE * spread, trials) * shown,
        score=(measure.to_scale(value, trials) - middle) / spread,
    )


def _with_value(windows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    valued = windows.assign(value=measure.value(windows), trials=windows[measure.trials])
    return valued.dropna(subset=["value"]).reset_index(drop=True)


def _usual(past: pd.DataFrame, rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """What each row is compared with, by the first level that has enough; else the windows there are, and no more."""
    chosen = pd.DataFrame({"centre": np.nan, "spread": np.nan, "history_windows": 0.0}, index=rows.index)
    chosen["baseline"] = pd.Series(None, index=rows.index, dtype=object)
    for level in _LEVELS:
        usual = _usual_of(level, past, measure)
        found = rows[[*KEYS, *level.bucket]].merge(usual, on=[*KEYS, *level.bucket], how="left")
        is_enough = (found["history_windows"] >= LEAST_WINDOWS) & (found["days"] >= level.least_days)
        takes = chosen["baseline"].isna() & is_enough
        for column in ("centre", "spread", "history_windows"):
            chosen[column] = chosen[column].where(~takes, found[column])
        chosen["baseline"] = chosen["baseline"].where(~takes, level.name)
    lacks = chosen["baseline"].isna()
    chosen["history_windows"] = chosen["history_windows"].where(~lacks, found["history_windows"].fillna(0.0))
    return chosen


def _usual_of(level: _Level, past: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """One row per series and bucket: `centre`, `spread` on the measure's scale, `history_windows`, `days`."""
    keys = [*KEYS, *level.bucket]
    groups = past.groupby(keys, observed=True)
    usual = pd.DataFrame(
        {
            "history_windows": groups.size().astype(float),
            "days": groups["date"].nunique(),
            "centre": measure.centre(past, keys),
        }
    ).reset_index()
    each = past[[*keys, "value", "trials"]].merge(usual, on=keys)
    trials = each["trials"].to_numpy(float)
    centre, value = (measure.to_scale(each[name].to_numpy(float), trials) for name in ("centre", "value"))
    off = each.assign(off=np.abs(value - centre)).groupby(keys, observed=True)["off"].median()
    spread = (NORMAL * off).clip(lower=measure.least_spread).rename("spread").reset_index()
    return usual.merge(spread, on=keys)


def _rows(judged: pd.DataFrame, measure: Measure, series: Series, day: date) -> pa.Table:
    """As rows of the table; of windows without a transaction those alone that are unusual."""
    is_anomaly = judged["score"].abs() > ANOMALY_SCORE
    judged = judged.assign(is_anomaly=is_anomaly)[is_anomaly | (judged["attempts"] > 0)]
    has_score = judged["score"].notna()
    return table_of(
        ANOMALIES,
        {
            "day": day,
            "window_start": judged["window_start"],
            "window_minutes": series.minutes,
            "entity_type": series.entity_type,
            "entity": judged["entity"],
            "currency": judged["currency"],
            "measure": measure.name,
            # To the last digit, as gold has it.
            "observed": judged["amount"] if measure is AMOUNT else decimals(judged["value"]),
            "expected": decimals(judged["expected"]),
            "expected_low": decimals(judged["low"]),
            "expected_high": decimals(judged["high"]),
            "score": judged["score"],
            "is_anomaly": judged["is_anomaly"].astype(object).where(has_score, None),
            "baseline": judged["baseline"],
            "history_windows": judged["history_windows"].astype("int64"),
            "reason": _reasons(judged),
        },
    )


def _reasons(judged: pd.DataFrame) -> list[str]:
    score, baseline = judged["score"].to_numpy(float), judged["baseline"].tolist()
    return [_reason(*row) for row in zip(score, baseline, judged["history_windows"].astype(int), strict=True)]


def _reason(score: float, baseline: str | None, windows: int) -> str:
    if baseline is None:
        return f"history is too short: {windows} windows, {LEAST_WINDOWS} are needed"
    side = "within" if abs(score) <= ANOMALY_SCORE else "above" if score > 0 else "below"
    return f"{side} what is usual by {baseline}"
