"""Send records to Kafka and account for each of them."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from kafka.errors import KafkaError, MessageSizeTooLargeError

from infra.kafka_clients import client_options, refusal
from jobs.errors import DependencyMissing, PlatformError
from jobs.settings import Settings
from producers.batches import BatchProducer, failure_of
from producers.wire import WireRecord

# Measured best for events of 200 to 700 bytes: fewer, larger requests, at the price of a few milliseconds.
LINGER_MILLISECONDS = 20
BATCH_BYTES = 262_144
# How long one look for an acknowledgement may take.
LOOK_SECONDS = 0.5
# Kafka's client gives up by itself at the delivery timeout, except while it has no producer id: then we do.
GRACE_SECONDS = 5


class Delivery:
    """Sends records in order, at most `producer.max_in_flight` of them unacknowledged.

    `sent` counts those given to Kafka, `acknowledged` those known to be there. `line` is the last one before which
    nothing is in flight. A failure ends the delivery with `DependencyMissing`, or `AccessDenied` where Kafka does not
    let us write, so that nothing is passed over.
    """

    def __init__(self, settings: Settings, largest: int, on_too_large: Callable[[WireRecord], None]) -> None:
        """Connect. A record of more than `largest` bytes, with all that Kafka adds, goes to `on_too_large` instead."""
        # At DEBUG the client prints keys and values; its errors reach the user through us.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        self.sent, self.acknowledged, self.line = 0, 0, 0
        self._kafka, self._limit = settings.kafka, settings.producer.max_in_flight
        self._patience = settings.producer.delivery_timeout_seconds
        self._on_too_large = on_too_large
        # In their order: lines sent with the future of their batch, and lines that only wait their turn.
        self._waiting: deque[tuple[int, Any]] = deque()
        self._progress_at = time.monotonic()
        self._producer = self._connect(settings, largest)

    def send(self, record: WireRecord) -> None:
        """Send the record, once there is room for it."""
        while len(self._waiting) >= self._limit:
            self._look()
        if not self._waiting:
            self._progress_at = time.monotonic()
        try:
            # No time of our own: the topic's time is its arrival (docs/kafka.md).
            future = self._producer.put(record.key, record.value)
        except MessageSizeTooLargeError:
            self._on_too_large(record)
            self.skip(record.line)
        except KafkaError as problem:
            raise self._failed(problem) from None
        else:
            self.sent += 1
            self._waiting.append((record.line, future))

    def skip(self, line: int) -> None:
        """Count a line as done with, for it is kept elsewhere."""
        self._waiting.append((line, None))

    def check(self) -> None:
        """Take note of what has been acknowledged; raises `DependencyMissing` when it is nothing for too long."""
        self._settle()
        if self._waiting and time.monotonic() - self._progress_at > self._patience + GRACE_SECONDS:
            raise self._given_up(f"no answer for {self._patience} s")

    def finish(self) -> None:
        """Wait until everything sent is acknowledged."""
        while self._waiting:
            self._look()

    def __enter__(self) -> "Delivery":
        """The delivery; at the end of the block it disconnects and waits for nothing: see `finish`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; what is still in flight may arrive or not."""
        # The client raises when records are in flight: it would wait for ever otherwise.
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=0 if error else LOOK_SECONDS)

    def _look(self) -> None:
        self.check()
        if self._waiting:
            # Whether it was acknowledged, failed or is still on its way is seen at the next check.
            self._waiting[0][1].wait(LOOK_SECONDS)

    def _settle(self) -> None:
        waiting, before = self._waiting, self.acknowledged
        while waiting:
            line, future = waiting[0]
            if future is not None:
                if not future.is_done:
                    break
                if failure := failure_of(future):
                    raise self._failed(failure)
                self.acknowledged += 1
            self.line = line
            waiting.popleft()
        if self.acknowledged > before:
            self._progress_at = time.monotonic()

    def _connect(self, settings: Settings, largest: int) -> Any:
        try:
            return BatchProducer(
                settings.kafka.topic,
                **client_options(settings.kafka),
                client_id="momo-producer",
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                compression_type="lz4",
                linger_ms=LINGER_MILLISECONDS,
                # Kafka refuses a batch as a whole when it is too large: one that is no larger than a record may be.
                batch_size=min(BATCH_BYTES, largest),
                max_request_size=largest,
                max_block_ms=self._patience * 1000,
                bootstrap_timeout_ms=self._patience * 1000,
                delivery_timeout_ms=self._patience * 1000,
                request_timeout_ms=min(30_000, self._patience * 500),
            )
        except KafkaError as problem:
            raise self._failed(problem) from None

    def _failed(self, problem: Exception) -> PlatformError:
        return refusal(problem, self._kafka) or self._given_up(type(problem).__name__)

    def _given_up(self, found: str) -> DependencyMissing:
        return DependencyMissing(
            f"Kafka at {self._kafka.bootstrap} takes no records ({found}), {self.acknowledged:,} of {self.sent:,} sent "
            "are acknowledged: see that it runs (`momo broker status`), then go on with --resume."
        )
