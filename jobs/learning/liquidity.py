"""How an agent's e-money float will change in the 24 hours after a day: pure, pandas in, Arrow out.

A path is the change since midnight (UTC) after each of the day's 24 hours. A profile is the median of the paths of days
before, hour by hour. Each rule is tested on the newest days, one after the other, from what was before each of them
alone; a profile is offered only where it was nearer than the plain rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.learning.arrow import table_of
from jobs.learning.measures import Numbers
from schemas.tables import AGENT_LIQUIDITY

HOURS = 24
TESTED_DAYS = 14
LEAST_TESTED_DAYS = 5
LEAST_PAST_DAYS = 5
PROFILE_DAYS = 28
_KEYS = ["agent_id", "currency"]
_DIGITS = Decimal("0.0001")

# The paths of the days before, one row a day, the newest last → the path of the next day; None without enough days.
Rule = Callable[[Numbers], Numbers | None]


def _weekday(past: Numbers) -> Numbers | None:
    """The median of the four same days of the week."""
    same = past[-7::-7][:4]
    return _median(same) if len(same) == 4 else None


def _daily(past: Numbers) -> Numbers | None:
    return _median(past[-PROFILE_DAYS:])


def _yesterday(past: Numbers) -> Numbers | None:
    return np.asarray(past[-1], dtype=np.float64)


def _flat(past: Numbers) -> Numbers | None:
    return np.zeros(HOURS)


def _median(paths: Numbers) -> Numbers:
    return np.asarray(np.median(paths, axis=0), dtype=np.float64)


PROFILES: dict[str, Rule] = {"weekday": _weekday, "daily": _daily}
PLAIN: dict[str, Rule] = {"yesterday": _yesterday, "flat": _flat}


@dataclass(frozen=True)
class Forecast:
    """The path of the rule that is offered, with its worst errors of the tested days on both sides.

    `profile_error` and `plain_error` are the mean absolute errors of the better of each.
    """

    method: str
    path: Numbers
    low: Numbers
    high: Numbers
    tested_days: int
    profile: str
    profile_error: float
    plain: str
    plain_error: float

    @property
    def beats_plain(self) -> bool:
        """Whether a profile is offered."""
        return self.method == self.profile


def forecast(paths: Numbers) -> Forecast | None:
    """The next day's path from those of all days before, one row a day; None when they are too few."""
    tested = min(TESTED_DAYS, len(paths) - LEAST_PAST_DAYS)
    if tested < LEAST_TESTED_DAYS:
        return None
    rules = PROFILES | PLAIN
    errors = {name: error for name, rule in rules.items() if (error := _errors(rule, paths, tested)) is not None}
    off = {name: float(np.abs(error).mean()) for name, error in errors.items()}
    profile, plain = (min((name for name in kind if name in off), key=off.__getitem__) for kind in (PROFILES, PLAIN))
    method = profile if off[profile] < off[plain] else plain
    path = rules[method](paths)
    assert path is not None
    low, high = path + errors[method].min(axis=0), path + errors[method].max(axis=0)
    # An error of one side alone says nothing of the other: what is expected is within.
    low, high = np.minimum(low, path), np.maximum(high, path)
    return Forecast(method, path, low, high, tested, profile, off[profile], plain, off[plain])


def _errors(rule: Rule, paths: Numbers, tested: int) -> Numbers | None:
    """What came less what the rule had said, of the newest days; None when it had nothing to say on one of them."""
    said = [rule(paths[:day]) for day in range(len(paths) - tested, len(paths))]
    known = [path for path in said if path is not None]
    return paths[-tested:] - np.array(known) if len(known) == tested else None


def daily_paths(windows: pd.DataFrame, day: date) -> dict[tuple[str, str], Numbers]:
    """By agent and currency: the paths of the days up to this one, from the first whole day that the agent is known.

    `windows` has one row per (window_start, agent_id, currency), with `net_float`.
    """
    if windows.empty:
        return {}
    start = windows["window_start"].min().normalize()
    days = (pd.Timestamp(day, tz="UTC") - start).days + 1
    groups = windows.groupby(_KEYS, sort=True)
    agent = groups.ngroup().to_numpy()
    hour = ((windows["window_start"] - start) // pd.Timedelta(hours=1)).to_numpy()
    flows = np.zeros((groups.ngroups, days * HOURS))
    np.add.at(flows, (agent, hour), windows["net_float"].to_numpy(float))
    paths = flows.reshape(groups.ngroups, days, HOURS).cumsum(axis=2)
    first = (groups["window_start"].min().dt.normalize() - start).dt.days.to_numpy() + 1
    names = [(str(name), str(currency)) for name, currency in groups.size().index.to_list()]
    return {name: paths[i, first[i] :] for i, name in enumerate(names)}


def forecasts(windows: pd.DataFrame, day: date, floats: Mapping[tuple[str, str], Decimal]) -> pa.Table:
    """Rows of `gold_agent_liquidity_forecast`; `floats` are the floats at the day's end, of whom they are known."""
    paths = daily_paths(windows, day)
    rows = [_row(key, past, day, floats.get(key)) for key, past in paths.items()]
    return table_of(AGENT_LIQUIDITY, {name: [row[name] for row in rows] for name in AGENT_LIQUIDITY.column_names})


def _row(key: tuple[str, str], past: Numbers, day: date, float_amount: Decimal | None) -> dict[str, Any]:
    found = forecast(past)
    row = dict.fromkeys(AGENT_LIQUIDITY.column_names) | {
        "day": day,
        "agent_id": key[0],
        "currency": key[1],
        "history_days": len(past),
        "float_amount": float_amount,
        "reason": f"history is too short: {len(past)} days, {LEAST_PAST_DAYS + LEAST_TESTED_DAYS} are needed",
    }
    if found is None:
        return row
    return row | {
        "method": found.method,
        "cumulative_net_float": _money(found.path),
        "cumulative_low": _money(found.low),
        "cumulative_high": _money(found.high),
        "runs_out_at": _runs_out(found.path, float_amount, day),
        "runs_out_earliest": _runs_out(found.low, float_amount, day),
        "runs_out_latest": _runs_out(found.high, float_amount, day),
        "tested_days": found.tested_days,
        "profile_error": _money([found.profile_error])[0],
        "plain_error": _money([found.plain_error])[0],
        "beats_plain": found.beats_plain,
        "reason": _reason(found),
    }


def _runs_out(path: Numbers, float_amount: Decimal | None, day: date) -> pd.Timestamp | None:
    """The end of the first hour by which more is gone than there was."""
    is_out = path + float(float_amount) < 0 if float_amount is not None else np.zeros(HOURS, dtype=bool)
    midnight = pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    return midnight + pd.Timedelta(hours=int(is_out.argmax()) + 1) if is_out.any() else None


def _money(values: Numbers | list[float]) -> list[Decimal]:
    return [Decimal(repr(float(value))).quantize(_DIGITS) for value in values]


def _reason(found: Forecast) -> str:
    if found.beats_plain:
        return f"the profile '{found.profile}' was nearer than the plain rule '{found.plain}'"
    return f"no profile was nearer than the plain rule '{found.plain}', so that is offered"
