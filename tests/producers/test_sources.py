"""Reading records as the text they are, from every shape of file."""

import gzip
import json
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import SettingsError
from producers import json_array, sources
from producers.sources import read_records
from producers.wire import RawRecord

Read = Callable[[str, bytes], list[RawRecord]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads records out of a file with that name and content."""

    def read(name: str, content: bytes) -> list[RawRecord]:
        (tmp_path / name).write_bytes(content)
        return list(read_records(str(tmp_path / name), threading.Event()))

    return read


ELEMENTS = [
    b'{"a": 12.30, "b": [1, {"c": 2}]}',
    b'{"x": "]},{ \\" \xc3\xa9"}',
    b"5",
    b'"s,]"',
    b'{"n": 1e400}',
    b"null",
]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("between", [b",", b",\n  ", b"\n,\r\n\t"])
def test_array_elements_are_cut_out_unchanged_wherever_the_reads_end(
    read: Read, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, between: bytes
) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", chunk_bytes)
    records = read("a.json", b" [\n" + between.join(ELEMENTS) + b" ]\n")
    assert records == [RawRecord(number, raw) for number, raw in enumerate(ELEMENTS, start=1)]


def test_a_number_at_the_edge_of_a_read_is_not_cut(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", 2)
    assert [record.raw for record in read("a.json", b"[123,45.60,7]")] == [b"123", b"45.60", b"7"]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b'[{"a":1},{"b":2},{"c": tru},{"d":1}]', 2),
        (b'[{"a":1},{"b":2},{"c": "abc', 2),
        (b'[{"a":1},', 1),
        (b'[{"a":1},]', 1),
        (b'[{"a":1}', 1),
        (b'[{"a":1} {"b":1}]', 1),
        (b'[{"a":1}] junk', 1),
        (b"[", 0),
        (b'[{"a":1},' + b"[" * 100_000 + b"]", 1),
    ],
)
def test_before_the_place_where_an_array_breaks_all_is_kept(read: Read, content: bytes, kept: int) -> None:
    *before, broken = read("a.json", content)
    assert [record.problem for record in before] == [None] * kept
    assert (broken.line, broken.problem) == (kept + 1, "the JSON array breaks here: nothing after it was read")


def test_an_element_without_an_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "LONGEST_ELEMENT", 100_000)
    (tmp_path / "a.json").write_bytes(b'[{"a":1},{"b":"' + b"x" * 10_000_000)
    tracemalloc.start()
    first, broken = read_records(str(tmp_path / "a.json"), threading.Event())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (first.raw, bool(broken.problem)) == (b'{"a":1}', True)
    assert peak < 3_000_000


@pytest.mark.parametrize("content", [b"[]", b" [ ] ", b"", b"\n\n"])
def test_an_empty_source_has_no_records(read: Read, content: bytes) -> None:
    assert read("a.json", content) == []


def test_lines_are_records_and_a_bad_one_does_not_hide_the_next(read: Read) -> None:
    records = read("a.ndjson", b'{"a": 12.30}\r\n\r\n{bad\n\xff\xfe\n  {"b":1} \n{"c":1}')
    assert records == [
        RawRecord(1, b'{"a": 12.30}'),
        RawRecord(3, b"{bad"),
        RawRecord(4, b"\xff\xfe"),
        RawRecord(5, b'{"b":1}'),
        RawRecord(6, b'{"c":1}'),
    ]


@pytest.mark.parametrize("content", [b'{"a":1}\n{"b":1}', b'[{"a":1},{"b":1}]'])
def test_a_byte_order_mark_and_gzip_change_nothing(read: Read, content: bytes) -> None:
    plain = read("plain", content)
    assert len(plain) == 2
    assert read("marked", b"\xef\xbb\xbf" + content) == plain
    assert read("zipped.gz", gzip.compress(content)) == plain
    assert read("two_members.gz", gzip.compress(content[:5]) + gzip.compress(content[5:])) == plain


def test_a_gzip_file_that_is_cut_off_is_said_to_be(read: Read) -> None:
    content = "".join(json.dumps({"number": number}) + "\n" for number in range(1000)).encode()
    *before, broken = read("a.gz", gzip.compress(content)[:-20])
    assert broken.problem and "gzip file breaks here" in broken.problem
    assert [record.raw for record in before] == content.splitlines()[: len(before)]
    assert broken.line == len(before) + 1


def test_a_csv_row_becomes_the_record_its_header_names(read: Read) -> None:
    rows = (
        "transaction_id,sender_phone_number,receiver_phone_number,transaction_amount,transaction_time\r\n"
        't1,256777123456,256777123457,12.30,2023-04-19 12:00:00\r\n"t,""2""",1,,00.5,x\r\n'
    )
    records = read("a.csv", rows.encode())
    assert records == [
        RawRecord(
            2,
            b'{"transaction_id": "t1", "sender_phone_number": "256777123456", "receiver_phone_number": "256777123457", '
            b'"transaction_amount": 12.30, "transaction_time": "2023-04-19 12:00:00"}',
        ),
        RawRecord(
            3,
            b'{"transaction_id": "t,\\"2\\"", "sender_phone_number": "1", "transaction_amount": "00.5", '
            b'"transaction_time": "x"}',
        ),
    ]


def test_a_csv_is_told_by_its_header_and_a_party_is_key_and_value(read: Read) -> None:
    records = read(
        "export.txt", "transactionReference;amount;debitParty;creditParty\nR1;12.30;msisdn:2567;a:b:é\n".encode()
    )
    assert json.loads(records[0].raw) == {
        "transactionReference": "R1",
        "amount": "12.30",
        "debitParty": [{"key": "msisdn", "value": "2567"}],
        "creditParty": [{"key": "a", "value": "b:é"}],
    }


def test_a_csv_row_of_another_width_is_a_problem_and_the_next_is_not(read: Read) -> None:
    records = read("a.csv", b"transaction_id,sender_phone_number\nt1,2,3\nt2\nt3,\xff\n")
    assert [record.problem for record in records] == [
        "the row has 3 cells, its header 2",
        "the row has 1 cells, its header 2",
        None,
    ]
    assert records[2].raw.endswith(b'"\xff"}')


def test_nothing_that_a_stop_cuts_off_looks_like_a_broken_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", 10)
    (tmp_path / "a.json").write_bytes(b"[" + b",".join([b'{"a": 1}'] * 100) + b"]")
    stop = threading.Event()
    records = []
    for record in read_records(str(tmp_path / "a.json"), stop):
        records.append(record)
        if len(records) == 3:
            stop.set()
    assert records == [RawRecord(number, b'{"a": 1}') for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("no/such/file.json", "No such file"),
        (".", "Is a directory"),
    ],
)
def test_a_source_that_cannot_be_opened_is_one_sentence(source: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_records(source, threading.Event())
