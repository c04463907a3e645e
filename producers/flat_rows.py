"""Flat rows, of CSV or of a table, as JSON records; a GSMA transaction has one debit and one credit party."""

import csv
import json
import re
from collections.abc import Iterator, Sequence

from producers.wire import RawRecord

ID_COLUMNS = ("transaction_id", "transactionReference", "TransID", "nameOrig", "callback")
PARTY_COLUMNS = ("debitParty", "creditParty")
NUMBER_COLUMNS = ("transaction_amount",)
DELIMITERS = ",;\t"

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?")


def is_header(line: bytes) -> bool:
    """Whether the line names the columns of such a file."""
    return any(name in _cells(line, _delimiter(line)) for name in ID_COLUMNS)


def row_records(lines: Iterator[bytes]) -> Iterator[RawRecord]:
    """One record per row: its cells' text under the header's names, empty cells left out.

    A party is written `key:value` (msisdn:256777123456). An amount keeps its digits: 12.30 stays 12.30.
    """
    header = next(lines, b"")
    delimiter = _delimiter(header)
    names = _cells(header, delimiter)
    rows = csv.reader((f"{_text(line)}\n" for line in lines), delimiter=delimiter)
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as problem:
            yield RawRecord(rows.line_num + 1, b"", f"the row is not CSV: {problem}")
            continue
        if cells is None:
            return
        if cells:
            yield row_record(rows.line_num + 1, names, cells)


def row_record(line: int, names: Sequence[str], cells: Sequence[str]) -> RawRecord:
    """The record of one row: its cells' text under their names, empty cells left out."""
    fields = [f"{json.dumps(name)}: {_value(name, cell)}" for name, cell in zip(names, cells, strict=False) if cell]
    problem = f"the row has {len(cells)} cells, its header {len(names)}" if len(cells) != len(names) else None
    return RawRecord(line, ("{" + ", ".join(fields) + "}").encode(errors="surrogateescape"), problem)


def _value(name: str, cell: str) -> str:
    if name in NUMBER_COLUMNS and _JSON_NUMBER.fullmatch(cell):
        return cell
    key, colon, value = cell.partition(":")
    if name in PARTY_COLUMNS and colon:
        return json.dumps([{"key": key, "value": value}], ensure_ascii=False)
    return json.dumps(cell, ensure_ascii=False)


def _delimiter(header: bytes) -> str:
    return max(DELIMITERS, key=lambda delimiter: header.count(delimiter.encode()))


def _cells(line: bytes, delimiter: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([_text(line)], delimiter=delimiter), [])]


def _text(line: bytes) -> str:
    """Bytes that are not UTF-8 stay as surrogates, for the check to refuse their row."""
    return line.rstrip(b"\r").decode(errors="surrogateescape")
