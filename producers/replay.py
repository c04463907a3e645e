"""Replay a source into Kafka: read, check, pace, send, and account for every record."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infra.topics import Topic, read_topic
from jobs.errors import SettingsError
from jobs.settings import Settings
from producers.adapters.translation import NATIVE, SourceFormat, Translator
from producers.contract import Contract, Reason, RecordFormat
from producers.delivery import Delivery
from producers.opening import SourceAddress, open_source
from producers.pacing import at_rate, at_speed
from producers.places import BEGINNING, Place
from producers.position import POSITIONS, Position, Progress
from producers.rejections import Rejections
from producers.sources import is_stream
from producers.wire import RawRecord, WireRecord

if TYPE_CHECKING:
    from producers.faults import FaultInjector

# Between two looks at the acknowledgements, each with a saved position and a report.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class ReplayOptions:
    """What to replay and how; without `rate` (records a second) and `speed` (of event time) as fast as it goes."""

    source: str = field(repr=False)
    record_format: SourceFormat = "auto"
    query: str | None = field(default=None, repr=False)
    cursor: str | None = None
    token: str | None = field(default=None, repr=False)
    rate: float | None = None
    speed: float | None = None
    loop: bool = False
    resume: bool = False
    rejected: Path | None = None
    faults: Path | None = None
    manifest: Path | None = None
    positions: Path = POSITIONS

    def __post_init__(self) -> None:
        """Refuse what cannot go together; raises `SettingsError`."""
        if self.resume and not self.is_read_once:
            raise SettingsError(
                "--resume goes on in a source that is sent as it is: leave out --loop, --faults and pipes."
            )
        if self.loop and (self.address.is_address or is_stream(self.source)):
            raise SettingsError("--loop reads a file again and again, and the source is none: save it to a file first.")
        if self.rate is not None and self.speed is not None:
            raise SettingsError("--rate and --speed are two paces: give one of them.")
        if min(self.rate or 1, self.speed or 1) < 0 or 0 in (self.rate, self.speed):
            raise SettingsError("--rate and --speed must be more than 0: leave them out to go as fast as it goes.")
        if self.manifest and not self.faults:
            raise SettingsError("--manifest tells what --faults did: give a fault plan too.")
        written = [path.resolve() for path in (self.rejected, self.manifest) if path]
        if not self.address.is_address and Path(self.source).resolve() in written:
            raise SettingsError(f"{self.source} would be written over while it is read: name other files to write.")

    @property
    def is_read_once(self) -> bool:
        """Whether a line of the source names one record of the topic, so that a position makes sense."""
        is_pipe = not self.address.is_address and is_stream(self.source)
        return not (self.loop or self.faults or is_pipe)

    @property
    def address(self) -> SourceAddress:
        """What is to be read."""
        return SourceAddress(self.source, self.query, self.cursor, self.token)


@dataclass(frozen=True)
class ReplayCounts:
    """Records by their fate: read = sent + rejected (unless faults add some), and at the end sent = acknowledged."""

    read: int
    sent: int
    acknowledged: int
    rejected: int
    seconds: float

    @property
    def records_per_second(self) -> float:
        """Acknowledged records a second."""
        return self.acknowledged / self.seconds if self.seconds else 0.0


Report = Callable[[ReplayCounts], None]


def replay(
    options: ReplayOptions, settings: Settings, stop: threading.Event | None = None, report: Report | None = None
) -> ReplayCounts:
    """Replay the source; every record is acknowledged, or kept as rejected, when this returns.

    When `stop` is set no more is read, and what was read is still delivered. `report` is given the counts every second.
    Raises `SettingsError` for a source, a fault plan or a position that is not usable, `DependencyMissing` when Kafka
    or the topic is not there.
    """
    return _Replay(options, settings, stop or threading.Event(), report).run()


class _Replay:
    """One replay: the way of its records, and their counts."""

    _rejections: Rejections
    _delivery: Delivery

    def __init__(
        self, options: ReplayOptions, settings: Settings, stop: threading.Event, report: Report | None
    ) -> None:
        self._options, self._settings, self._stop, self._report = options, settings, stop, report
        self._contract = Contract(settings.dummy.time_zone, _wire_format(options.record_format))
        self._faults = _fault_injector(options.faults)
        self._source = open_source(options.address, settings, stop)
        self._position: Position | None = None
        self._began_at = datetime.now(UTC)
        self._read, self._started, self._next_look = 0, time.monotonic(), 0.0

    def run(self) -> ReplayCounts:
        options, settings = self._options, self._settings
        topic = read_topic(settings, settings.producer.delivery_timeout_seconds)
        self._largest = min(topic.max_message_bytes, settings.topic.max_message_bytes)
        with (
            Rejections(options.rejected, options.resume) as self._rejections,
            Delivery(settings, self._largest, self._reject_too_large) as self._delivery,
        ):
            after = self._resume(topic)
            self._translator = Translator(options.record_format, settings, self._began_at)
            try:
                for record in self._records(after):
                    self._delivery.send(record)
                    self._look_if_due()
                self._delivery.finish()
            finally:
                self._save()
        if self._faults and options.manifest:
            options.manifest.write_text(json.dumps(self._faults.manifest, indent=2))
        return self._counts()

    def _resume(self, topic: Topic) -> Place:
        """The place after which to begin; the position counts on from there."""
        if not self._options.is_read_once:
            return BEGINNING
        self._position = Position(self._source.identity, self._settings, topic.topic_id, self._options.positions)
        so_far = (self._position.load() if self._options.resume else None) or Progress(BEGINNING, self._began_at)
        self._delivery.line, self._began_at = so_far.place.line, so_far.began_at
        # At once: a replay from the beginning that is killed early must not be resumed where an older one ended.
        self._position.save(so_far)
        return so_far.place

    def _records(self, after: Place) -> Iterator[WireRecord]:
        """What is to be sent now: read, checked, spoiled where that was asked for, and paced, pass after pass."""
        while True:
            read = self._read
            yield from self._paced(self._checked(self._source.records(after)))
            # A pass that finds nothing would be repeated for ever, at full speed.
            if not self._options.loop or self._stop.is_set() or self._read == read:
                return

    def _checked(self, records: Iterable[RawRecord]) -> Iterator[WireRecord]:
        for raw in records:
            self._read += 1
            checked = self._check(raw)
            if isinstance(checked, WireRecord):
                yield checked
            else:
                self._rejections.add(raw.line, raw.raw, checked)
                self._delivery.skip(raw.line)
                self._look_if_due()

    def _check(self, raw: RawRecord) -> WireRecord | list[Reason]:
        """The record to send, or every reason to refuse it.

        One that keeps the wire contract is sent as it is, whatever else it holds: most do, and are parsed once.
        """
        if self._options.record_format in ("auto", *NATIVE):
            checked = self._contract.check(raw)
            if isinstance(checked, WireRecord):
                return checked
        event = self._translator.translate(raw)
        return event if isinstance(event, list) else self._contract.check(event)

    def _paced(self, records: Iterator[WireRecord]) -> Iterator[WireRecord]:
        if self._faults:
            records = self._faults.apply(records)
        if self._options.rate:
            return at_rate(records, self._options.rate, self._wait)
        if self._options.speed:
            return at_speed(records, self._options.speed, self._wait)
        return records

    def _wait(self, seconds: float) -> None:
        """Wait for the next record's turn, or until no more is wanted."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop.wait(min(left, LOOK_SECONDS)):
            self._look_if_due()

    def _look_if_due(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._delivery.check()
        self._save()
        if self._report:
            self._report(self._counts())

    def _save(self) -> None:
        """The rejected records first: a position that passes them must not outlive them."""
        self._rejections.sync()
        if self._position:
            self._position.save(Progress(self._source.reached(self._delivery.line), self._began_at))

    def _reject_too_large(self, record: WireRecord) -> None:
        reason = Reason("", f"too large: the topic and topic.max_message_bytes take {self._largest:,} bytes at most")
        self._rejections.add(record.line, record.value or b"", [reason])

    def _counts(self) -> ReplayCounts:
        sending = self._delivery
        return ReplayCounts(
            read=self._read,
            sent=sending.sent,
            acknowledged=sending.acknowledged,
            rejected=self._rejections.count,
            seconds=time.monotonic() - self._started,
        )


def _wire_format(record_format: SourceFormat) -> RecordFormat:
    """What the check is to accept; other formats' records are GSMA events by then."""
    return record_format if record_format == "auto" or record_format == "dummy" else "gsma"


def _fault_injector(plan: Path | None) -> "FaultInjector | None":
    if plan is None:
        return None
    # Only who asks for faults pays for them.
    from producers.faults import FaultInjector, load_plan

    return FaultInjector(load_plan(plan))
