"""What is learned from, read from gold and silver by delta-rs: windows, days of agents and customers, activity.

Days are those of event time, in UTC; `first` and `last` are both among them.
"""

from datetime import date, timedelta

import pandas as pd

from jobs.errors import SettingsError, TryAgain
from jobs.lake import Lake, text
from schemas.tables import AGENT_5M, PER_MINUTE, SILVER

# Four same days of the week before each of the fortnight's days on which a forecast is tested.
HISTORY_DAYS = 42
# The days within which a customer counts as active (GSMA).
ACTIVITY_DAYS = 90
LEAST_TRANSACTIONS = 5
_AGENTS_AT_ONCE = 500


def require_over(lake: Lake, day: date) -> None:
    """Raise when there are no tables, or when gold has no window after the day yet."""
    if lake.open(PER_MINUTE) is None:
        raise SettingsError(f"There are no tables in {lake.path}: run `momo stream` first, or name another --lake.")
    newest = lake.value(f"SELECT max(window_start) FROM {PER_MINUTE.name}")
    if newest is None or newest.date() <= day:
        until = f"reaches to {newest:%Y-%m-%d %H:%M}" if newest else "has no window"
        raise TryAgain(f"Gold {until}, so {day} is not over: ask for an earlier day, or again when it is.")


def minute_windows(lake: Lake, first: date, last: date) -> pd.DataFrame:
    """One row per minute, type (`entity`) and currency, all channels together."""
    return _frame(
        lake,
        f"""
        SELECT window_start, transaction_type AS entity, currency, sum(transaction_count + failed_count) AS attempts,
               sum(transaction_count) AS completed, sum(amount) AS amount
        FROM {PER_MINUTE.name} WHERE window_date BETWEEN '{first}' AND '{last}'
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
    )


def agent_ranges(lake: Lake, first: date, last: date) -> list[tuple[str, str]]:
    """The first and the last of each 500 agents, by name: the windows of all of them would not fit into memory."""
    of_days = f"window_date BETWEEN '{first}' AND '{last}'"
    names = lake.query(f"SELECT DISTINCT agent_id FROM {AGENT_5M.name} WHERE {of_days} ORDER BY 1")[0].to_pylist()
    parts = [names[i : i + _AGENTS_AT_ONCE] for i in range(0, len(names), _AGENTS_AT_ONCE)]
    return [(part[0], part[-1]) for part in parts]


def agent_windows(lake: Lake, first: date, last: date, agents: tuple[str, str]) -> pd.DataFrame:
    """One row per five minutes, agent (`entity`) of the range and currency; completed cash-ins and cash-outs alone."""
    of_agents = f"agent_id BETWEEN {text(agents[0])} AND {text(agents[1])}"
    return _frame(
        lake,
        f"""
        SELECT window_start, agent_id AS entity, currency, cash_in_count + cash_out_count AS attempts,
               cash_in_count + cash_out_count AS completed, cash_in_amount + cash_out_amount AS amount
        FROM {AGENT_5M.name} WHERE window_date BETWEEN '{first}' AND '{last}' AND {of_agents} ORDER BY 1, 2, 3
        """,
    )


def agent_flows(lake: Lake, first: date, last: date) -> pd.DataFrame:
    """One row per hour, agent and currency: `net_float`."""
    return _frame(
        lake,
        f"""
        SELECT date_trunc('hour', window_start) AS window_start, agent_id, currency,
               CAST(sum(net_float) AS DOUBLE) AS net_float
        FROM {AGENT_5M.name} WHERE window_date BETWEEN '{first}' AND '{last}' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
    )


def agent_days(lake: Lake, first: date, last: date) -> pd.DataFrame:
    """One row per day, agent (`entity`) and currency; cash-out brings e-money in."""
    moves = f"""
        SELECT event_date, event_time, agent_id AS entity, currency, amount, transaction_type = 'withdrawal' AS is_in,
               CASE WHEN transaction_type = 'deposit' THEN credit_party ELSE debit_party END AS party
        FROM {SILVER.name}
        WHERE {_completed(first, last)} AND agent_id IS NOT NULL AND transaction_type IN ('deposit', 'withdrawal')
    """
    return _days(lake, moves)


def customer_days(lake: Lake, first: date, last: date) -> pd.DataFrame:
    """One row per day, customer (`entity`, a token) and currency, as payer and as payee."""
    return _days(lake, _moves_of_customers(first, last))


def customer_activity(lake: Lake, day: date) -> pd.DataFrame:
    """One row per customer (`customer_token`) and currency: what they did in the 90 days that end with the day."""
    first = day - timedelta(days=ACTIVITY_DAYS - 1)
    return _frame(
        lake,
        f"""
        WITH moves AS ({_moves_of_customers(first, day)})
        SELECT entity AS customer_token, currency, min(event_date) AS first_day, max(event_date) AS last_day,
               count(DISTINCT event_date) AS active_days, count(*) AS transaction_count, sum(amount) AS amount,
               {_count("is_in")} AS in_count, {_count("NOT is_in")} AS out_count,
               {_count("NOT is_in AND transaction_type = 'withdrawal'")} AS cash_out_count,
               {_count("NOT is_in AND transaction_type = 'transfer'")} AS sent_count,
               {_count("NOT is_in AND transaction_type IN ('merchantpay', 'billpay')")} AS paid_count
        FROM moves WHERE transaction_type NOT IN ('reversal', 'adjustment')
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
    )


def first_day(lake: Lake) -> date | None:
    """The first day that silver knows; None when it is empty."""
    found = lake.value(f"SELECT min(event_date) FROM {SILVER.name}")
    return found if isinstance(found, date) else None


def _moves_of_customers(first: date, last: date) -> str:
    sides = (("debit", "credit", "false"), ("credit", "debit", "true"))
    return " UNION ALL ".join(
        f"""
        SELECT event_date, event_time, {side}_token AS entity, currency, amount, transaction_type,
               {is_in} AS is_in, {other}_party AS party
        FROM {SILVER.name} WHERE {_completed(first, last)} AND {side}_token IS NOT NULL
        """
        for side, other, is_in in sides
    )


def _days(lake: Lake, moves: str) -> pd.DataFrame:
    """Moves of e-money by day, entity and currency."""
    return _frame(
        lake,
        f"""
        WITH moves AS ({moves}), scaled AS (
            SELECT *, CAST(amount AS DOUBLE) AS size,
                   CAST(amount AS DOUBLE) / power(10.0, floor(log10(CAST(amount AS DOUBLE))) - 1) AS leading
            FROM moves
        )
        SELECT event_date AS day, entity, currency, count(*) AS transaction_count, sum(amount) AS amount,
               count(DISTINCT party) AS distinct_parties, count(DISTINCT date_part('hour', event_time)) AS active_hours,
               avg(CASE WHEN abs(leading - round(leading)) < 1e-9 THEN 1.0 ELSE 0.0 END) AS round_share,
               sum(CASE WHEN is_in THEN size ELSE 0.0 END) / sum(size) AS in_share
        FROM scaled GROUP BY 1, 2, 3 HAVING count(*) >= {LEAST_TRANSACTIONS} ORDER BY 1, 2, 3
        """,
    )


def _completed(first: date, last: date) -> str:
    return f"status = 'completed' AND event_date BETWEEN '{first}' AND '{last}'"


def _count(condition: str) -> str:
    return f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _frame(lake: Lake, sql: str) -> pd.DataFrame:
    frame = lake.query(sql).to_pandas(date_as_object=True)
    assert isinstance(frame, pd.DataFrame)
    return frame
