"""Cut the elements out of a JSON array without reading it whole, each as the very text it has there."""

import codecs
import json
import re
from collections.abc import Iterator

from producers.wire import RawRecord

# No record is this long: an element without an end is given up here instead of filling the memory.
LONGEST_ELEMENT = 1 << 24
# How much of the text is quoted where an array breaks.
QUOTED = 2_000

_WHITESPACE = re.compile(r"[ \t\r\n]*")
# Only tells where a value ends. Numbers stay text: Python refuses to make one of more than 4,300 digits.
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def array_records(chunks: Iterator[bytes]) -> Iterator[RawRecord]:
    """The elements of the array, numbered from 1.

    Where the array is broken, everything before is kept and one record with a problem stands for the rest.
    """
    text = _Text(chunks)
    text.skip("[")
    number = 0
    more = text.next_character() != "]"
    while more:
        number += 1
        element = text.take_value()
        if element is None:
            yield text.broken(number)
            return
        yield RawRecord(number, element)
        more = text.skip(",")
    if not text.skip("]") or text.next_character():
        yield text.broken(number + 1)


class _Text:
    """The array's text, as far as it has been read, and a place in it.

    Bytes that are not UTF-8 stay in it as surrogates, so they spoil their own element and no other.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0

    def next_character(self) -> str:
        """The next character that is no white space, "" at the end."""
        while True:
            found = _WHITESPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text) or not self._read_more():
                return self._text[self._at : self._at + 1]

    def skip(self, character: str) -> bool:
        """Step over the character if it is the next one."""
        if self.next_character() != character:
            return False
        self._at += 1
        return True

    def take_value(self) -> bytes | None:
        """Step over the next JSON value and give its text; null when there is none."""
        self.next_character()
        while True:
            end = self._value_end()
            # At the edge of what has been read, 12 may be the beginning of 123.
            is_at_edge = end is None or end == len(self._text)
            is_too_long = len(self._text) - self._at > LONGEST_ELEMENT
            if is_at_edge and not is_too_long and self._read_more():
                continue
            if end is None:
                return None
            value, self._at = self._text[self._at : end], end
            return value.encode(errors="surrogateescape")

    def broken(self, number: int) -> RawRecord:
        """The record that stands for what is left."""
        quoted = self._text[self._at : self._at + QUOTED].encode(errors="surrogateescape")
        return RawRecord(number, quoted, "the JSON array breaks here: nothing after it was read")

    def _value_end(self) -> int | None:
        try:
            return _DECODER.raw_decode(self._text, self._at)[1]
        except (json.JSONDecodeError, RecursionError):
            return None

    def _read_more(self) -> bool:
        chunk = next(self._chunks, None)
        read = self._decoder.decode(chunk or b"", final=chunk is None)
        self._text, self._at = self._text[self._at :] + read, 0
        return chunk is not None or bool(read)
