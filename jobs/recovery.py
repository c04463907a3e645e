"""The way on when the stream's checkpoints do not fit the tables, or the topic has lost records.

A checkpoint is never mended: it is moved aside, and the tables, which are the truth, say where to go on.

`ingest` goes on behind the last record of each partition that bronze has, or that was accepted as lost.

`gold` has lost the state of its windows. Let T be silver's newest event time; the hours that end by T less the
lateness are closed.
- Rows of open hours: gold counts all that silver has, in its first batch. None of them was ever late, so no window is
  left out, and state and windows become what they were.
- Rows of closed hours that silver has: not counted again, for Spark would count the part that was on time and put it
  in place of the whole. Hours of which gold has fewer rows than silver are recomputed from silver beforehand.
- Rows of closed hours that come from now on carry a `stream_time` of T or later. By that they are late, so they pass
  as notes, and their windows are recomputed as ever.
Windows are put in place by value, so whatever is cut off can be done again.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.topics import TopicState
from jobs.checkpoints import move_aside
from jobs.errors import DataCheckFailed
from jobs.inspection import GOLD, INGEST, inspect_gold, inspect_ingest, next_offsets, require_same_topic
from jobs.lake import Lake
from jobs.provenance import Loss, Origin, accept_losses, origin_of, write_origin
from jobs.settings import Settings, duration_seconds
from jobs.sources import EARLIEST
from jobs.windows import Rebuild, closed_by
from schemas.tables import AGENT_5M, CORRIDOR_HOURLY, PER_MINUTE, SILVER

logger = logging.getLogger("momo.stream")

# Hours of which gold has not counted all rows of silver. A row counts in one window of a table, or in none.
_LACKING = f"""
    SELECT s.hour FROM (
        SELECT date_trunc('hour', event_time) AS hour, count(*) AS events,
               count(*) FILTER (WHERE status = 'completed') AS completed,
               count(*) FILTER (WHERE status = 'completed' AND agent_id IS NOT NULL) AS of_agents
        FROM {SILVER.name} GROUP BY 1
    ) s
    LEFT JOIN (SELECT date_trunc('hour', window_start) AS hour, sum(event_count) AS events
               FROM {PER_MINUTE.name} GROUP BY 1) m ON m.hour = s.hour
    LEFT JOIN (SELECT date_trunc('hour', window_start) AS hour, sum(transaction_count) AS completed
               FROM {CORRIDOR_HOURLY.name} GROUP BY 1) c ON c.hour = s.hour
    LEFT JOIN (SELECT date_trunc('hour', window_start) AS hour, sum(cash_in_count + cash_out_count) AS of_agents
               FROM {AGENT_5M.name} GROUP BY 1) a ON a.hour = s.hour
    WHERE s.events <> coalesce(m.events, 0) OR s.completed <> coalesce(c.completed, 0)
       OR s.of_agents <> coalesce(a.of_agents, 0)
    ORDER BY 1
"""


@dataclass(frozen=True)
class Start:
    """How queries begin that have no checkpoint: `ingest` at these offsets, `gold` by this rebuild; None otherwise."""

    offsets: Mapping[int, int] | None = None
    rebuild: Rebuild | None = None


def prepare(
    lake: Lake, settings: Settings, topic: TopicState, recover: Sequence[str] | None, accept_loss: bool
) -> Start:
    """Make way for the stream, or raise what stands in it. Needs the lake's lock.

    `recover` lets queries begin anew: those whose checkpoint does not fit, and the named ones in any case; None lets
    none. `accept_loss` does so too, and writes down as lost what Kafka deleted before it was read.
    """
    lateness = duration_seconds(settings.stream.lateness)
    known, origin = origin_of(lake.path), Origin(settings.kafka.topic, topic.cluster_id, topic.topic_id, lateness)
    if known:
        require_same_topic(lake, known, origin)
    ingest, losses = inspect_ingest(lake, origin.topic, topic.offsets)
    found = {INGEST: ingest, GOLD: inspect_gold(lake, known, lateness)}
    unfit = {query: fault for query, fault in found.items() if fault}
    if not accept_loss:
        _refuse(lake, origin.topic, losses, unfit if recover is None else {})
    anew = {*unfit, *(recover or ()), *([INGEST] if losses else [])}
    if not anew and (accept_loss or recover is not None):
        logger.info("there is nothing to recover: checkpoints, tables and topic fit one another")
    _make_way(lake, losses, anew)
    if origin != known:
        write_origin(lake.path, origin)
    return Start(
        _behind_the_tables(lake, origin.topic, topic.offsets) if INGEST in anew else None,
        rebuild_of_gold(lake, lateness) if GOLD in anew else None,
    )


def rebuild_of_gold(lake: Lake, lateness_seconds: int) -> Rebuild | None:
    """How gold begins anew from what silver has now; None when that is nothing."""
    newest_time = lake.value(f"SELECT max(event_time) FROM {SILVER.name}")
    if newest_time is None:
        return None
    open_since = closed_by(newest_time, timedelta(seconds=lateness_seconds))
    hours = lake.query(_LACKING).column(0).to_pylist()
    return Rebuild(newest_time, open_since, tuple(hour for hour in hours if hour < open_since))


def _refuse(lake: Lake, topic: str, losses: Sequence[Loss], unfit: Mapping[str, str]) -> None:
    if losses:
        raise DataCheckFailed(
            f"Kafka has deleted records of '{topic}' before they were read ({'; '.join(map(str, losses))}): keep "
            "records longer, and go on behind them by `momo stream --accept-loss`, which writes down what was lost."
        )
    if unfit:
        query, fault = next(iter(unfit.items()))
        raise DataCheckFailed(
            f"The checkpoint {lake.checkpoint_path(query)} {fault}: `momo stream --recover` moves it aside and goes on "
            "from the tables."
        )


def _make_way(lake: Lake, losses: Sequence[Loss], anew: Collection[str]) -> None:
    """In this order: cut off anywhere, it leaves what the next start refuses, or nothing to do."""
    if losses:
        accept_losses(lake.path, losses)
        logger.info("accepted as lost: %s", "; ".join(map(str, losses)))
    for query in sorted(anew):
        aside = move_aside(Path(lake.checkpoint_path(query)))
        logger.info("%s goes on from the tables; its checkpoint: %s", query, aside or "there was none")


def _behind_the_tables(lake: Lake, topic: str, kafka: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    reached = next_offsets(lake, topic)
    return {partition: reached.get(partition, EARLIEST) for partition in sorted(kafka)}
