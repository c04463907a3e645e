"""Remember how far a source has been replayed into a topic, so that a killed replay goes on where it was."""

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from jobs.errors import SettingsError
from jobs.settings import ROOT, Settings
from producers.places import Place, SourceIdentity

POSITIONS = ROOT / ".local" / "positions"


class Progress(NamedTuple):
    """How far a replay has got: all up to `place` is done. `began_at` is when its first run began."""

    place: Place
    began_at: datetime


class Position:
    """The last place up to which every record of a source is acknowledged by Kafka or kept as rejected.

    One small file per source, cluster address and topic. It never runs ahead of the acknowledgements; after a kill it
    may lag behind them, so the records between are sent twice.
    """

    def __init__(self, source: SourceIdentity, settings: Settings, topic_id: str, folder: Path = POSITIONS) -> None:
        """`topic_id` is Kafka's own identifier: a topic made anew under the old name holds nothing of the old one."""
        name = "\n".join([source.name, settings.kafka.bootstrap, settings.kafka.topic])
        self._path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        self._source = source.facts
        self._topic = {"topic": settings.kafka.topic, "topic_id": topic_id}

    def load(self) -> Progress | None:
        """Where to go on, null where nothing was replayed yet.

        Raises `SettingsError` when the source or the topic is not the one that was replayed, or the file is damaged.
        """
        if not self._path.exists():
            return None
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
        return Progress(Place(int(saved["line"]), saved["at"]), datetime.fromisoformat(saved["began_at"]))

    def save(self, progress: Progress) -> None:
        """Keep the progress: whole, or as it was before; for its owner alone, an API's next page may be a secret."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        line, at = progress.place
        saved = {**self._source, **self._topic, "line": line, "at": at, "began_at": progress.began_at.isoformat()}
        with open(written, "w", opener=_for_its_owner) as file:
            json.dump(saved, file)
            file.flush()
            os.fsync(file.fileno())
        written.rename(self._path)

    def _read(self) -> dict[str, Any]:
        keys = {*self._source, *self._topic, "line", "at", "began_at"}
        try:
            saved = json.loads(self._path.read_text())
            if isinstance(saved, dict) and keys <= saved.keys() and int(saved["line"]) >= 0:
                datetime.fromisoformat(saved["began_at"])
                return saved
        except (ValueError, TypeError):
            pass
        raise SettingsError(f"The position file {self._path} is damaged: delete it, and replay without --resume.")


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
