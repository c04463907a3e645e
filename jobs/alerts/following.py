"""Follow silver in a thread of the stream's process: a query of Spark's would cost more than its rows."""

import threading
from typing import Any

from jobs.alerts.writing import AlertWriter

# How often a look is taken; one at a commit that is not there costs some microseconds.
LOOK_SECONDS = 0.25
# What it has in hand takes less, but for a start that reads a day of silver; cut off, that is begun again.
LONGEST_WAIT_SECONDS = 10


class AlertFollower:
    """Carries on until stopped; to be waited for as a streaming query is."""

    def __init__(self, writer: AlertWriter) -> None:
        """Begins at once."""
        self._writer = writer
        self._stop = threading.Event()
        self._is_busy = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    @property
    def isActive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    @property
    def status(self) -> dict[str, Any]:
        """Whether it has rows in hand."""
        return {"isTriggerActive": self._is_busy}

    def stop(self) -> None:
        """End it, after what it has in hand where that is not for long."""
        self._stop.set()
        self._thread.join(LONGEST_WAIT_SECONDS)

    def awaitTermination(self) -> None:
        """Wait for its end; raises what ended it."""
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._is_busy = True
                has_carried = self._writer.carry()
                self._is_busy = False
                if not has_carried:
                    self._stop.wait(LOOK_SECONDS)
        except Exception as failure:
            self._failure = failure
