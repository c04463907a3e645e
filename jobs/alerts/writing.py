"""Write the alerts of silver's new rows, commit by commit, without Spark.

The windows of the hours and days that are open are added up in memory, from silver at a start; of a late row the
window is read from silver, whole. So the table is what the rules say of silver, and a start mends what a kill left:
alerts are put in place by value, then sent, then noted as done.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.alerts import progress
from jobs.alerts.alert_table import Alert, alerts_there, changes, ending_after, put_changes, starting_within, window_of
from jobs.alerts.evaluation import Fired, Touched, Windows
from jobs.alerts.evidence import (
    Evidence,
    Window,
    alert_rows,
    among,
    batch_in,
    keys_of,
    microseconds_of,
    names_in,
    note,
    time_of,
    windows_of,
)
from jobs.alerts.history import LakeHistories
from jobs.alerts.movements import Batch, batch_of, naming
from jobs.alerts.rulebook import LiveRules, Rulebook
from jobs.alerts.sending import Sending
from jobs.alerts.silver_rows import Span, newest_event_time, read_rows, rows_between
from jobs.alerts.totals import different
from jobs.lake import Lake
from jobs.rules import FIRST_EVENT_TIME
from jobs.settings import duration_seconds
from jobs.windows import closed_by
from schemas.tables import SILVER

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class AlertWriter:
    """Keeps the table of alerts up with silver. One at a time; the lake is locked before it is made."""

    def __init__(self, lake: Lake, rules: LiveRules, lateness: str, sending: Sending | None = None) -> None:
        """Without a place to go on from, the history of silver is left to a backfill."""
        self._lake, self._rules, self._sending = lake, rules, sending or Sending(None)
        self._lateness = timedelta(seconds=duration_seconds(lateness))
        if progress.reached(lake) < 0:
            progress.note(lake, lake.newest_version(SILVER))
        self._version = progress.reached(lake)
        self._newest = FIRST_EVENT_TIME
        self._histories = LakeHistories(lake)
        self._windows = Windows(rules.rulebook)
        self._has_begun = False
        # Of the open windows that have fired: what led there, and the alerts in the table.
        self._evidence: dict[Window, Evidence] = {}
        self._there: dict[str, Alert] = {}
        # The windows of these and of other alerts: to find one its entity is hashed.
        self._window: dict[str, Window | None] = {}

    def carry(self) -> bool:
        """Bring the alerts up to what silver has now; whether there was anything new. Safe to repeat."""
        has_lost_rows = self._lake.has_lost_rows(SILVER, after=self._version)
        has_changed = self._rules.has_changed() or self._histories.has_changed()
        if not self._has_begun or has_changed or has_lost_rows:
            self._begin()
            return True
        version, files = self._lake.newer(SILVER, self._version)
        for rows in read_rows(files):
            self._add(rows)
        is_newer = version > self._version
        if is_newer:
            self._version = version
            progress.note(self._lake, version)
        return is_newer

    def _begin(self) -> None:
        """Add the open windows up from silver and evaluate all of them; late rows since the last note, as ever."""
        before, self._version = progress.reached(self._lake), self._lake.newest_version(SILVER)
        self._newest = newest_event_time(self._lake, self._version) or FIRST_EVENT_TIME
        closed = closed_by(self._newest, self._lateness)
        self._windows, self._evidence = Windows(self._rules.rulebook, microseconds_of(closed), self._histories), {}
        self._window = {}
        # The windows that are open began yesterday at noon at the earliest.
        for rows in rows_between(self._lake, (_day(closed) - DAY / 2, self._newest + DAY), self._version):
            self._windows.add(batch_of(rows))
        # A short window is held until its hour closes, which may be that much after its own end.
        self._there = {alert["alert_id"]: alert for alert in alerts_there(self._lake, ending_after(closed - HOUR))}
        self._sending.begin(alerts_there(self._lake, ending_after(closed - self._sending.longest(self._rules))))
        unsure = self._again_since(before)
        touched = self._windows.touched()
        fired = [one for one in self._windows.fired(touched) if one.rule.scope == "window"]
        self._put_open(fired, touched, unsure)
        progress.note(self._lake, self._version)
        self._has_begun = True

    def _again_since(self, version: int) -> Touched:
        """Late rows and single rows of the commits since this version; the open windows that the commits touched.

        Of their alerts nobody knows whether they were sent.
        """
        probe = Windows(self._rules.rulebook, self._windows.closed_before)
        touched: Touched = {}
        for rows in read_rows(self._lake.newer(SILVER, version)[1]):
            batch = batch_of(rows)
            held, late = probe.add(batch)
            touched = _both(touched, held)
            self._put_rows(probe.fired({}), batch, again=True)
            self._correct(late, rows, again=True)
        return touched

    def _add(self, rows: pa.Table) -> None:
        """Rows that have just come."""
        batch = batch_of(rows)
        held, late = self._windows.add(batch)
        fired = self._windows.fired(held)
        self._put_rows([one for one in fired if one.rule.scope == "row"], batch)
        self._correct(late, rows)
        # Of what has ever fired, too: when it does again, nobody looks for what came meanwhile.
        note(self._evidence, batch, keys_of(self._evidence))
        self._put_open([one for one in fired if one.rule.scope == "window"], held, {}, batch)
        newest = pc.max(rows["event_time"]).as_py()
        if newest is not None and newest > self._newest:
            self._newest = newest
            self._close(closed_by(newest, self._lateness))

    def _put_open(self, fired: Sequence[Fired], touched: Touched, unsure: Touched, batch: Batch | None = None) -> None:
        """Open windows: what the table says of them is known. `batch` are the rows that touched them, if any did."""
        self._find_evidence([one for one in fired if not self._is_known(one)], batch)
        wanted = alert_rows(fired, self._evidence, datetime.now(UTC))
        there = self._those_in(self._there.values(), touched)
        for alert in self._put(wanted, there, self._those_in(wanted, unsure)):
            if alert["is_gone"]:
                del self._there[alert["alert_id"]]
            else:
                self._there[alert["alert_id"]] = alert

    def _put_rows(self, fired: Sequence[Fired], batch: Batch, again: bool = False) -> None:
        """Single rows: an alert of one is never taken back."""
        if not fired:
            return
        evidence: dict[Window, Evidence] = {}
        note(evidence, batch, windows_of(fired))
        wanted = alert_rows(fired, evidence, datetime.now(UTC))
        starts, ids = [alert["window_start"] for alert in wanted], {alert["alert_id"] for alert in wanted}
        near = alerts_there(self._lake, starting_within(min(starts), max(starts) + timedelta(microseconds=1)))
        self._put(wanted, [alert for alert in near if alert["alert_id"] in ids], wanted if again else [])

    def _correct(self, late: Touched, rows: pa.Table, again: bool = False) -> None:
        """Windows that are closed, anew from silver; held against a backfill that corrects them too."""
        if not any(len(keys) for keys in late.values()):
            return
        with self._lake.correcting():
            for span in _late_spans(rows, late, self._windows.closed_before or 0):
                fired, evidence = whole_windows(self._lake, self._rules.rulebook, span, late)
                wanted = alert_rows(fired, evidence, datetime.now(UTC))
                there = self._those_in(alerts_there(self._lake, starting_within(*span)), late)
                self._put(wanted, there, wanted if again else [])

    def _put(self, wanted: Sequence[Alert], there: Sequence[Alert], again: Sequence[Alert]) -> list[Alert]:
        """One commit where there is something to say, then Kafka; what has changed."""
        changed = changes(wanted, there)
        put_changes(self._lake, changed)
        self._sending.send(changed, {alert["alert_id"]: alert for alert in there}, again, self._rules.rulebook)
        return changed

    def _find_evidence(self, fired: Sequence[Fired], batch: Batch | None) -> None:
        """Of windows that fire for the first time, from silver: its rows that name one of those who did it."""
        wanted = windows_of(fired)
        # Each window has a row in the batch that made it fire.
        names = None if batch is None else names_in(batch, wanted)
        for span in _joined((time_of(one.start), time_of(one.start + one.rule.length)) for one in fired):
            for rows in rows_between(self._lake, span):
                note(self._evidence, batch_of(rows if names is None else naming(rows, names)), wanted)

    def _is_known(self, fired: Fired) -> bool:
        return (fired.windowing, fired.key) in self._evidence

    def _those_in(self, alerts: Iterable[Alert], touched: Touched) -> list[Alert]:
        """The alerts of these windows."""
        windows = [(alert, self._window_of(alert)) for alert in alerts]
        here = among((window for _, window in windows if window), touched)
        return [alert for alert, window in windows if window in here]

    def _window_of(self, alert: Alert) -> Window | None:
        name = alert["alert_id"]
        if name not in self._window:
            self._window[name] = window_of(alert, self._rules.rulebook)
        return self._window[name]

    def _close(self, closed: datetime) -> None:
        """Forget what only late rows can change."""
        before, end = self._windows.closed_before or 0, microseconds_of(closed)
        if end > before:
            self._windows.close(end)
            self._there = {name: alert for name, alert in self._there.items() if alert["window_end"] > closed - HOUR}
            self._window = {name: window for name, window in self._window.items() if name in self._there}
            held = among(self._evidence, self._windows.touched())
            self._evidence = {window: one for window, one in self._evidence.items() if window in held}


def whole_windows(
    lake: Lake, rulebook: Rulebook, span: Span, only: Touched | None = None
) -> tuple[list[Fired], dict[Window, Evidence]]:
    """The rules that silver's windows that begin within a span fulfil, all or some of them, and what led there."""
    windows = Windows(rulebook, histories=LakeHistories(lake))
    first, end = span
    # Windows that are named are within the span as a whole.
    to_their_end = (first, end + timedelta(microseconds=rulebook.longest_shift)) if only is None else span
    for rows in rows_between(lake, to_their_end):
        batch = batch_of(rows)
        windows.add(batch if only is None else batch_in(batch, only), only)
    fired = [one for one in windows.fired(windows.touched()) if first <= time_of(one.start) < end]
    fired = [one for one in fired if only is None or one.rule.scope == "window"]
    evidence: dict[Window, Evidence] = {}
    wanted = windows_of(fired)
    for rows in rows_between(lake, to_their_end) if fired else ():
        note(evidence, batch_of(rows), wanted)
    return fired, evidence


def _late_spans(rows: pa.Table, late: Touched, closed: int) -> list[Span]:
    """Hours and days in which the late windows lie, by the times of these rows."""
    times = rows["event_time"].cast(pa.int64()).to_numpy()
    spans: list[Span] = []
    an_hour = HOUR // timedelta(microseconds=1)
    for length, shift in {(max(length, an_hour), shift) for (_, length, shift), keys in late.items() if len(keys)}:
        starts = different((times - (times - shift) % length).astype(np.uint64)).astype(np.int64)
        spans += [(time_of(start), time_of(start + length)) for start in starts.tolist() if start + length <= closed]
    return _joined(spans)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans that do not overlap, of the same times."""
    joined: list[Span] = []
    for first, end in sorted(set(spans)):
        if joined and first < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined


def _both(a: Touched, b: Touched) -> Touched:
    none = np.zeros(0, np.uint64)
    return {windowing: np.union1d(a.get(windowing, none), b.get(windowing, none)) for windowing in {*a, *b}}


def _day(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
