"""Rows of a table are corrected, and whoever follows its appends does not take them for new ones."""

from decimal import Decimal

import pyarrow as pa
from deltalake import DeltaTable

from jobs.corrections import correct_rows, remove_rows
from jobs.retention import version_done
from schemas.tables import SILVER
from tests.builders import gsma, silver_rows

ROWS = 'SELECT "offset", amount, event_date FROM silver_transactions ORDER BY 1'


def places(*offsets, **columns):
    rows = {"topic": ["momo.transactions"] * len(offsets), "partition": pa.array([0] * len(offsets), pa.int32())}
    return pa.table({**rows, "offset": list(offsets), **columns})


def filled(stream):
    records = [gsma(transactionReference=f"T-{i}", amount=str(i + 1)) for i in range(3)]
    stream.lake.append(silver_rows(stream.spark, records), SILVER)
    return stream.lake.newest_version(SILVER)


def test_rows_are_changed_and_taken_away_by_their_place_in_kafka(stream):
    filled(stream)
    day = DeltaTable(stream.lake.table_path(SILVER)).to_pandas()["event_date"][0]

    remove_rows(stream.lake, SILVER, places(0, 7))
    correct_rows(
        stream.lake, SILVER, places(1, 7, amount=pa.array([Decimal("9.0000")] * 2, pa.decimal128(22, 4))), ["amount"]
    )

    assert stream.rows(ROWS) == [(1, Decimal("9.0000"), day), (2, Decimal("3.0000"), day)]
    assert stream.lake.read(stream.spark, SILVER).count() == 2


def test_what_changes_no_row_makes_no_commit(stream):
    version = filled(stream)

    remove_rows(stream.lake, SILVER, places(7))
    remove_rows(stream.lake, SILVER, places())
    correct_rows(stream.lake, SILVER, places(7, status=["failed"]), ["status"])

    assert stream.lake.newest_version(SILVER) == version
    assert not stream.lake.has_lost_rows(SILVER, after=0)


def test_a_correction_is_no_append(stream):
    version = filled(stream)
    before = stream.lake.newest_append(SILVER)

    remove_rows(stream.lake, SILVER, places(0))

    assert stream.lake.newest_append(SILVER) == before
    assert stream.lake.appended(SILVER, after=version) == []
    assert stream.lake.has_lost_rows(SILVER, after=version)
    assert not stream.lake.has_lost_rows(SILVER, after=version + 1)


def test_a_query_has_carried_what_its_finished_batches_read(stream):
    checkpoints, silver = (
        stream.lake.path / "_checkpoints",
        str(DeltaTable(stream.lake.table_path(SILVER)).metadata().id),
    )
    assert version_done(checkpoints, "gold", silver) == -1

    stream.run(gsma(transactionReference="T-1"))
    assert version_done(checkpoints, "gold", silver) == stream.lake.newest_version(SILVER) == 1
    stream.run(gsma(transactionReference="T-2"))
    assert version_done(checkpoints, "gold", silver) == 2

    (checkpoints / "gold" / "commits" / "1").unlink()
    assert version_done(checkpoints, "gold", silver) == 1
    assert version_done(checkpoints, "gold", "another table") == -1
