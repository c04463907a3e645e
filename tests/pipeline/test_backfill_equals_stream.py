"""Whatever records come, in whatever order: the stream's closed windows are those that a backfill computes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.lake import Lake
from schemas.tables import GOLD
from tests.backfills import backfilled, changes
from tests.builders import SETTINGS, agent_cash, gsma
from tests.pipeline.conftest import Stream

FIRST = datetime(2026, 3, 25, tzinfo=UTC)
# A few values of each, so that rows meet in windows, on their edges, and as repeats.
SECONDS = st.sampled_from([0, 59, 60, 299, 300, 3599, 3600, 43_200, 86_399, 86_400, 150_000, 172_800])
KINDS = st.sampled_from(["transfer", "merchantpay", "deposit", "withdrawal"])


@st.composite
def records(draw):
    kind = draw(KINDS)
    said = {
        "transactionReference": f"T-{draw(st.integers(0, 30))}",
        "transactionStatus": draw(st.sampled_from(["pending", "completed", "failed"])),
        "creationDate": (FIRST + timedelta(seconds=draw(SECONDS))).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "amount": draw(st.sampled_from(["1", "250", "999999999999999999", "0"])),
        "currency": draw(st.sampled_from(["UGX", "RWF"])),
    }
    if kind in ("deposit", "withdrawal"):
        return agent_cash(kind, draw(st.sampled_from(["AG-1", "AG-2"])), "256777000001", **said, fees=None)
    return gsma(type=kind, **said, fees=None)


# Each example is a lake of its own, and two starts of the stream.
@pytest.mark.slow
@settings(max_examples=2, deadline=None, database=None)
@given(batches=st.lists(st.lists(records(), min_size=20, max_size=40), min_size=2, max_size=2))
def test_closed_windows_are_those_of_a_backfill(spark, tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("random")
    stream = Stream(spark, Lake(folder / "lake"), folder / "topic")
    stream.lake.create()
    for batch in batches:
        stream.run(*batch)
    stream.run(gsma(transactionReference="last", creationDate="2026-03-27T17:59:00Z"))

    done = backfilled(stream, SETTINGS, "2026-03-25", "2026-03-28", ",".join(table.name for table in GOLD))

    assert changes(done) == {}
    assert sum(one.looked_at for one in done) > 0
