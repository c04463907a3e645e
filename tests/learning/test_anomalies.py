"""Windows judged by their past: what is planted is found, what is usual is not, and what cannot be told is said."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jobs.learning.anomalies import AGENTS, LEAST_WINDOWS, TYPES, scored_windows
from schemas.tables import ANOMALIES
from tests.learning import worlds
from tests.learning.worlds import DAY, MIDNIGHT

HISTORY = worlds.minutes(42)
NOTHING = HISTORY.iloc[:0]


def found(rows, **wanted):
    return [row for row in rows.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def at(rows):
    return {(row["window_start"].hour * 60 + row["window_start"].minute, row["measure"]) for row in rows}


def test_a_usual_day_raises_no_alarm_and_each_of_its_windows_is_judged():
    day = worlds.minutes(1, seed=9, first=MIDNIGHT)

    rows = scored_windows(HISTORY, day, TYPES, DAY)

    assert rows.column_names == ANOMALIES.column_names
    assert found(rows, is_anomaly=True) == []
    assert rows["score"].null_count == 0
    assert set(rows["baseline"].to_pylist()) == {"hour_of_week"}
    # Each window with an attempt by count and share, each with money by amount.
    with_money = int((day["amount"] > 0).sum())
    assert rows.num_rows == 2 * len(day) + with_money


def test_what_is_planted_is_found_where_it_shows():
    day, planted = worlds.planted_day()

    rows = scored_windows(HISTORY, day, TYPES, DAY)

    alarms = at(found(rows, is_anomaly=True))
    assert set(planted) <= alarms
    # The same windows may show in another measure too, and no other window does.
    assert {minute for minute, _ in alarms} == {minute for minute, _ in planted}
    (spike,) = [row for row in found(rows, measure="count") if at([row]) == {(600, "count")}]
    assert spike["reason"] == "above what is usual by hour_of_week"
    assert spike["score"] > 5
    assert spike["expected_low"] <= spike["expected"] <= spike["expected_high"] < spike["observed"]


def test_silence_is_a_window_of_none_only_where_it_is_unusual():
    day = worlds.minutes(1, seed=9, first=MIDNIGHT)
    is_silent = day["window_start"].dt.hour.isin([1, 18])

    rows = scored_windows(HISTORY, day[~is_silent], TYPES, DAY)

    # At one in the night two transactions are usual in a minute, and none is nothing odd.
    silent = found(rows, observed=Decimal("0.0000"), measure="count")
    assert at(silent) == {(minute, "count") for minute in range(18 * 60, 19 * 60)}
    assert {row["reason"] for row in silent} == {"below what is usual by hour_of_week"}


def test_money_is_shown_to_the_last_digit():
    day = worlds.minutes(1, seed=9, first=MIDNIGHT).query("completed > 0")
    sums = [Decimal("12345678901234567.1234") + i for i in range(len(day))]

    rows = found(scored_windows(HISTORY, day.assign(amount=sums), TYPES, DAY), measure="amount")

    assert sorted(row["observed"] for row in rows) == sums


def test_a_constant_past_neither_divides_by_zero_nor_calls_a_tenth_unusual():
    starts = pd.date_range(MIDNIGHT - timedelta(days=14), periods=15 * 1440, freq="1min")
    same = np.full(len(starts), 10)
    windows = worlds.windows(starts, same, same, same * 1000)
    day = windows[windows["window_start"] >= MIDNIGHT].copy()
    day.iloc[100, day.columns.get_loc("amount")] = Decimal(11_000)
    day.iloc[200, day.columns.get_loc("amount")] = Decimal(30_000)

    rows = scored_windows(windows[windows["window_start"] < MIDNIGHT], day, TYPES, DAY)

    assert np.isfinite(rows["score"].to_numpy()).all()
    assert at(found(rows, is_anomaly=True)) == {(200, "amount")}


@pytest.mark.parametrize(
    ("days", "baseline"),
    [(21, "hour_of_week"), (20, "hour_of_day"), (3, "hour_of_day"), (2, "overall"), (1, "overall")],
)
def test_with_less_history_it_is_the_hour_of_the_day_and_then_all_hours(days, baseline):
    # The day is a Wednesday, and the third one before it 21 days away.
    day = worlds.minutes(1, seed=9, first=MIDNIGHT)

    rows = scored_windows(worlds.minutes(days), day, TYPES, DAY)

    assert set(rows["baseline"].to_pylist()) == {baseline}


@pytest.mark.parametrize("windows", [0, LEAST_WINDOWS - 1])
def test_with_too_few_windows_there_is_no_score_and_the_reason_is_said(windows):
    day = worlds.minutes(1, seed=9, first=MIDNIGHT)

    rows = scored_windows(HISTORY.tail(windows), day, TYPES, DAY)

    nothing = dict.fromkeys(["score", "expected", "expected_low", "expected_high", "baseline", "is_anomaly"])
    judged = [*found(rows, measure="amount"), *found(rows, measure="success_rate")]
    assert [row | nothing for row in judged] == judged
    reason = f"history is too short: {windows} windows, {LEAST_WINDOWS} are needed"
    assert {row["reason"] for row in judged} == {reason}


def test_a_series_is_judged_by_its_own_past_alone():
    day = pd.concat([worlds.minutes(1, seed=9, first=MIDNIGHT).assign(entity=name) for name in ("transfer", "deposit")])

    rows = scored_windows(HISTORY, day, TYPES, DAY)

    assert {row["entity"] for row in found(rows, score=None)} == {"deposit"}
    assert found(rows, entity="deposit") == found(rows, entity="deposit", score=None)


def test_an_agent_is_judged_in_the_windows_it_worked_in():
    starts = pd.date_range(MIDNIGHT - timedelta(days=28), periods=29 * 288, freq="5min")
    at_work = starts[(starts.hour >= 8) & (starts.hour < 18)]
    count = np.random.default_rng(1).poisson(4, len(at_work))
    past = worlds.windows(at_work, count, count, count * 20_000, entity="AG-1")
    is_today = past["window_start"] >= MIDNIGHT
    today = past[is_today].iloc[40:].copy()
    today.iloc[0, today.columns.get_indexer(["attempts", "completed"])] = 40
    today.iloc[0, today.columns.get_loc("amount")] = Decimal(800_000)

    rows = scored_windows(past[~is_today], today, AGENTS, DAY)

    assert {row["measure"] for row in rows.to_pylist()} == {"count", "amount"}
    assert rows.num_rows == 2 * len(today)
    assert [row["observed"] for row in found(rows, is_anomaly=True)] == [Decimal(40)]


def test_without_any_window_there_is_no_row():
    assert scored_windows(NOTHING, NOTHING, TYPES, DAY).num_rows == 0
