"""A file or standard input as the source of a replay."""

import threading
from collections.abc import Iterator
from pathlib import Path

from producers.places import Place, SourceIdentity
from producers.sources import read_records
from producers.wire import RawRecord


class FileSource:
    """The records of a file or of standard input, from any line on, as often as they are asked for."""

    def __init__(self, source: str, stop: threading.Event) -> None:
        """Open it; raises `SettingsError` when it cannot be."""
        self._source, self._stop = source, stop
        self._opened: Iterator[RawRecord] | None = read_records(source, stop)

    @property
    def identity(self) -> SourceIdentity:
        """The file by its path, as long as neither size nor time of change differ."""
        path = Path(self._source).resolve()
        content = path.stat()
        facts = {"source": str(path), "bytes": content.st_size, "modified_ns": content.st_mtime_ns}
        return SourceIdentity(str(path), facts)

    def records(self, after: Place) -> Iterator[RawRecord]:
        """The records behind the line."""
        records, self._opened = self._opened or read_records(self._source, self._stop), None
        return (record for record in records if record.line > after.line)

    def reached(self, line: int) -> Place:
        """Any line is a place."""
        return Place(line)
