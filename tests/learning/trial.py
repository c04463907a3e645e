"""How well the learning does on pasts with a known answer: python -m tests.learning.trial prints docs/learning.md's figures."""

from dataclasses import dataclass

import numpy as np

from jobs.learning import isolation
from jobs.learning.anomalies import TYPES, scored_windows
from jobs.learning.liquidity import daily_paths, forecast
from schemas.tables import AGENT_DAY_SCORES
from tests.learning import worlds


@dataclass(frozen=True)
class Found:
    """Of planted windows: how many, and how many of them were found; of all others the alarms."""

    planted: int
    found: int
    judged: int
    false_alarms: int


def minutes_found(history_days: int = 42, seeds: range = range(2, 7)) -> Found:
    """Planted days, each judged by the days before."""
    history, sums = worlds.minutes(history_days), np.zeros(4, dtype=int)
    for seed in seeds:
        day, planted = worlds.planted_day(seed)
        rows = scored_windows(history, day, TYPES, worlds.DAY).to_pylist()
        keys = {
            (row["window_start"].hour * 60 + row["window_start"].minute, row["measure"])
            for row in rows
            if row["is_anomaly"]
        }
        # Four times as many transactions move four times the money, and so on: only untouched minutes count as false.
        touched = {minute for minute, _ in planted}
        false = {key for key in keys if key[0] not in touched}
        sums += [len(planted), len(keys & set(planted)), len(rows), len(false)]
    return Found(*(int(value) for value in sums))


@dataclass(frozen=True)
class Forecasts:
    """Of so many agents, each day of a fortnight forecast by what is offered: errors, and the share within the range."""

    agents: int
    profile_error: float
    plain_error: float
    by_profile: int
    within_share: float


def forecasts_made(kind: str, agents: int = 20, history_days: int = 42) -> Forecasts:
    """The range is that of the day after the back-test, which no rule has seen."""
    made, within = [], []
    for seed in range(agents):
        # The first day is not a whole one, and the last one is not known.
        (paths,) = worlds_paths(kind, history_days + 2, seed)
        found = forecast(paths[:-1])
        assert found is not None
        made.append(found)
        within.append((found.low <= paths[-1]) & (paths[-1] <= found.high))
    profile, plain = (np.mean([getattr(one, name) for one in made]) for name in ("profile_error", "plain_error"))
    return Forecasts(agents, float(profile), float(plain), sum(one.beats_plain for one in made), float(np.mean(within)))


def worlds_paths(kind: str, days: int, seed: int):
    return daily_paths(worlds.agent_flows(days, kind, seed), worlds.DAY).values()


def ranks(seeds: range = range(10, 15)) -> list[tuple[str, list[int], list[int]]]:
    """What is odd, and its rank of 2,005 days by the forest and by the amount, for each seed; 1 is the oddest."""
    by_forest: dict[str, list[int]] = {}
    by_amount: dict[str, list[int]] = {}
    model = isolation.train(worlds.days(4000))
    for seed in seeds:
        days, odd = worlds.planted_days(seed=seed)
        scored = isolation.scored_days(days, model, 1, AGENT_DAY_SCORES, "agent_id").to_pandas()
        for column, into in ((scored["score"], by_forest), (scored["amount_z"].abs(), by_amount)):
            place = column.rank(ascending=False).astype(int)
            for name, what in odd.items():
                into.setdefault(what, []).append(int(place[scored["agent_id"] == name].iloc[0]))
    return [(what, by_forest[what], by_amount[what]) for what in by_forest]


def main() -> None:
    """Print all three."""
    for history_days in (2, 10, 42):
        found = minutes_found(history_days)
        print(
            f"windows, {history_days} days of history: {found.found} of {found.planted} planted found, "
            f"{found.false_alarms} false alarms in {found.judged:,} judged"
        )
    for kind in ("weekly", "drifting"):
        made = forecasts_made(kind)
        print(
            f"liquidity, {kind} agents: mean absolute error {made.profile_error:,.0f} by the profile, {made.plain_error:,.0f} "
            f"by the plain rule; the profile is offered to {made.by_profile} of {made.agents}; "
            f"{made.within_share:.0%} of the hours of the next day within the range"
        )
    print("days, ranks of 2,005 by the forest and by the amount, five seeds:")
    for what, by_forest, by_amount in ranks():
        print(f"  {what}: {by_forest} and {by_amount}")


if __name__ == "__main__":
    main()
