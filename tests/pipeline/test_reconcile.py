"""Each kind of damage is done to a sound lake, and found."""

import pytest
from deltalake import DeltaTable

from jobs.errors import LakeLocked, SettingsError
from jobs.lake import Lake
from jobs.reconciliation import quarantine_reasons, reconcile, record_conflicts
from schemas.tables import BRONZE, QUARANTINE, SILVER
from tests.builders import gsma


def transfer(reference, **changes):
    return gsma(transactionReference=reference, **changes)


@pytest.fixture
def sound(stream):
    """A lake with four transactions, a repeat and a refused record."""
    stream.run(*(transfer(f"T-{i}") for i in range(4)), transfer("T-3"), b"{")
    return stream


def differences(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets()).differences


def test_a_sound_lake_is_clean(sound):
    result = reconcile(sound.lake, "momo.transactions", sound.offsets())

    assert (result.kafka, result.bronze, result.silver, result.quarantine, result.repeats) == (6, 6, 4, 1, 1)
    assert result.is_clean


DAMAGE = {
    "a lost bronze row": (BRONZE, "delete", '"offset" = 2', "1 offsets are missing"),
    "a lost silver row": (SILVER, "delete", '"offset" = 2', "1 bronze rows are in neither silver nor quarantine"),
    "a changed amount": (SILVER, "update", "amount = 5000.0001", "1 silver rows that say something else than bronze"),
    "changed money in gold": (None, "update", "amount = 1", "amount in UGX: 20000.0000 in silver, 1.0000 in gold"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(sound, name):
    table, action, what, sentence = DAMAGE[name]
    damaged = DeltaTable(
        sound.lake.table_path(table) if table else str(sound.lake.path / "gold_transactions_per_minute")
    )
    if action == "delete":
        damaged.delete(what)
    else:
        column, _, value = what.partition(" = ")
        damaged.update(updates={column: value}, predicate='"offset" = 0' if table else None)

    assert any(sentence in difference for difference in differences(sound)), differences(sound)


def test_a_doubled_row_is_found(sound):
    for table, sentence in ((BRONZE, "in bronze more than once"), (SILVER, "whose key is there already")):
        rows = sound.lake.read(sound.spark, table).filter("offset = 1")
        sound.lake.append(rows, table)
        assert any(sentence in difference for difference in differences(sound))


def test_records_that_are_not_carried_yet_are_behind_and_no_difference(sound):
    sound.send(transfer("T-9"))
    result = reconcile(sound.lake, "momo.transactions", sound.offsets())

    assert (result.behind, result.differences, result.is_clean) == (1, (), False)


def test_a_topic_made_anew_is_told(sound):
    assert any(
        "another topic?" in sentence for sentence in reconcile(sound.lake, "momo.transactions", {0: (0, 3)}).differences
    )


def test_a_contradicting_repeat_is_recorded_once_in_quarantine(stream):
    stream.run(transfer("T-1", amount="1"), transfer("T-1", amount="2"), transfer("T-1", amount="1"))

    assert (record_conflicts(stream.lake), record_conflicts(stream.lake)) == (1, 0)

    result = reconcile(stream.lake, "momo.transactions", stream.offsets())
    assert (result.silver, result.quarantine, result.repeats, result.conflicts) == (1, 1, 1, 0)
    assert quarantine_reasons(stream.lake) == {"conflicting_repeat": 1}


def test_the_stream_goes_on_beside_a_recorded_conflict(stream):
    stream.run(transfer("T-1", amount="1"), transfer("T-1", amount="2"))
    record_conflicts(stream.lake)
    stream.run(b"{")

    assert quarantine_reasons(stream.lake) == {"conflicting_repeat": 1, "not_one_json_object": 1}


def test_a_lake_has_one_writer(tmp_path):
    lake = Lake(tmp_path)
    with (
        lake.locked("the stream"),
        pytest.raises(LakeLocked, match="being written by the stream"),
        lake.locked("another"),
    ):
        pass
    with lake.locked("the next one"):
        pass


def test_a_table_of_another_version_is_refused(tmp_path, spark):
    lake = Lake(tmp_path)
    spark.createDataFrame([(1,)], "something int").write.format("delta").save(lake.table_path(QUARANTINE))

    with pytest.raises(SettingsError, match="has other columns than this version writes"):
        lake.create()
