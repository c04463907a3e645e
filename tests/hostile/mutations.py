"""Spoil a record: a seeded choice of what senders, networks, encoders and adversaries do to text."""

import re
from collections.abc import Callable, Sequence
from random import Random

import orjson

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]

NAMES = (
    "transactionReference", "transactionStatus", "type", "subType", "amount", "currency", "debitParty", "creditParty",
    "fees", "metadata", "creationDate", "modificationDate", "requestDate", "originalTransactionReference",
    "transaction_id", "sender_phone_number", "receiver_phone_number", "transaction_amount", "transaction_time",
)  # fmt: skip
# Text of JSON that stands for a value.
VALUES = (
    b"null", b"true", b"{}", b"[]", b'""', b'" "', b"0", b"-0", b"5", b"5.0", b"12.30", b"1e3", b"1E400", b"-1", b"+1",
    b"01", b".5", b"5.", b"0.1", b"NaN", b"-Infinity", b"0x10", b"1_000", b"9007199254740993", b"10000000.5",
    b"123456789012345678", b"1234567890123456789.1", b"5.00000000000000000001", b"12345678901234567890.12",
    b"9" * 1100, b'"5"', b'"5000"', b'"5.0000"', b'"5.00000"', b'"0"', b'"0.00"', b'"-5"', b'"5e3"', b'" 5"', b'"5\\n"',
    b'"\\u0035"', '"\u0665"'.encode(), b'"UGX"', b'"ugx"', b'"KWD"', b'"transfer"', b'"reversal"', b'"COMPLETED"',
    b'"256777123456"', b"256777123456", b'"+256 777 123456"', b'"++256777123456"', b'"0777"', b'" 256777123456 "',
    b'"2026-03-27T17:59:00Z"', b'"2026-03-27T17:59:00"', b'"2026-03-27T17:59:00+03:00"', b'"2026-02-30T17:59:00Z"',
    b'"2026-03-27T24:00:00Z"', b'"2026-03-27T23:59:60Z"', b'"2026-03-27T17:59:00+19:00"', b'"2026-03-27t17:59:00z"',
    b'"2026-03-27T17:59:00.123456789Z"', b'"2026-03-27T17:59:00-00:00"', b'"0000-01-01T00:00:00Z"',
    b'"1969-12-31T23:59:59Z"', b'"2999-01-01T00:00:00Z"', b'"2023-04-19 12:00:00"', b'"2023-02-29 12:00:00"',
    b'"2023-04-19 24:00:00"', b'"2023-04-19 23:59:60"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"',
    b'"\\u0000"', b'"\\u000"', b'"?"', b'"a?\\ud800"', '"\U0001f600"'.encode(), '"\u202e"'.encode(), b'"\xed\xa0\x80"',
    b'"\xc0\xaf"', b'"\xff"', b'"' + b"x" * 256 + b'"', b'"' + b"x" * 257 + b'"', '"{}"'.format("\u00e9" * 256).encode(),
    b'[{"key":"msisdn","value":"256777123456"}]', b'[{"key":"msisdn","value":256777123456}]', b'[{"key":"a","value":"b"},5]',
    b'[{"key":"walletid","value":"\\ud800"}]', b'[{"key":"walletid","value":1.00000000000000000001}]', b"[null]",
    b'[{"key":"a","value":"b","value":"c"}]', b'[{"feeType":"a","feeAmount":"1","feeCurrency":"UGX"}]',
    b'[{"feeType":"a","feeAmount":1,"feeCurrency":"UGX"}]', b'[{"feeAmount":"1","feeCurrency":"UGX"}]',
    b'[{"feeType":"a","feeAmount":"1","feeCurrency":"USD"}]', b'{"channel":"app"}',
    b'[{"feeType":"a","feeAmount":"999999999999999999","feeCurrency":"UGX"},'
    b'{"feeType":"a","feeAmount":"999999999999999999","feeCurrency":"UGX"}]',
)  # fmt: skip
# Text that is put anywhere.
PIECES = (
    b"\xef\xbb\xbf", b"\x00", b"\t", b"\n", b"\r\n", b"\x0b", b"\x0c", b"\xc2\xa0", "\u2028".encode(), b" " * 50, b"{", b"}",
    b"[", b"]", b",", b":", b'"', b"'", b"\\", b"\\u", b"\\ud800", b"/*x*/", b"//x\n", b"#", b"},{", b"]}", b'":"', b",,",
    b',"momostream.end":true', b',{"momostream.end":true}]', b"junk", b"{}", b"\xff", b"\x80", b"0", b"1e5",
)  # fmt: skip

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_FIELD = re.compile(rb'"([A-Za-z_]+)"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9.]+|null|true|false)')
_BETWEEN = re.compile(rb"(?<=[\[{,:])|(?=[\]},:])")


def mutate(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    """One to three mutations of a record."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        raw = random.choice(MUTATIONS)(random, raw, corpus)
    return raw


def _flip(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    spoiled = bytearray(raw)
    for _ in range(random.randint(1, 4)):
        if spoiled:
            spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def _cut(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(raw))
    return raw[:at] if random.random() < 0.7 else raw[at:]


def _without_a_slice(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randint(0, len(raw)), random.randint(0, len(raw))))
    return raw[:start] + raw[min(end, start + 40) :]


def _slice_twice(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randint(0, len(raw)), random.randint(0, len(raw))))
    return raw[:end] + raw[start:]


def _splice(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    other = random.choice(corpus)
    return raw[: random.randint(0, len(raw))] + other[random.randint(0, len(other)) :]


def _both(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    return raw + random.choice((b"", b",", b"\n", b" ", b"]", b"],[")) + random.choice(corpus)


def _piece(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    at = random.choice((0, len(raw), random.randint(0, len(raw)), random.randint(0, len(raw))))
    return raw[:at] + random.choice(PIECES) + raw[at:]


def _white_space(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    blank = random.choice((b" ", b"\t", b"\n", b"\r", b"  ", b"\x0b", b"\x0c", b"\xc2\xa0"))
    return _BETWEEN.sub(lambda _: blank if random.random() < 0.3 else b"", raw)


def _other_value(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    return _replaced(random, raw, _FIELD, lambda found: b'"%s":%s' % (found.group(1), random.choice(VALUES)))


def _any_value(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    return _replaced(random, raw, random.choice((_STRING, _NUMBER)), lambda _: random.choice(VALUES))


def _other_type(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    forms: tuple[Callable[[bytes], bytes], ...] = (
        lambda value: value.strip(b'"'),
        lambda value: b'"%s"' % value.strip(b'"'),
        lambda value: b"[%s]" % value,
        lambda value: b'{"a":%s}' % value,
    )
    form = random.choice(forms)
    return _replaced(random, raw, _FIELD, lambda found: b'"%s":%s' % (found.group(1), form(found.group(2))))


def _field(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    """One more field, in front or at the end: new, repeated, or repeated with another value."""
    name, value = random.choice(NAMES).encode(), random.choice(VALUES)
    fields = _FIELD.findall(raw)
    if fields and random.random() < 0.5:
        name, value = random.choice(fields)[0], random.choice((random.choice(fields)[1], value))
    written = b'"%s":%s' % (_escaped(random, name) if random.random() < 0.1 else name, value)
    start, end = raw.find(b"{"), raw.rfind(b"}")
    if random.random() < 0.5 and start >= 0:
        return raw[: start + 1] + written + b"," + raw[start + 1 :]
    return raw[:end] + b"," + written + raw[end:] if end >= 0 else raw + written


def _renamed(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    def change(found: re.Match[bytes]) -> bytes:
        name = found.group(1)
        other = random.choice((name.upper(), name.swapcase(), name + b" ", random.choice(NAMES).encode()))
        return b'"%s":%s' % (random.choice((other, _escaped(random, name))), found.group(2))

    return _replaced(random, raw, _FIELD, change)


def _escaped_text(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    return _replaced(random, raw, _STRING, lambda found: b'"%s"' % _escaped(random, found.group()[1:-1]))


def _nested(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    depth = random.choice((1, 5, 50, 998, 999, 1000, 1023, 1024, 1100, 5000))
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    inner = random.choice(VALUES)
    return _replaced(
        random, raw, _FIELD, lambda found: b'"%s":%s' % (found.group(1), opening * depth + inner + closing * depth)
    )


def _long(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    length = random.choice((256, 257, 1000, 5000, 60_000))
    return _replaced(random, raw, _STRING, lambda _: b'"%s"' % (b"x" * length))


def _reordered(random: Random, raw: bytes, corpus: Sequence[bytes]) -> bytes:
    """The same fields in another order, and some of them gone."""
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    if not isinstance(event, dict):
        return raw
    names = [name for name in event if random.random() < 0.93]
    random.shuffle(names)
    try:
        return orjson.dumps({name: event[name] for name in names})
    # Nested more deeply than orjson writes.
    except orjson.JSONEncodeError:
        return raw


def _replaced(
    random: Random, raw: bytes, pattern: re.Pattern[bytes], change: Callable[[re.Match[bytes]], bytes]
) -> bytes:
    """One of the places where the pattern is found, changed."""
    places = list(pattern.finditer(raw))
    if not places:
        return raw
    found = random.choice(places)
    return raw[: found.start()] + change(found) + raw[found.end() :]


def _escaped(random: Random, text: bytes) -> bytes:
    """One of its characters as \\uXXXX."""
    if not text:
        return text
    at = random.randrange(len(text))
    return text[:at] + b"\\u%04x" % text[at] + text[at + 1 :]


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _cut, _without_a_slice, _slice_twice, _splice, _both, _piece, _white_space, _other_value, _other_value,
    _other_value, _any_value, _other_type, _field, _field, _field, _renamed, _escaped_text, _nested, _long, _reordered,
)  # fmt: skip
