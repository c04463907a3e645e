"""Made-up pasts with a known answer: a seed gives the same one, and what is planted is told."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

DAY = date(2026, 3, 25)
MIDNIGHT = datetime(2026, 3, 25, tzinfo=UTC)
# Transactions a minute by hour of the day; on Sundays half of them.
HOURLY = np.array([3, 2, 2, 2, 2, 3, 5, 8, 12, 15, 18, 20, 22, 24, 24, 24, 26, 30, 34, 36, 30, 20, 10, 5])


def minutes(days: int, seed: int = 1, first: datetime | None = None) -> pd.DataFrame:
    """Minutes of one type as `history.minute_windows` gives them; none where nothing happened."""
    random = np.random.default_rng(seed)
    starts = pd.date_range(first or MIDNIGHT - timedelta(days=days), periods=days * 1440, freq="1min")
    mean = HOURLY[starts.hour] * np.where(starts.dayofweek == 6, 0.5, 1.0)
    attempts = random.poisson(mean)
    completed = random.binomial(attempts, 0.96)
    amount = [int(random.lognormal(10, 1, n).sum()) for n in completed]
    return windows(starts, attempts, completed, amount)


def windows(starts, attempts, completed, amount, entity="transfer") -> pd.DataFrame:
    """Rows of windows, those without a transaction left out; amounts are decimals."""
    frame = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex(starts),
            "entity": entity,
            "currency": "UGX",
            "attempts": attempts,
            "completed": completed,
            "amount": [Decimal(int(value)) for value in amount],
        }
    )
    return frame[frame["attempts"] > 0].reset_index(drop=True)


def planted_day(seed: int = 2) -> tuple[pd.DataFrame, dict[tuple[int, str], str]]:
    """A day like the others with four odd things in it: the minute of the day and the measure in which each shows."""
    frame = minutes(1, seed, MIDNIGHT)
    minute = ((frame["window_start"] - MIDNIGHT) // pd.Timedelta(minutes=1)).to_numpy()
    frame.loc[minute == 600, ["attempts", "completed"]] *= 4
    frame.loc[minute == 720, "amount"] = [Decimal(50_000_000)]
    frame.loc[minute == 840, "completed"] = 2
    frame = frame[(minute < 960) | (minute >= 965)].reset_index(drop=True)
    silent = {(m, "count"): "silence" for m in range(960, 965)}
    return frame, {
        (600, "count"): "four times as many",
        (720, "amount"): "one large transfer",
        (840, "success_rate"): "most fail",
        **silent,
    }


def agent_flows(days: int, kind: str, seed: int = 3, agent: str = "AG-1") -> pd.DataFrame:
    """Net float of an agent by the hour, as `history.agent_flows` gives it, up to the end of `DAY`.

    `weekly`: cash-out by day and cash-in on Fridays, the same each week but for noise. `drifting`: today is as
    yesterday was, with a little added; no week in it. `still`: nothing at all but one deposit on the first day.
    """
    random = np.random.default_rng(seed)
    starts = pd.date_range(MIDNIGHT + timedelta(days=1 - days), periods=days * 24, freq="1h")
    if kind == "weekly":
        open_hours = (starts.hour >= 7) & (starts.hour < 19)
        level = np.where(starts.dayofweek == 4, -40_000, 15_000) * open_hours
        flow = level + random.normal(0, 3_000, len(starts)) * open_hours
    elif kind == "drifting":
        daily = np.repeat(random.normal(0, 20_000, days).cumsum(), 24)
        flow = daily + random.normal(0, 500, len(starts))
    else:
        flow = np.zeros(len(starts))
        flow[0] = -1000
    frame = pd.DataFrame({"window_start": starts, "agent_id": agent, "currency": "UGX", "net_float": flow.round()})
    return frame[frame["net_float"] != 0].reset_index(drop=True)


def days(number: int, seed: int = 4, currency: str = "UGX", scale: float = 1.0) -> pd.DataFrame:
    """Usual days of agents, as `history.agent_days` gives them: amounts of any size, each customer about once."""
    random = np.random.default_rng(seed)
    count = random.poisson(40, number) + 5
    return pd.DataFrame(
        {
            "day": DAY,
            "entity": [f"AG-{currency}-{i:05d}" for i in range(number)],
            "currency": currency,
            "transaction_count": count,
            "amount": [Decimal(int(n * scale * random.lognormal(10, 0.8))) for n in count],
            "distinct_parties": (count * random.uniform(0.75, 1.0, number)).astype(int),
            "active_hours": np.minimum(random.poisson(11, number) + 1, 20),
            "round_share": random.beta(14, 6, number),
            "in_share": random.beta(12, 10, number),
        }
    )


def planted_days(number: int = 2000, seed: int = 5) -> tuple[pd.DataFrame, dict[str, str]]:
    """Usual days and five odd ones, one of them by its amount: agents and what is odd about them."""
    frame = days(number, seed)
    middle = int(frame["amount"].astype(float).median())
    odd = {
        "AG-SPLIT": ("many of two customers", dict(transaction_count=130, distinct_parties=2, active_hours=3)),
        "AG-LOOP": ("all in an hour with one party", dict(transaction_count=60, distinct_parties=1, active_hours=1)),
        "AG-NIGHT": ("around the clock, cash-out alone", dict(active_hours=24, in_share=1.0)),
        "AG-ODD": ("cash-in alone, of no round amount", dict(round_share=0.0, in_share=0.0)),
        "AG-RICH": ("fifty times the money", dict(amount=Decimal(50 * middle))),
    }
    usual = frame.iloc[0].to_dict() | {"amount": Decimal(middle)}
    planted = pd.DataFrame([usual | {"entity": name} | change for name, (_, change) in odd.items()])
    return pd.concat([frame, planted], ignore_index=True), {name: what for name, (what, _) in odd.items()}
