"""Forecasts of an agent's float: the profile where there is one, the plain rule where there is none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jobs.errors import SettingsError
from jobs.learning.floats import read_floats
from jobs.learning.liquidity import daily_paths, forecast, forecasts
from schemas.tables import AGENT_LIQUIDITY
from tests.learning import worlds
from tests.learning.worlds import DAY

AGENT = ("AG-1", "UGX")
# The day after DAY, a Thursday.
NEXT = datetime(2026, 3, 26, tzinfo=UTC)


def row(flows, float_amount=None):
    (found,) = forecasts(flows, DAY, {AGENT: float_amount} if float_amount is not None else {}).to_pylist()
    return found


def steady(days, change):
    """The same change in each hour of each day."""
    starts = pd.date_range(NEXT - timedelta(days=days), periods=days * 24, freq="1h")
    return pd.DataFrame({"window_start": starts, "agent_id": "AG-1", "currency": "UGX", "net_float": float(change)})


def test_an_agent_with_a_week_is_forecast_by_its_weekday_and_better_than_by_the_plain_rule():
    found = row(worlds.agent_flows(43, "weekly"))

    assert found["method"] == "weekday"
    assert found["beats_plain"]
    assert found["profile_error"] < found["plain_error"] / 3
    assert (found["tested_days"], found["history_days"]) == (14, 42)
    assert found["reason"].startswith("the profile 'weekday' was nearer than the plain rule")
    # Twelve open hours of 15,000 each; the noise of 3,000 an hour adds up to some 10,000.
    assert abs(found["cumulative_net_float"][-1] - 180_000) < 20_000
    ends = zip(found["cumulative_low"], found["cumulative_net_float"], found["cumulative_high"], strict=True)
    assert all(low <= middle <= high for low, middle, high in ends)


def test_where_no_profile_is_nearer_it_is_said_and_the_plain_rule_is_offered():
    found = row(worlds.agent_flows(43, "drifting"))

    assert (found["method"], found["beats_plain"]) == ("yesterday", False)
    assert found["profile_error"] > found["plain_error"]
    assert found["reason"] == "no profile was nearer than the plain rule 'yesterday', so that is offered"


def test_each_day_of_the_test_is_forecast_from_what_was_before_it_alone():
    paths = np.cumsum(np.ones((19, 24)), axis=1)
    shocked = paths.copy()
    shocked[-1] *= 1000

    before, after = forecast(paths), forecast(shocked)

    # The shock of the last day is one day's error of fourteen for each rule; no earlier day knew of it.
    assert before.profile_error == before.plain_error == 0
    assert after.profile_error == pytest.approx(999 * 12.5 / 14)


def test_a_float_runs_out_in_the_hour_in_which_more_is_gone_than_there_was():
    flows = steady(20, change=-1000)

    assert row(flows, Decimal(5000))["runs_out_at"] == NEXT + timedelta(hours=6)
    assert row(flows, Decimal("4999.99"))["runs_out_at"] == NEXT + timedelta(hours=5)
    assert row(flows, Decimal(24_000))["runs_out_at"] is None
    assert row(flows)["runs_out_at"] is None
    # Every day was the same, so there is no doubt.
    found = row(flows, Decimal(5000))
    assert found["runs_out_earliest"] == found["runs_out_latest"] == found["runs_out_at"]


def test_the_doubt_about_the_hour_is_that_of_the_tested_days():
    flows = steady(20, change=-1000)
    flows.loc[flows["window_start"] >= NEXT - timedelta(days=1), "net_float"] = -1500.0
    flows.loc[flows["window_start"] < NEXT - timedelta(days=15), "net_float"] = -1000.0

    found = row(flows, Decimal(9000))

    assert found["runs_out_earliest"] < found["runs_out_latest"]
    assert found["runs_out_earliest"] <= found["runs_out_at"] <= found["runs_out_latest"]


def test_with_too_few_days_there_is_no_forecast_and_the_reason_is_said():
    found = row(steady(10, change=5), Decimal(100))

    assert found["reason"] == "history is too short: 9 days, 10 are needed"
    said = {"day", "agent_id", "currency", "history_days", "float_amount", "reason"}
    assert {name for name in AGENT_LIQUIDITY.column_names if found[name] is not None} == said
    assert row(steady(11, change=5))["method"] is not None


def test_an_agent_that_stands_still_is_forecast_to_stand_still():
    found = row(worlds.agent_flows(43, "still"), Decimal(0))

    assert found["cumulative_net_float"] == [Decimal("0.0000")] * 24
    assert (found["method"], found["profile_error"], found["runs_out_at"]) == ("yesterday", 0, None)


def test_agents_and_currencies_are_kept_apart():
    flows = pd.concat([steady(12, 5), steady(12, 7).assign(currency="KES"), steady(12, 9).assign(agent_id="AG-2")])

    paths = daily_paths(flows, DAY)

    assert {name: path[-1][-1] for name, path in paths.items()} == {
        ("AG-1", "KES"): 7 * 24,
        ("AG-1", "UGX"): 5 * 24,
        ("AG-2", "UGX"): 9 * 24,
    }


def test_no_agent_gives_no_row():
    assert forecasts(steady(1, 1).iloc[:0], DAY, {}).num_rows == 0


def test_floats_are_read_by_agent_and_currency(tmp_path):
    path = tmp_path / "floats.csv"
    path.write_text("agent_id,currency,float_amount\nAG-1,UGX,250000\nAG-1,KES,1200.50\n")

    assert read_floats(path) == {("AG-1", "UGX"): Decimal(250000), ("AG-1", "KES"): Decimal("1200.50")}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("agent,float\n", "has other columns than agent_id,currency,float_amount"),
        ("agent_id,currency,float_amount\nAG-1,UGX,much\n", "Line 2 of .* has no float_amount such as"),
        ("agent_id,currency,float_amount\nAG-1,UGX,1e400000000\n", "Line 2 of .* has no float_amount such as"),
        ("agent_id,currency,float_amount\nAG-1,UGX,NaN\n", "Line 2 of .* has no float_amount such as"),
        ("agent_id,currency,float_amount\nAG-1,UGX,1.00001\n", "Line 2 of .* has no float_amount such as"),
        ("agent_id,currency,float_amount\nAG-1,UGX\n", "Line 2 of .* has no float_amount such as"),
        (
            "agent_id,currency,float_amount\nAG-1,UGX,1\nAG-1,UGX,2\n",
            "Line 3 of .* has an agent and currency once more",
        ),
    ],
)
def test_a_file_of_floats_that_is_none_is_refused_by_its_line(tmp_path, text, sentence):
    path = tmp_path / "floats.csv"
    path.write_text(text)

    with pytest.raises(SettingsError, match=sentence):
        read_floats(path)
