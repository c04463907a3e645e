"""Remember how far a source has been replayed into a topic, so that a killed replay goes on where it was."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from jobs.errors import SettingsError
from jobs.settings import ROOT, Settings

POSITIONS = ROOT / ".local" / "positions"


class Position:
    """The last line up to which every record of a file is acknowledged by Kafka or kept as rejected.

    One small file per source, cluster address and topic. It never runs ahead of the acknowledgements; after a kill it
    may lag behind them, so the records between are sent twice.
    """

    def __init__(self, source: Path, settings: Settings, topic_id: str, folder: Path = POSITIONS) -> None:
        """`topic_id` is Kafka's own identifier: a topic made anew under the old name holds nothing of the old one."""
        resolved = source.resolve()
        name = "\n".join([str(resolved), settings.kafka.bootstrap, settings.kafka.topic])
        self._path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        content = resolved.stat()
        self._source = {"source": str(resolved), "bytes": content.st_size, "modified_ns": content.st_mtime_ns}
        self._topic = {"topic": settings.kafka.topic, "topic_id": topic_id}

    def load(self) -> int:
        """The line to go on after, 0 where nothing was replayed yet.

        Raises `SettingsError` when the source or the topic is not the one that was replayed, or the file is damaged.
        """
        if not self._path.exists():
            return 0
        saved = self._read()
        if any(saved[key] != value for key, value in self._source.items()):
            raise SettingsError(
                f"{self._source['source']} has changed since it was replayed up to line {saved['line']}: "
                "its lines may be others now; replay it without --resume, or the new part as a file of its own."
            )
        if any(saved[key] != value for key, value in self._topic.items()):
            raise SettingsError(
                f"The topic '{self._topic['topic']}' was made anew since line {saved['line']} was sent to it: "
                "replay without --resume."
            )
        return int(saved["line"])

    def save(self, line: int) -> None:
        """Keep the line: whole, or as it was before."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        with written.open("w") as file:
            json.dump({**self._source, **self._topic, "line": line}, file)
            file.flush()
            os.fsync(file.fileno())
        written.rename(self._path)

    def _read(self) -> dict[str, Any]:
        keys = {*self._source, *self._topic, "line"}
        try:
            saved = json.loads(self._path.read_text())
            if isinstance(saved, dict) and keys <= saved.keys() and int(saved["line"]) >= 0:
                return saved
        except (ValueError, TypeError):
            pass
        raise SettingsError(f"The position file {self._path} is damaged: delete it, and replay without --resume.")
