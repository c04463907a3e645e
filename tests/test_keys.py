import io
import json
from pathlib import Path

import pytest

from jobs import manage_keys
from jobs.command_line import run
from jobs.errors import SettingsError
from jobs.key_ring import create_ring, find_ring, new_ring, read_ring, write_ring
from jobs.lake import Lake
from jobs.lake_keys import ring_for_writing, ring_of
from jobs.settings import ROOT, load_settings
from tests.keys import KEYS


@pytest.fixture
def privacy(tmp_path, monkeypatch):
    """Settings of a key file that is not there yet, and no keys in the environment."""
    monkeypatch.delenv("MOMO_KEYS")
    file = str(tmp_path / "secret" / "keys.json")
    monkeypatch.setenv("MOMO__PRIVACY__KEY_FILE", file)
    return load_settings(environment={}, privacy__key_file=file).privacy


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.path.mkdir()
    return lake


def keys(*arguments):
    return run(manage_keys.main, list(arguments))


def test_a_ring_is_written_for_its_owner_alone_and_read_back(privacy, tmp_path):
    ring, path = new_ring(), tmp_path / "secret" / "keys.json"

    assert create_ring(ring, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_ring(privacy) == ring
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_a_ring_that_is_there_is_never_replaced_by_a_new_one(privacy, tmp_path):
    first, path = new_ring(), tmp_path / "secret" / "keys.json"
    create_ring(first, path)

    assert not create_ring(new_ring(), path)
    assert read_ring(privacy) == first


def test_a_ring_that_others_can_read_is_refused(privacy, tmp_path):
    create_ring(new_ring(), tmp_path / "secret" / "keys.json")
    (tmp_path / "secret" / "keys.json").chmod(0o640)

    with pytest.raises(SettingsError, match="can be read by others .mode 0640.: run `chmod 600"):
        read_ring(privacy)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"active": "k1", "keys": {}}',
        KEYS.replace('"active": "k1"', '"active": "k2"'),
        KEYS.replace("IHNlY3JldC4=", ""),
        KEYS.replace('"k1"', '"first"'),
        KEYS.replace("2026-03-27T18:00:00+00:00", "yesterday"),
    ],
)
def test_what_is_no_ring_is_refused_without_a_word_of_it(privacy, text):
    with pytest.raises(SettingsError, match="the environment variable MOMO_KEYS is no key ring") as refused:
        find_ring(privacy, {"MOMO_KEYS": text})

    assert "dGhlIHRlc3Rz" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_new_key_makes_other_tokens_and_the_old_ones_can_still_be_made(privacy, tmp_path):
    old = new_ring()
    write_ring(old.rotated(), tmp_path / "keys.json")
    rotated = find_ring(privacy.model_copy(update={"key_file": str(tmp_path / "keys.json")}), {})

    assert rotated.active == "k2"
    assert rotated.token("256777123456", "k1") == old.token("256777123456")
    assert rotated.token("256777123456")[3:] != old.token("256777123456")[3:]


def test_a_token_of_a_key_that_is_gone_is_named():
    with pytest.raises(SettingsError, match=r"made with the key k7, which is not in the key ring \(k1\)"):
        new_ring().token("256777123456", "k7")


def test_a_new_lake_gets_a_ring_and_says_so_once(privacy, lake, caplog):
    with caplog.at_level("INFO"):
        ring = ring_for_writing(lake, privacy)
        assert ring_for_writing(lake, privacy) == ring == ring_of(lake, privacy)

    assert [record.message.split(":")[0].split(" at ")[0] for record in caplog.records] == ["made a key ring"]


def test_a_lake_that_has_tokens_never_gets_a_new_ring(privacy, lake, tmp_path):
    ring_for_writing(lake, privacy)
    (tmp_path / "secret" / "keys.json").unlink()

    with pytest.raises(SettingsError, match="The lake's tokens were made with k1, and there is no key ring"):
        ring_for_writing(lake, privacy)


def test_another_ring_than_the_lakes_is_refused(privacy, lake, tmp_path):
    ring_for_writing(lake, privacy)
    write_ring(new_ring(), tmp_path / "secret" / "keys.json")

    for use in (ring_of, ring_for_writing):
        with pytest.raises(SettingsError, match="is not the k1 that the lake's tokens were made with"):
            use(lake, privacy)


def test_a_rotated_ring_is_the_lakes_too(privacy, lake, tmp_path):
    rotated = ring_for_writing(lake, privacy).rotated()
    write_ring(rotated, tmp_path / "secret" / "keys.json")

    assert ring_for_writing(lake, privacy) == rotated
    assert sorted(json.loads((lake.path / "_keys.json").read_text())) == ["k1", "k2"]


def test_production_makes_no_ring(lake, monkeypatch, tmp_path):
    monkeypatch.delenv("MOMO_KEYS")
    key_file = str(tmp_path / "keys.json")
    production = load_settings(ROOT / "conf" / "production.toml", {}, privacy__key_file=key_file).privacy

    with pytest.raises(SettingsError, match="make one with `momo keys create`"):
        ring_for_writing(lake, production)
    assert not (tmp_path / "keys.json").exists()


def test_keys_are_made_listed_and_rotated_and_never_shown(privacy, capsys, monkeypatch):
    assert [keys("create"), keys("rotate"), keys("list"), keys("create")] == [0, 0, 0, 64]
    monkeypatch.setattr("sys.stdin", io.StringIO("+256 777 123456\n\n2290197123456\n"))
    assert keys("token") == 0

    ring, said = read_ring(privacy), capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.partition(" made ")[0] for line in lines[2:4]] == ["k1", "k2"]
    assert lines[3].endswith(" UTC, active")
    numbers = ("256777123456", "2290197123456")
    assert lines[4:] == [ring.token(number, name) for number in numbers for name in ("k2", "k1")]
    assert "There is a key ring at" in said.err
    written = json.loads(Path(privacy.key_file).read_text())["keys"]
    assert [name for name, key in written.items() if key["secret"] in said.out + said.err] == []


def test_a_line_that_is_no_number_is_named_by_its_place(privacy, capsys, monkeypatch):
    keys("create")
    monkeypatch.setattr("sys.stdin", io.StringIO("256777123456\nGrace\n"))

    assert keys("token") == 64
    said = capsys.readouterr().err
    assert "Line 2 is not a phone number" in said
    assert "Grace" not in said


def test_keys_of_the_environment_are_not_changed(privacy, capsys, monkeypatch):
    monkeypatch.setenv("MOMO_KEYS", KEYS)

    assert [keys("create"), keys("rotate"), keys("list")] == [64, 64, 0]
    assert "change it where that is set" in capsys.readouterr().err
