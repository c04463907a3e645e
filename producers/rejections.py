"""Keep the records that are refused, with their reasons, as JSON lines that a person can mend and send again."""

import base64
import json
import os
from pathlib import Path
from types import TracebackType

from jobs.errors import SettingsError
from producers.contract import Reason


class Rejections:
    """Counts refused records and, where a file is given, keeps each as one line.

    A line is `{"line", "reasons": [{"path", "reason"}], "record"}`; a record that is not UTF-8 is kept as
    `record_base64`. A resumed replay adds to the file, so after a crash its last lines may be there twice.
    """

    def __init__(self, path: Path | None, is_resumed: bool) -> None:
        """Open the file; raises `SettingsError` when it cannot be written."""
        self.count = 0
        self.has_file = path is not None
        try:
            self._file = path.open("a" if is_resumed else "w", encoding="utf-8") if path else None
        except OSError as problem:
            raise SettingsError(f"The file of rejected records {path} cannot be written: {problem.strerror}.") from None

    def add(self, line: int, record: bytes, reasons: list[Reason]) -> None:
        """Count the record and keep it."""
        self.count += 1
        if self._file is None:
            return
        try:
            kept = {"record": record.decode()}
        except UnicodeDecodeError:
            kept = {"record_base64": base64.b64encode(record).decode()}
        entry = {"line": line, "reasons": [reason._asdict() for reason in reasons], **kept}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def sync(self) -> None:
        """Make sure that what was added is on disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> "Rejections":
        """The rejections, whose file is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
