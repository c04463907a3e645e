"""How far a stream is behind the topic, sampled while it runs."""

import threading
import time

from infra.topics import end_offsets
from jobs.settings import Settings

SAMPLE_SECONDS = 5.0


class LagSamples:
    """The topic's length every five seconds, on a thread of its own: `times` (seconds of the epoch) and `records`."""

    def __init__(self, settings: Settings) -> None:
        """Begin to sample."""
        self.times: list[float] = []
        self.records: list[int] = []
        self._settings, self._stop = settings, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sample no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            offsets = end_offsets(self._settings)
            self.times.append(time.time())
            self.records.append(sum(end - begin for begin, end in offsets.values()))
