import time

from jobs.shutdown import WallClock


def test_a_clock_that_is_set_back_is_noticed_once(monkeypatch):
    clock, seconds = WallClock(), time.time

    monkeypatch.setattr(time, "time", lambda: seconds() - 3600)

    assert [round(clock.seconds_set_back()) for _ in range(2)] == [3600, 0]


def test_a_clock_that_is_set_forward_is_not_set_back(monkeypatch):
    clock, seconds = WallClock(), time.time

    monkeypatch.setattr(time, "time", lambda: seconds() + 3600)

    assert clock.seconds_set_back() < 0
