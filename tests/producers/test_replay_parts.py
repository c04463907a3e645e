"""Pace, position and rejections of a replay."""

import base64
import json
import os
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import SettingsError
from jobs.settings import load_settings
from producers.contract import Reason
from producers.pacing import at_rate, at_speed
from producers.places import BEGINNING, Place, Places
from producers.position import Position, Progress
from producers.rejections import Rejections
from producers.source_files import FileSource
from producers.wire import WireRecord

SETTINGS = load_settings(environment={})
NOON = datetime(2023, 4, 19, 12, tzinfo=UTC)


class Clock:
    """A clock that goes only when it is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def events(*seconds: float | None) -> list[WireRecord]:
    """Records with those event times, in seconds after noon."""
    times = [None if second is None else NOON + timedelta(seconds=second) for second in seconds]
    return [WireRecord(b"k", b"v", time, line) for line, time in enumerate(times, start=1)]


def sent_at_speed(clock: Clock, *seconds: float | None, speed: float = 1.0) -> list[float]:
    return [round(clock.now - 1000, 3) for _ in at_speed(iter(events(*seconds)), speed, clock.wait)]


def test_a_rate_spreads_records_evenly(clock: Clock) -> None:
    assert [clock.now for _ in at_rate(iter(events(*[None] * 4)), 2, clock.wait)] == [1000, 1000.5, 1001, 1001.5]


def test_a_lag_is_not_made_up_for_in_one_burst(clock: Clock) -> None:
    sent = []
    for record in at_rate(iter(events(*[None] * 40)), 10, clock.wait):
        sent.append(clock.now)
        if record.line == 1:
            clock.now += 60
    burst = [moment for moment in sent if moment == 1060]
    assert len(burst) <= 12
    assert sent[-1] == pytest.approx(1060 + 2.9, abs=0.2)


def test_a_speed_keeps_the_gaps_of_the_event_times(clock: Clock) -> None:
    assert sent_at_speed(clock, 0, 10, 10, 70, speed=10) == [0, 1, 1, 7]


def test_records_out_of_order_or_without_a_time_go_at_once_and_shift_nothing(clock: Clock) -> None:
    assert sent_at_speed(clock, 0, 10, 4, None, 20) == [0, 10, 10, 10, 20]


def test_one_record_from_the_far_future_holds_up_no_other(clock: Clock) -> None:
    assert sent_at_speed(clock, 0, 10, 30_000_000_000, 20, 30) == [0, 10, 10, 10, 20]


def position(source: Path, topic_id: str = "t1") -> Position:
    identity = FileSource(str(source), threading.Event()).identity
    return Position(identity, SETTINGS, topic_id, source.parent / "positions")


def at(line: int, place: Any = None) -> Progress:
    return Progress(Place(line, place), NOON)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.ndjson"
    path.write_text("{}\n" * 10)
    return path


def test_a_position_is_found_again_and_is_that_of_its_file_alone(source: Path) -> None:
    assert position(source).load() is None
    position(source).save(at(7, {"page": "é"}))
    assert position(source).load() == at(7, {"page": "é"})
    other = source.with_name("b.ndjson")
    other.write_text("{}\n")
    assert position(other).load() is None


def test_a_position_is_for_its_owner_alone(source: Path) -> None:
    position(source).save(at(7))
    position(source).save(at(8))
    (file,) = (source.parent / "positions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_place_is_reached_when_all_before_it_is_done() -> None:
    places = Places(BEGINNING)
    for line in (3, 3, 7):
        places.add(Place(line, f"page {line}"))
    reached = [places.reached(line) for line in (0, 2, 3, 6, 7, 9)]
    assert [place.line for place in reached] == [0, 0, 3, 3, 7, 7]


@pytest.mark.parametrize("change", ["longer", "same length, later"])
def test_a_changed_file_is_not_resumed(source: Path, change: str) -> None:
    position(source).save(at(7))
    if change == "longer":
        source.write_text("{}\n" * 11)
    else:
        os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))
    with pytest.raises(SettingsError, match="has changed since it was replayed up to line 7"):
        position(source).load()


def test_a_topic_made_anew_is_not_resumed_into(source: Path) -> None:
    position(source).save(at(7))
    with pytest.raises(SettingsError, match="was made anew since line 7"):
        position(source, topic_id="t2").load()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"line": 3}', "null"])
def test_a_damaged_position_is_refused_and_never_skips(source: Path, damage: str) -> None:
    position(source).save(at(7))
    (file,) = (source.parent / "positions").iterdir()
    file.write_text(damage)
    with pytest.raises(SettingsError, match="is damaged: delete it"):
        position(source).load()


def test_rejected_records_are_kept_with_their_reasons_byte_for_byte(tmp_path: Path) -> None:
    reasons = [Reason("/amount", "too long"), Reason("", "é")]
    with Rejections(tmp_path / "r", is_resumed=False) as rejections:
        rejections.add(3, '{"a": 12.30, "n": "é"}'.encode(), reasons)
        rejections.add(4, b"\xff\n", reasons[:1])
        assert rejections.count == 2
    first, second = [json.loads(line) for line in (tmp_path / "r").read_text(encoding="utf-8").splitlines()]
    assert first == {
        "line": 3,
        "reasons": [{"path": "/amount", "reason": "too long"}, {"path": "", "reason": "é"}],
        "record": '{"a": 12.30, "n": "é"}',
    }
    assert base64.b64decode(second["record_base64"]) == b"\xff\n"
    assert "record" not in second


def test_a_resumed_replay_adds_to_the_rejected_records_and_a_new_one_does_not(tmp_path: Path) -> None:
    for is_resumed, lines in ((False, 1), (True, 2), (False, 1)):
        with Rejections(tmp_path / "r", is_resumed) as rejections:
            rejections.add(1, b"x", [])
        assert len((tmp_path / "r").read_text().splitlines()) == lines


def test_rejected_records_are_counted_without_a_file_too(tmp_path: Path) -> None:
    with Rejections(None, is_resumed=False) as rejections:
        rejections.add(1, b"x", [])
        rejections.sync()
    assert rejections.count == 1
    with pytest.raises(SettingsError, match="cannot be written"):
        Rejections(tmp_path / "no" / "folder", is_resumed=False)
