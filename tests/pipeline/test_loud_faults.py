"""What stands in the way of the stream is refused with a sentence, and the way on loses and repeats nothing."""

import json
import logging
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from infra.topics import TopicState
from jobs import gold
from jobs.checkpoints import move_aside
from jobs.errors import DataCheckFailed, SettingsError
from jobs.inspection import GOLD, INGEST
from jobs.lake import Lake
from jobs.provenance import Loss, Origin, accepted_losses, origin_of, write_origin
from jobs.reconciliation import reconcile
from jobs.recovery import Start, prepare, rebuild_of_gold
from jobs.settings import duration_seconds
from jobs.sources import EARLIEST
from jobs.stream_faults import told
from jobs.windows import Rebuild
from schemas.tables import BRONZE, PER_MINUTE, SILVER
from schemas.tables import GOLD as GOLD_TABLES
from tests.builders import RING, SETTINGS, gsma

TOPIC = SETTINGS.kafka.topic
LATENESS = duration_seconds(SETTINGS.stream.lateness)
ORIGIN = Origin(TOPIC, "cluster", "topic", LATENESS)
NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
HALF_PAST = NOON.replace(minute=30)

# The lake has the offsets up to 10 and 5, the topic two records and one more.
OFFSETS = {0: (0, 12), 1: (0, 6)}
BEHIND_THE_TABLES = Start(offsets={0: 10, 1: 5})
OF_OPEN_HOURS = Start(rebuild=Rebuild(HALF_PAST, NOON, lacking=()))


def append(lake, table, **columns):
    """One commit; the columns that are not given are null."""
    schema = to_arrow_schema(table.schema, timezone="UTC")
    count = len(next(iter(columns.values())))
    arrays = [pa.array(columns.get(field.name, [None] * count), field.type) for field in schema]
    write_deltalake(lake.table_path(table), pa.table(arrays, schema=schema), mode="append")


def write_checkpoint(lake, query, *ends, committed, began=None):
    """A checkpoint whose batches have these ends, the first so many of them with a commit."""
    folder = Path(lake.checkpoint_path(query))
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("offsets", "commits", "sources/0"):
        (folder / name).mkdir(parents=True)
    (folder / "metadata").write_text('{"id":"82d43422-2c7b-4f7c-bf67-57ef7e0a9ed2"}')
    for batch, end in enumerate(ends):
        (folder / "offsets" / str(batch)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{json.dumps(end)}')
    for batch in range(committed):
        (folder / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    if began:
        (folder / "sources" / "0" / "0").write_bytes(b"\0v1\n" + json.dumps(began).encode())


def of_kafka(*ends, topic=TOPIC):
    return {topic: {str(partition): end for partition, end in enumerate(ends)}}


def of_silver(lake, **changes):
    table_id = str(lake.open(SILVER).metadata().id)
    place = {"sourceVersion": 1, "reservoirId": table_id, "reservoirVersion": 2, "index": -1}
    return {**place, "isStartingVersion": False, **changes}


def ingest_checkpoint(lake, *ends, committed=None, began=None):
    committed = len(ends) if committed is None else committed
    write_checkpoint(lake, INGEST, *ends, committed=committed, began=began or of_kafka(0, 0))


@pytest.fixture
def lake(tmp_path):
    """Bronze written in two batches, a silver row and its window; all has been read."""
    lake = Lake(tmp_path / "lake")
    lake.create()
    for first, last in ((0, 6), (6, 10)):
        halves = range(first // 2, last // 2)
        places = [*((0, offset) for offset in range(first, last)), *((1, offset) for offset in halves)]
        partitions, offsets = zip(*places, strict=True)
        append(lake, BRONZE, topic=[TOPIC] * len(places), partition=partitions, offset=offsets)
    append(lake, SILVER, topic=[TOPIC], partition=[0], offset=[0], event_time=[HALF_PAST], event_date=[NOON.date()])
    append(lake, PER_MINUTE, window_start=[HALF_PAST], window_date=[NOON.date()], event_count=[1])
    ingest_checkpoint(lake, of_kafka(6, 3), of_kafka(10, 5))
    write_checkpoint(lake, GOLD, of_silver(lake), committed=1)
    write_origin(lake.path, ORIGIN)
    return lake


def prepared(lake, recover=None, accept_loss=False, offsets=OFFSETS, lateness=None, topic=TOPIC, topic_id="topic"):
    stream = SETTINGS.stream.model_copy(update={"lateness": lateness or SETTINGS.stream.lateness})
    kafka = SETTINGS.kafka.model_copy(update={"topic": topic})
    settings = SETTINGS.model_copy(update={"stream": stream, "kafka": kafka})
    return prepare(lake, settings, TopicState("cluster", topic_id, offsets), recover, accept_loss)


def refusal(lake, **how):
    with pytest.raises(DataCheckFailed) as refused:
        prepared(lake, **how)
    assert refused.value.exit_code == 65
    return str(refused.value)


def lost(query):
    return lambda lake: shutil.rmtree(lake.checkpoint_path(query))


def emptied(query):
    def damage(lake):
        for path in list(Path(lake.checkpoint_path(query)).glob("*/[0-9]*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def written(query, name, text):
    return lambda lake: (Path(lake.checkpoint_path(query)) / name).write_text(text)


def removed(query, *names):
    def damage(lake):
        for name in names:
            (Path(lake.checkpoint_path(query)) / name).unlink()

    return damage


FAULTS = {
    "a lost one": (INGEST, lost(INGEST), "is missing or empty, but bronze_transaction_events has rows"),
    "an empty one": (INGEST, emptied(INGEST), "is missing or empty, but bronze_transaction_events has rows"),
    "empty offsets": (INGEST, written(INGEST, "offsets/1", ""), "is damaged (its file offsets/1 is empty or cut off)"),
    "offsets cut off": (INGEST, written(INGEST, "offsets/1", 'v1\n{"a":1}'), "(its file offsets/1 is cut off)"),
    "garbage": (INGEST, written(INGEST, "commits/1", "v1\nx"), "(its file commits/1 is empty or cut off)"),
    "no offsets before the newest": (INGEST, removed(INGEST, "offsets/0"), "(its file offsets/0 is missing)"),
    "no metadata": (INGEST, removed(INGEST, "metadata"), "(its file ingest/metadata is missing)"),
    "no newest offsets": (
        INGEST,
        removed(INGEST, "offsets/1"),
        "(its file offsets/1 is missing)",
    ),
    "one of another topic": (
        INGEST,
        lambda lake: ingest_checkpoint(lake, of_kafka(10, 5, topic="other")),
        "follows 'other', not the topic 'momo.transactions'",
    ),
    "an older one": (
        INGEST,
        lambda lake: ingest_checkpoint(lake, of_kafka(6, 3)),
        "is older than the tables: it has offset 6 of partition 0, they have 10",
    ),
    "a newer one": (
        INGEST,
        lambda lake: ingest_checkpoint(lake, of_kafka(10, 5), of_kafka(10, 6)),
        "is newer than the tables: it has offset 6 of partition 1, which they do not reach",
    ),
    "one of fewer partitions": (
        INGEST,
        lambda lake: ingest_checkpoint(lake, of_kafka(10)),
        "is older than the tables: it has offset 0 of partition 1, they have 5",
    ),
    "one of a longer topic": (
        INGEST,
        lambda lake: ingest_checkpoint(lake, of_kafka(10, 5), of_kafka(13, 6), committed=1),
        "has offset 13 of partition 0, of which the topic has 12 only",
    ),
    "gold's lost": (GOLD, lost(GOLD), "is missing or empty, but gold_transactions_per_minute has rows"),
    "gold's damaged": (GOLD, written(GOLD, "offsets/0", "v1\n"), "is damaged (its file offsets/0 is empty or cut off)"),
    "gold's of another lake": (
        GOLD,
        lambda lake: write_checkpoint(lake, GOLD, of_silver(lake, reservoirId="another"), committed=1),
        "follows another table than this lake's silver_transactions",
    ),
    "gold's newer than silver": (
        GOLD,
        lambda lake: write_checkpoint(lake, GOLD, of_silver(lake, reservoirVersion=9), committed=1),
        "has read silver_transactions up to version 8, it has 1 only",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_checkpoint_that_does_not_fit_is_refused_and_its_query_begins_anew_when_asked_to(lake, name):
    query, damage, sentence = FAULTS[name]
    damage(lake)

    said = refusal(lake)
    assert said.startswith(f"The checkpoint {lake.checkpoint_path(query)} ")
    assert sentence in said
    assert said.endswith(": `momo stream --recover` moves it aside and goes on from the tables.")

    assert prepared(lake, recover=[]) == (BEHIND_THE_TABLES if query == INGEST else OF_OPEN_HOURS)


def test_what_fits_goes_on(lake):
    assert prepared(lake) == Start()


def test_a_new_lake_remembers_its_topic(tmp_path):
    lake = Lake(tmp_path)
    lake.create()

    assert prepared(lake) == Start()
    assert origin_of(lake.path) == ORIGIN


def test_there_is_nothing_to_recover_where_everything_fits(lake, caplog):
    caplog.set_level(logging.INFO)

    assert prepared(lake, recover=[]) == Start()
    assert "there is nothing to recover" in caplog.text


def test_a_query_that_is_named_begins_anew_though_its_checkpoint_fits(lake):
    assert prepared(lake, recover=[GOLD]) == OF_OPEN_HOURS


def test_a_checkpoint_that_was_set_aside_is_kept_where_maintenance_does_not_look(lake):
    folder = Path(lake.checkpoint_path(INGEST))
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    prepared(lake, recover=[INGEST])

    (aside,) = (folder.parent / "aside").iterdir()
    assert {path.relative_to(aside): path.read_bytes() for path in aside.rglob("*") if path.is_file()} == before
    assert [path.parent.name for path in folder.parent.glob("*/offsets")] == [GOLD]


def test_a_recovery_that_was_cut_off_is_asked_for_again_and_does_the_same(lake):
    shutil.rmtree(lake.path / "_checkpoints")

    assert prepared(lake, recover=[]) == replace(BEHIND_THE_TABLES, rebuild=OF_OPEN_HOURS.rebuild)
    assert "is missing or empty" in refusal(lake)
    assert prepared(lake, recover=[]) == replace(BEHIND_THE_TABLES, rebuild=OF_OPEN_HOURS.rebuild)


def test_a_batch_that_was_not_finished_is_no_fault(lake):
    ingest_checkpoint(lake, of_kafka(10, 5), of_kafka(12, 6), committed=1)
    assert prepared(lake) == Start()

    # The first batch of all, written to bronze.
    ingest_checkpoint(lake, of_kafka(10, 5), committed=0)
    assert prepared(lake) == Start()

    # The records of older ones may be lost: they were finished before the newest began.
    ingest_checkpoint(lake, of_kafka(2, 1), of_kafka(6, 3), of_kafka(10, 5), committed=0)
    assert prepared(lake) == Start()


def test_a_partition_that_was_added_is_read_from_its_first_record(lake):
    assert prepared(lake, offsets={**OFFSETS, 2: (0, 3)}) == Start()
    assert prepared(lake, recover=[INGEST], offsets={**OFFSETS, 2: (0, 3)}).offsets == {0: 10, 1: 5, 2: EARLIEST}


def test_a_partition_without_records_that_began_late_is_no_fault(lake):
    ingest_checkpoint(lake, of_kafka(10, 5, 50), began=of_kafka(0, 0, 50))

    assert prepared(lake, offsets={**OFFSETS, 2: (50, 50)}) == Start()


@pytest.mark.parametrize("way", [{}, {"recover": []}, {"accept_loss": True}])
def test_another_topic_of_the_same_name_is_refused_whatever_is_asked_for(lake, way):
    assert "'momo.transactions' was made anew since the lake" in refusal(lake, topic_id="another", **way)

    write_origin(lake.path, replace(ORIGIN, cluster_id="first"))
    assert "is on another Kafka cluster since the lake" in refusal(lake, **way)

    # A lake from before this was written down.
    (lake.path / "_origin.json").unlink()
    said = refusal(lake, offsets={0: (0, 4), 1: (0, 9)}, **way)
    assert "has offset 10 of partition 0 of 'momo.transactions', the topic has 4 only" in said


def test_a_topic_of_another_name_is_a_wrong_setting(lake):
    with pytest.raises(SettingsError, match="is filled from the topic 'momo.transactions', kafka.topic is 'other'"):
        prepared(lake, topic="other")


def test_a_damaged_note_of_the_topic_is_named(lake):
    (lake.path / "_origin.json").write_text("{")

    assert "_origin.json should say which topic this lake is filled from, and is damaged" in refusal(lake)


def test_a_longer_lateness_is_refused_for_closed_windows_would_be_open_again(lake):
    assert prepared(lake, lateness="5 minutes") == Start()

    said = refusal(lake, lateness="10 minutes")
    assert "has closed windows by a stream.lateness of 300 seconds, which is 600 now" in said
    assert prepared(lake, lateness="10 minutes", recover=[]) == OF_OPEN_HOURS

    write_checkpoint(lake, GOLD, of_silver(lake), committed=1)
    assert prepared(lake, lateness="10 minutes") == Start()


LOSSES = {
    "records of one partition": ({0: (15, 20), 1: (5, 9)}, [Loss(TOPIC, 0, 10, 15)], {0: 15, 1: 5}),
    "all that were unread": ({0: (12, 12), 1: (0, 6)}, [Loss(TOPIC, 0, 10, 12)], {0: 12, 1: 5}),
    "the first of an added partition": ({**OFFSETS, 2: (4, 9)}, [Loss(TOPIC, 2, 0, 4)], {0: 10, 1: 5, 2: 4}),
}


@pytest.mark.parametrize("name", LOSSES)
def test_records_deleted_before_they_were_read_are_refused_until_the_loss_is_accepted(lake, name):
    offsets, losses, behind = LOSSES[name]

    for way in ({}, {"recover": []}):
        said = refusal(lake, offsets=offsets, **way)
        assert f"Kafka has deleted records of 'momo.transactions' before they were read ({losses[0]})" in said
        assert "`momo stream --accept-loss`" in said
    assert accepted_losses(lake.path, TOPIC) == []

    assert prepared(lake, accept_loss=True, offsets=offsets) == Start(offsets=behind)
    assert accepted_losses(lake.path, TOPIC) == losses


def test_a_loss_is_told_by_its_offsets():
    assert str(Loss(TOPIC, 0, 10, 15)) == "5 records of partition 0, offsets 10–14"


def test_what_was_accepted_once_is_not_lost_again(lake):
    offsets = {0: (15, 20), 1: (5, 9)}
    prepared(lake, accept_loss=True, offsets=offsets)

    # Cut off before the stream had begun, and begun again with no record for partition 0.
    assert prepared(lake, recover=[], offsets=offsets) == Start(offsets={0: 15, 1: 5})
    ingest_checkpoint(lake, of_kafka(15, 5), began=of_kafka(15, 5))
    assert prepared(lake, offsets=offsets) == Start()

    prepared(lake, accept_loss=True, offsets={0: (17, 20), 1: (5, 9)})
    assert accepted_losses(lake.path, TOPIC) == [Loss(TOPIC, 0, 10, 15), Loss(TOPIC, 0, 15, 17)]


def test_records_that_only_the_repetition_of_a_batch_would_read_are_not_lost(lake):
    ingest_checkpoint(lake, of_kafka(6, 3), of_kafka(10, 5), committed=1)
    offsets = {0: (8, 12), 1: (0, 6)}

    said = refusal(lake, offsets=offsets)
    assert "would read partition 0 again from offset 6, which Kafka has deleted and bronze has" in said
    assert prepared(lake, recover=[], offsets=offsets) == BEHIND_THE_TABLES
    assert accepted_losses(lake.path, TOPIC) == []


def transfer(reference, at, **changes):
    return gsma(transactionReference=reference, creationDate=f"2026-03-27T{at}Z", **changes)


def windows(stream):
    columns = "arrow_cast(window_start, 'Utf8') AS start, event_count, is_final, revision"
    rows = stream.rows(f"SELECT {columns} FROM {PER_MINUTE.name} ORDER BY window_start")
    return [(start[11:16], *others) for start, *others in rows]


def test_gold_goes_on_exactly_without_its_checkpoint(stream):
    names = [table.name for table in GOLD_TABLES]
    stream.run(transfer("T-1", "10:00:10"), transfer("T-2", "10:30:00"), transfer("T-3", "15:05:10"))
    # Gold has not seen the second run, one late and one on time, and its checkpoint is lost.
    for name in names:
        shutil.copytree(stream.lake.path / name, stream.lake.path.parent / name)
    stream.run(transfer("T-4", "10:00:50"), transfer("T-5", "15:05:20"))
    for name in names:
        shutil.rmtree(stream.lake.path / name)
        shutil.copytree(stream.lake.path.parent / name, stream.lake.path / name)
    shutil.rmtree(stream.lake.checkpoint_path(GOLD))

    rebuild = rebuild_of_gold(stream.lake, LATENESS)
    assert rebuild.lacking == (datetime(2026, 3, 27, 10, tzinfo=UTC),)
    stream.run(transfer("T-6", "10:30:40"), transfer("T-7", "15:05:30"), rebuild=rebuild)
    assert windows(stream) == [("10:00", 2, True, 1), ("10:30", 2, True, 1), ("15:05", 3, False, 0)]

    # As after a kill before its first batch was recorded: that batch again, of all of silver, and then the next.
    for path in (Path(stream.lake.checkpoint_path(GOLD)) / "commits").iterdir():
        path.unlink()
    stream.run(transfer("T-8", "15:05:40"))
    assert windows(stream) == [("10:00", 2, True, 1), ("10:30", 2, True, 1), ("15:05", 4, False, 0)]
    assert reconcile(stream.lake, TOPIC, stream.offsets(), RING).is_clean


def test_state_of_other_windows_is_told_in_a_sentence_and_made_anew(stream, monkeypatch):
    stream.run(transfer("T-1", "15:05:10"))
    per_minute, *others = gold.windowed()
    counts = {**per_minute.counts, "pending_count": F.col("status") == "pending"}
    monkeypatch.setattr(gold, "windowed", lambda: [replace(per_minute, counts=counts), *others])

    with pytest.raises(StreamingQueryException) as stopped:
        stream.run(transfer("T-2", "15:05:20"))
    fault = told(str(stopped.value))

    assert fault.exit_code == 65
    assert str(fault).startswith("The state of gold is that of other windows")
    assert "`momo stream --recover gold`" in str(fault)

    move_aside(Path(stream.lake.checkpoint_path(GOLD)))
    stream.run(rebuild=rebuild_of_gold(stream.lake, LATENESS))
    assert windows(stream) == [("15:05", 2, False, 0)]


def test_another_number_of_shuffle_partitions_is_no_fault(stream):
    stream.run(transfer("T-1", "15:05:10"))
    before = stream.spark.conf.get("spark.sql.shuffle.partitions")
    stream.spark.conf.set("spark.sql.shuffle.partitions", "3")
    try:
        stream.run(transfer("T-2", "15:05:20"))
    finally:
        stream.spark.conf.set("spark.sql.shuffle.partitions", before)

    assert windows(stream) == [("15:05", 2, False, 0)]


def test_a_fault_that_is_not_known_is_told_without_the_values_in_it():
    message = (
        "[STREAM_FAILED] The value '256777123456' is not a number.\n=== Streaming Query ===\nIdentifier: gold [id = 1]"
    )

    fault = told(message)

    assert fault.exit_code == 1
    assert str(fault).startswith("The stream stopped: [STREAM_FAILED] The value '…' is not a number. Start it again")
