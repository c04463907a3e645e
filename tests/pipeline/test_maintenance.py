"""Small tables are made, maintained with nothing retained, and read on by a stream, by Spark and by delta-rs."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as F

from jobs import maintain_tables
from jobs.command_line import run
from jobs.compaction import DataFile, data_files, join, pieces
from jobs.maintenance import maintain, maintaining
from jobs.reconciliation import reconcile
from jobs.settings import ROOT, MaintainSettings
from schemas.tables import BRONZE, GOLD, QUARANTINE, SILVER
from tests.builders import RING, agent_cash, gsma

NOTHING_KEPT = MaintainSettings.model_construct(
    target_file_mb=64, vacuum_retention_hours=0, log_retention_hours=0, payload_retention_days=0
)
HOURS_KEPT = MaintainSettings(
    target_file_mb=64, vacuum_retention_hours=1, log_retention_hours=1, payload_retention_days=0
)


def append(stream, first, last, table=SILVER):
    """One commit with the rows of these offsets; everything else in them is null."""
    values = {"offset": F.col("id"), "event_date": F.lit(date(2026, 3, 27))}
    columns = [values.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in table.columns]
    stream.lake.append(stream.spark.range(first, last, numPartitions=1).select(*columns), table)


def offsets(stream, table=SILVER):
    return [row["offset"] for row in stream.lake.query(f'SELECT "offset" FROM {table.name} ORDER BY 1').to_pylist()]


def offsets_of_spark(stream, table=SILVER):
    """As a Spark sees them that has never seen the table."""
    stream.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    return sorted(row["offset"] for row in stream.lake.read(stream.spark, table).select("offset").collect())


def read_on(stream, batches=None):
    """The offsets of silver that a streaming query reads until it has caught up, or is stopped in a batch."""
    seen = []

    def take(rows, batch_id):
        if batches is not None and len(seen) == batches:
            raise RuntimeError("stopped")
        seen.append(sorted(row["offset"] for row in rows.select("offset").collect()))

    source = stream.spark.readStream.format("delta").option("maxFilesPerTrigger", 1)
    writer = source.load(stream.lake.table_path(SILVER)).writeStream.foreachBatch(take)
    query = writer.option("checkpointLocation", stream.lake.checkpoint_path("alerts")).trigger(availableNow=True)
    try:
        query.start().awaitTermination()
    except StreamingQueryException:
        assert batches is not None
    return sorted(offset for batch in seen for offset in batch)


def maintained(stream, table=SILVER, limits=NOTHING_KEPT, **how):
    with maintaining(stream.lake):
        return maintain(stream.lake, table, limits, **how)


def log_versions(stream, table=SILVER):
    return sorted(int(path.stem) for path in (stream.lake.path / table.name / "_delta_log").glob("*.json"))


def listing(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "_locks"]
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def data_file(path, size, modified, day="2026-03-27"):
    return DataFile(path, size, 1, modified, (("event_date", day),))


def test_no_row_of_any_table_changes_and_the_stream_goes_on_exactly(stream, snapshot):
    for i in range(2):
        stream.run(
            gsma(transactionReference=f"T-{i}", creationDate=f"2026-03-27T1{i}:00:00Z"),
            agent_cash("deposit", "AG-1", "256777000001", transactionReference=f"A-{i}"),
            b"{",
        )
    names = [table.name for table in (BRONZE, SILVER, QUARANTINE, *GOLD)]
    before = snapshot(names)

    done = [maintained(stream, table) for table in (BRONZE, SILVER, QUARANTINE, *GOLD)]

    assert snapshot(names) == before
    assert [table.files_after for table in done] == [1] * len(done)
    assert [table.files_before for table in done[:3]] == [2, 2, 2]

    late = gsma(transactionReference="T-9", creationDate="2026-03-27T10:00:30Z")
    stream.run(late, gsma(transactionReference="T-0", creationDate="2026-03-27T10:00:00Z"), b"[")

    result = reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (9, 5, 3, 1)
    assert result.is_clean


def test_a_stream_passes_over_a_compaction(stream):
    append(stream, 0, 2)
    append(stream, 2, 4)
    assert read_on(stream) == [0, 1, 2, 3]

    assert maintained(stream).files_after == 1
    assert read_on(stream) == []
    append(stream, 4, 5)

    assert read_on(stream) == [4]


def test_a_stopped_stream_finds_everything_it_has_still_to_read(stream):
    append(stream, 0, 1)
    assert read_on(stream) == [0]
    for i in range(1, 4):
        append(stream, i, i + 1)
        maintained(stream)

    done = maintained(stream)

    assert done.kept.startswith("alerts goes on from version 2 of ")
    assert read_on(stream) == [1, 2, 3]
    assert offsets(stream) == offsets_of_spark(stream) == [0, 1, 2, 3]


def test_what_a_stream_is_past_is_deleted(stream):
    for i in range(3):
        append(stream, i, i + 1)
    assert read_on(stream) == [0, 1, 2]
    first = {file.path for file in data_files(DeltaTable(stream.lake.table_path(SILVER)))}
    for i in range(3, 6):
        maintained(stream)
        append(stream, i, i + 1)
        assert read_on(stream) == [i]
    maintained(stream)

    log = stream.lake.path / SILVER.name / "_delta_log"
    assert min(log_versions(stream)) > 3
    assert not any((log.parent / path).exists() for path in first)
    assert {path.name for path in log.glob(".0*.crc")} <= {f".{path.name}.crc" for path in log.glob("0*")}
    assert offsets(stream) == offsets_of_spark(stream) == list(range(6))
    append(stream, 6, 7)
    assert read_on(stream) == [6]


def test_a_stream_stopped_in_its_first_look_at_the_table_finds_the_files_of_that_look(stream):
    for i in range(3):
        append(stream, i, i + 1)
    first = read_on(stream, batches=1)
    assert len(first) == 1

    for i in range(3, 5):
        append(stream, i, i + 1)
        maintained(stream)

    assert sorted(first + read_on(stream)) == [0, 1, 2, 3, 4]


def test_spark_and_delta_rs_go_on_from_each_others_checkpoints(stream):
    DeltaTable(stream.lake.table_path(SILVER)).alter.set_table_properties({"delta.checkpointInterval": "2"})
    for i in range(3):
        append(stream, i, i + 1)
    maintained(stream)
    assert offsets_of_spark(stream) == [0, 1, 2]
    for i in range(3, 5):
        append(stream, i, i + 1)
    maintained(stream)

    assert offsets(stream) == offsets_of_spark(stream) == [0, 1, 2, 3, 4]


def test_the_newest_append_is_never_a_compaction(stream):
    append(stream, 0, 2, BRONZE)
    append(stream, 2, 4, BRONZE)
    for _ in range(3):
        maintained(stream, BRONZE)

    _, files = stream.lake.newest_append(BRONZE)
    newest = stream.lake.read_files(stream.spark, BRONZE, files).select("offset").collect()
    assert sorted(row["offset"] for row in newest) == [2, 3]


def test_replaced_files_stay_for_their_time_and_those_of_killed_writers_go(stream):
    append(stream, 0, 2)
    append(stream, 2, 4)
    folder = stream.lake.path / SILVER.name / "event_date=2026-03-27"
    (folder / "part-of-a-killed-writer.parquet").write_bytes(b"PAR1")
    old = list(folder.glob("*.parquet"))
    for path in old:
        os.utime(path, (0, 0))

    maintained(stream, limits=HOURS_KEPT)

    assert {path.name for path in old if not path.exists()} == {"part-of-a-killed-writer.parquet"}


def test_a_dry_run_says_what_is_due_and_does_nothing(stream):
    append(stream, 0, 2)
    append(stream, 2, 4)
    before = listing(stream.lake.path)

    done = maintained(stream, dry_run=True)

    assert (done.files_before, done.files_after) == (2, 1)
    assert listing(stream.lake.path) == before


def test_a_second_maintenance_is_refused(stream, capsys):
    with maintaining(stream.lake):
        code = run(maintain_tables.main, ["--lake", str(stream.lake.path)])

    assert code == 73
    assert "is being maintained by another process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--lake", "/no/lake"], "There are no tables in /no/lake"), (["--tables", "silver"], "--tables names 'silver'")],
)
def test_what_cannot_be_maintained_is_refused_by_name(stream, capsys, arguments, sentence):
    code = run(maintain_tables.main, ["--lake", str(stream.lake.path), *arguments])

    assert code == 64
    assert sentence in capsys.readouterr().err


def test_a_swap_waits_for_the_commit_of_another_writer(stream):
    append(stream, 0, 2)
    append(stream, 2, 4)
    folder, asked = Path(stream.lake.table_path(SILVER)), threading.Event()
    piece = pieces(data_files(DeltaTable(folder)), 1_000_000)[0]

    @contextmanager
    def lock():
        asked.set()
        with stream.lake.writing(SILVER):
            yield

    swap = threading.Thread(target=join, args=(folder, piece, 1_000_000, stream.lake.path / "scratch", lock))
    with stream.lake.writing(SILVER):
        swap.start()
        assert asked.wait(30)
        assert DeltaTable(folder).version() == 2
    swap.join()

    assert DeltaTable(folder).version() == 3
    assert offsets(stream) == [0, 1, 2, 3]


def test_a_piece_of_which_a_merge_took_a_file_is_left_alone(stream):
    append(stream, 0, 2)
    append(stream, 2, 4)
    folder = Path(stream.lake.table_path(SILVER))
    piece = pieces(data_files(DeltaTable(folder)), 1_000_000)[0]

    @contextmanager
    def lock():
        DeltaTable(folder).delete('"offset" = 0')
        yield

    assert not join(folder, piece, 1_000_000, stream.lake.path / "scratch", lock)
    assert offsets(stream) == [1, 2, 3]


def test_beside_a_writing_stream_nothing_is_lost(stream):
    append(stream, 0, 1)
    append(stream, 1, 2)
    program = [sys.executable, ROOT / "jobs" / "maintain_tables.py", "--json", "--lake", stream.lake.path]
    written = 2
    for _ in range(2):
        other = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        while other.poll() is None:
            append(stream, written, written + 1)
            written += 1
        done = json.loads(other.communicate()[0])
        assert other.returncode == 0
        assert SILVER.name in [table["table"] for table in done["tables"]]

    operations = [entry.get("userMetadata") for entry in DeltaTable(stream.lake.table_path(SILVER)).history()]
    assert "momo maintain: small files joined" in operations
    assert offsets(stream) == offsets_of_spark(stream) == list(range(written))


def test_small_files_of_a_partition_are_joined_up_to_the_target():
    files = [data_file("a", 40, 3), data_file("b", 40, 1), data_file("c", 40, 2), data_file("d", 30, 4)]

    assert [[file.path for file in piece] for piece in pieces(files, 100)] == [["b", "c"], ["a", "d"]]


def test_big_files_single_files_and_other_partitions_are_left_alone():
    files = [data_file("big", 50, 1), data_file("small", 10, 2), data_file("other", 10, 3, day="2026-03-28")]

    assert pieces(files, 100) == []
