"""Each kind of damage is done to a sound lake, and found."""

import pytest
from deltalake import DeltaTable

from jobs import reconcile_tables
from jobs.command_line import run
from jobs.errors import LakeLocked, SettingsError
from jobs.key_ring import KeyRing, as_text
from jobs.lake import Lake
from jobs.reconciliation import quarantine_reasons, reconcile, record_conflicts
from schemas.tables import BRONZE, QUARANTINE, SILVER
from tests.builders import RING, gsma


def transfer(reference, **changes):
    return gsma(transactionReference=reference, **changes)


@pytest.fixture
def sound(stream):
    """A lake with four transactions, a repeat and a refused record."""
    stream.run(*(transfer(f"T-{i}") for i in range(4)), transfer("T-3"), b"{")
    return stream


def differences(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets(), RING).differences


def test_a_sound_lake_is_clean(sound):
    result = reconcile(sound.lake, "momo.transactions", sound.offsets(), RING)

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
    result = reconcile(sound.lake, "momo.transactions", sound.offsets(), RING)

    assert (result.behind, result.differences, result.is_clean) == (1, (), False)


def test_a_topic_made_anew_is_told(sound):
    result = reconcile(sound.lake, "momo.transactions", {0: (0, 3)}, RING)

    assert any("another topic?" in sentence for sentence in result.differences)


def test_a_contradicting_repeat_is_recorded_once_in_quarantine(stream):
    stream.run(transfer("T-1", amount="1"), transfer("T-1", amount="2"), transfer("T-1", amount="1"))

    assert (record_conflicts(stream.lake, RING), record_conflicts(stream.lake, RING)) == (1, 0)

    result = reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)
    assert (result.silver, result.quarantine, result.repeats, result.conflicts) == (1, 1, 1, 0)
    assert quarantine_reasons(stream.lake) == {"conflicting_repeat": 1}


def test_a_repeat_that_names_another_payee_is_a_conflict_and_one_that_spells_it_otherwise_is_none(stream):
    spelt, other = ([{"key": "msisdn", "value": value}] for value in ("+2560 751 234567", "256751234568"))
    stream.run(*(transfer("T-1", creditParty=payee) for payee in (gsma()["creditParty"], spelt, other)))

    result = reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)

    assert (result.repeats, result.conflicts, result.differences) == (1, 1, ())


def test_a_party_that_is_not_made_of_bronzes_is_found(sound):
    silver = DeltaTable(sound.lake.table_path(SILVER))
    silver.update(updates={"debit_party": "debit_party || 'a'"}, predicate='"offset" = 0')
    silver.update(updates={"credit_party": "'msisdn:256751234567'"}, predicate='"offset" IN (1, 2)')

    assert differences(sound) == (
        "1 silver rows whose debit_party is not made of bronze's",
        "2 silver rows whose credit_party is not made of bronze's",
    )


def test_tokens_of_two_keys_are_proved_by_a_ring_that_has_both(stream, monkeypatch):
    stream.run(transfer("T-1"))
    rotated = RING.rotated()
    monkeypatch.setenv("MOMO_KEYS", as_text(rotated))
    stream.run(transfer("T-1"), transfer("T-2"))

    result = reconcile(stream.lake, "momo.transactions", stream.offsets(), rotated)

    assert (result.silver, result.repeats, result.differences) == (2, 1, ())
    payers = "SELECT debit_token FROM silver_transactions ORDER BY transaction_reference"
    assert stream.rows(payers) == [(rotated.token("256777123456", name),) for name in ("k1", "k2")]
    alone = KeyRing("k2", {"k2": rotated.keys["k2"]})
    with pytest.raises(SettingsError, match="made with the key k1, which is not in the key ring"):
        reconcile(stream.lake, "momo.transactions", stream.offsets(), alone)


def test_reconcile_without_the_keys_says_so(sound, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("MOMO_KEYS")
    monkeypatch.setenv("MOMO__PRIVACY__KEY_FILE", str(tmp_path / "no-keys.json"))

    assert run(reconcile_tables.main, ["--lake", str(sound.lake.path)]) == 64
    assert "There is no key ring at" in capsys.readouterr().err


def test_the_stream_goes_on_beside_a_recorded_conflict(stream):
    stream.run(transfer("T-1", amount="1"), transfer("T-1", amount="2"))
    record_conflicts(stream.lake, RING)
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
