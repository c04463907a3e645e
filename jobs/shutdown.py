"""Run a pipeline until somebody stops it, and end between two batches."""

import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

from py4j.java_gateway import JavaGateway
from pyspark import SparkContext
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql.streaming.query import StreamingQuery

from jobs.alerts.following import AlertFollower
from jobs.errors import TryAgain
from jobs.pipeline import Pipeline

# A batch of a live stream takes a second or two; one of a backlog is repeated after the next start.
LONGEST_WAIT_SECONDS = 10
# By so much a clock may be set back without anybody being told: a start takes as long.
LONGEST_STALL_SECONDS = 30


class _JvmSignal:
    """Java's signal handler. spark-submit is a JVM that has Python as its child, and a signal to it would end it."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def handle(self, _signal: Any) -> None:
        """Called by the JVM, through the callback server that foreachBatch uses too."""
        self._stop.set()

    class Java:
        """What py4j implements for the JVM."""

        implements = ("sun.misc.SignalHandler",)


class WallClock:
    """Notices that the time of day was set, by the clock that counts on whatever it says."""

    def __init__(self) -> None:
        """Begin to look."""
        self._ahead = time.time() - time.monotonic()

    def seconds_set_back(self) -> float:
        """By how much since the last look; less than nothing when it was set forward."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        return before - self._ahead


def run_until_stopped(pipeline: Pipeline) -> None:
    """Start the queries; return after SIGTERM or Ctrl-C, raise what ended a query otherwise.

    Raises `TryAgain` when the machine's clock is set back: Spark would begin no batch until it is there again.
    """
    stop, clock = threading.Event(), WallClock()
    _stop_on_signals(stop)
    queries: list[StreamingQuery | AlertFollower] = [*pipeline.start(), *pipeline.follow()]
    while not stop.wait(0.5):
        for query in queries:
            if not query.isActive:
                _end(queries)
                query.awaitTermination()
        if (seconds := clock.seconds_set_back()) > LONGEST_STALL_SECONDS:
            _end(queries)
            raise TryAgain(
                f"The machine's clock was set back by {seconds:.0f} seconds, and no batch would begin before it is "
                "there again: start the stream anew, it goes on where it was."
            )
    _end(queries)


def _stop_on_signals(stop: threading.Event) -> None:
    context = SparkContext.getOrCreate()
    gateway: JavaGateway = context._gateway
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]  # PySpark has no types for it
    java_signal = gateway.jvm.sun.misc.Signal
    for name in ("TERM", "INT"):
        java_signal.handle(java_signal(name), _JvmSignal(stop))
        signal.signal(getattr(signal, f"SIG{name}"), lambda *_: stop.set())


def _end(queries: Sequence[StreamingQuery | AlertFollower]) -> None:
    """Stop each query between two of its batches, where it has one soon."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    for query in queries:
        while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
            time.sleep(0.02)
        query.stop()
