"""Read records out of files and standard input, each as the very text it has there.

A source is a JSON array, JSON lines or CSV, plain or gzipped, told by its content. Nothing is lost in silence: what
cannot be read comes out as a record with its problem.
"""

import codecs
import io
import itertools
import select
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from jobs.errors import SettingsError
from producers.flat_rows import is_header, row_records
from producers.json_array import array_records
from producers.wire import RawRecord

STANDARD_INPUT = "-"
CHUNK_BYTES = 1 << 18
# Enough to tell the format by: a header line, or the first character of JSON.
HEAD_BYTES = 1 << 16
GZIP_MARK = b"\x1f\x8b"


def read_records(source: str, stop: threading.Event) -> Iterator[RawRecord]:
    """Records of a file or of standard input ("-") in their order, until its end or until `stop` is set.

    Blank lines are no records. Raises `SettingsError` for a source that cannot be opened.
    """
    return _records(source, _unzipped(_chunks(_opened(source), stop)), stop)


def is_stream(source: str) -> bool:
    """Whether the source is standard input or a pipe, which can be read only once."""
    return source == STANDARD_INPUT or (Path(source).exists() and not Path(source).is_file())


def _records(source: str, chunks: Iterator[bytes], stop: threading.Event) -> Iterator[RawRecord]:
    line = 0
    try:
        head = _head(chunks)
        for record in _reader(source, head)(itertools.chain([head], chunks)):
            if stop.is_set():
                # What looks broken now is only cut off by us.
                return
            line = record.line
            yield record
    except zlib.error as broken:
        if not stop.is_set():
            yield RawRecord(line + 1, b"", f"the gzip file breaks here, nothing after it could be read: {broken}")


def _reader(source: str, head: bytes) -> Callable[[Iterator[bytes]], Iterator[RawRecord]]:
    start = head.lstrip()
    if start.startswith(b"["):
        return array_records
    if source.removesuffix(".gz").endswith(".csv") or is_header(head.split(b"\n")[0]):
        return lambda chunks: row_records(_lines(chunks))
    return lambda chunks: _json_lines(_lines(chunks))


def _opened(source: str) -> io.FileIO:
    try:
        return io.FileIO(0, closefd=False) if source == STANDARD_INPUT else io.FileIO(source)
    except OSError as problem:
        raise SettingsError(f"The source {source} cannot be read: {problem.strerror}.") from None


def _chunks(stream: io.FileIO, stop: threading.Event) -> Iterator[bytes]:
    """What the stream holds, piece by piece; a pipe that says nothing is left when `stop` is set."""
    with stream:
        while not stop.is_set():
            if select.select([stream], [], [], 0.5)[0]:
                chunk = stream.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk


def _unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks as they are or, when they begin as gzip does, what is in them."""
    first = next(chunks, b"")
    chunks = itertools.chain([first], chunks)
    if not first.startswith(GZIP_MARK):
        yield from chunks
        return
    member = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        while chunk:
            yield member.decompress(chunk)
            chunk = member.unused_data
            # A gzip file may be several one after the other.
            member = zlib.decompressobj(wbits=31) if chunk else member
    if not member.eof:
        raise zlib.error("it ends too early")


def _head(chunks: Iterator[bytes]) -> bytes:
    """The beginning of the source up to its first line's end, without a byte order mark."""
    head = b""
    while b"\n" not in head.lstrip() and len(head) < HEAD_BYTES:
        chunk = next(chunks, None)
        if chunk is None:
            break
        head += chunk
    return head.removeprefix(codecs.BOM_UTF8)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _json_lines(lines: Iterator[bytes]) -> Iterator[RawRecord]:
    for number, line in enumerate(lines, start=1):
        raw = line.strip()
        if raw:
            yield RawRecord(number, raw)
