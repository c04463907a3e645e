"""Silver rows as movements: what a row is to each of those that it concerns.

A person has a movement for each row in which money leaves or reaches the wallet, an agent for each cash-in and
cash-out, a business for each row between two businesses, a pair of parties for each row between the two, whoever
pays. All columns are numpy arrays of one length.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, reduce

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Flags = NDArray[np.bool_]

# Of silver, what rules see.
COLUMNS = (
    "transaction_reference", "status", "transaction_type", "amount", "currency", "debit_party", "credit_party",
    "debit_token", "credit_token", "agent_id", "debit_country", "credit_country", "event_time",
)  # fmt: skip
# The statuses that a rule can count; a step before them moves no money.
STATUSES = ("completed", "failed")
KINDS = ("person", "agent", "business", "pair", "row")
PAIR_SEPARATOR = " | "

# Money counts in ten-thousandths, as silver has it. What is larger counts as this, a hundred billion of a currency:
# sums have room for thousands of such amounts.
SCALE = 10_000
LARGEST = 10**11 * SCALE

_HASH_KEY = "momostream.alert"
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Movements:
    """One element per row and entity; `row` is its place in the rows, times are microseconds since 1970.

    `persons` is the same for all rows between two persons, whoever pays, and 0 where there are not two. Whether they
    are strangers, no row says: it is false until `Windows` has looked it up.
    """

    row: Ints
    entity: Bits
    other: Bits
    agent: Bits
    persons: Bits
    currency: Bits
    amount: Ints
    time: Ints
    is_out: Flags
    is_completed: Flags
    is_between_businesses: Flags
    crosses_border: Flags
    is_to_stranger: Flags
    types: Ints
    type_names: tuple[str, ...]

    def __len__(self) -> int:
        """How many."""
        return len(self.row)

    def of_type(self, *names: str) -> Flags:
        """Which are of one of these transaction types."""
        wanted = [i for i, name in enumerate(self.type_names) if name in names]
        return np.isin(self.types, wanted)

    def starts(self, length: int, shift: int = 0) -> Ints:
        """The start of the window of so many microseconds that each is in; a row of its own where there is none.

        Windows begin at multiples of their length, or so much after them.
        """
        return self.time - (self.time - shift) % length if length else self.time

    def keys(self, length: int, shift: int = 0) -> Bits:
        """What is counted together: hashes of entity, currency and start of the window."""
        return mixed(mixed(self.entity, self.currency), self.starts(length, shift).astype(np.uint64))

    def by_currency(self, values: Mapping[str, int]) -> Ints:
        """The value of each one's currency, 0 where there is none."""
        found = np.zeros(len(self), np.int64)
        for currency, value in values.items():
            found[self.currency == hash_of(currency)] = value
        return found

    def __getitem__(self, those: Flags | Ints) -> "Movements":
        """Some of them."""
        arrays = {name: value[those] for name, value in vars(self).items() if name != "type_names"}
        return Movements(**arrays, type_names=self.type_names)


@dataclass(frozen=True)
class Batch:
    """Rows whose status rules can count, and their movements by kind of entity."""

    rows: pa.Table
    movements: Mapping[str, Movements]

    def keys(self, kind: str, length: int, shift: int) -> Bits:
        """The keys of the movements of a kind; a row that stands for itself has one of its own."""
        return self.row_keys(self.rows) if kind == "row" else self.movements[kind].keys(length, shift)

    def row_keys(self, rows: pa.Table) -> Bits:
        """The keys of some of the rows by themselves."""
        return mixed(hashed(rows["transaction_reference"]), hashed(rows["status"]))


def naming(rows: pa.Table, names: Iterable[str]) -> pa.Table:
    """The rows of silver in which one of these is the payer, the payee or the agent."""
    wanted = pa.array(sorted(names), pa.string())
    columns = ("debit_token", "credit_token", "agent_id", "debit_party", "credit_party")
    return rows.filter(reduce(pc.or_, [pc.is_in(rows[name], value_set=wanted) for name in columns]))


def batch_of(rows: pa.Table) -> Batch:
    """Rows of silver (`COLUMNS`) as rules look at them."""
    counted = rows.filter(pc.is_in(rows["status"], value_set=pa.array(STATUSES)))
    return Batch(counted, _movements_of(counted))


def _movements_of(rows: pa.Table) -> dict[str, Movements]:
    debit_token, credit_token, agent = (hashed(rows[name]) for name in ("debit_token", "credit_token", "agent_id"))
    are_two = (debit_token > 0) & (credit_token > 0)
    all_rows = _of_rows(rows, agent, np.where(are_two, pair_of(debit_token, credit_token), np.uint64(0)))
    debit, credit = hashed(rows["debit_party"]), hashed(rows["credit_party"])
    out, come_in, by_agent = (np.flatnonzero(name) for name in (debit_token, credit_token, agent))
    outgoing = _seen_by(all_rows[out], debit_token[out], credit[out], True)
    incoming = _seen_by(all_rows[come_in], credit_token[come_in], debit[come_in], False)
    customer = np.where(all_rows.of_type("deposit"), credit, debit)
    # Money goes out of or into the customer's wallet, for an agent's movements too.
    is_cash_out = all_rows.of_type("withdrawal")[by_agent]
    between = np.flatnonzero(all_rows.is_between_businesses)
    paid, paying = credit[between], debit[between]
    return {
        "person": _together(outgoing, incoming),
        "agent": _seen_by(all_rows[by_agent], agent[by_agent], customer[by_agent], is_cash_out),
        "business": _together(
            _seen_by(all_rows[between], paying, paid, True), _seen_by(all_rows[between], paid, paying, False)
        ),
        "pair": _seen_by(all_rows, pair_of(debit, credit), credit, debit < credit),
        "row": all_rows,
    }


def entities_of(kind: str, movements: Movements, rows: pa.Table) -> list[str]:
    """The names of the entities of these movements."""
    of_row = rows.take(pa.array(movements.row))
    if kind == "agent":
        return list(of_row["agent_id"].to_pylist())
    if kind == "pair":
        pairs = zip(of_row["debit_party"].to_pylist(), of_row["credit_party"].to_pylist(), strict=True)
        return [PAIR_SEPARATOR.join(sorted(pair)) for pair in pairs]
    if kind == "row":
        return list(pc.coalesce(of_row["debit_token"], of_row["debit_party"]).to_pylist())
    name = "party" if kind == "business" else "token"
    both = zip(of_row[f"debit_{name}"].to_pylist(), of_row[f"credit_{name}"].to_pylist(), strict=True)
    return [debit if is_out else credit for (debit, credit), is_out in zip(both, movements.is_out, strict=True)]


def key_of(kind: str, entity: str, currency: str, start: int) -> int:
    """The key of a window by the names that stand in the table; not of kind `row`, which has none."""
    names = entity.split(PAIR_SEPARATOR) if kind == "pair" else [entity]
    hashes = np.sort(np.array([hash_of(name) for name in names]))
    entities = mixed(hashes[:1], hashes[1:]) if kind == "pair" else hashes
    of_currency, of_start = np.array([hash_of(currency)]), np.array([start], np.int64).astype(np.uint64)
    return int(mixed(mixed(entities, of_currency), of_start)[0])


def places_in(keys: Bits, wanted: Bits) -> tuple[NDArray[np.intp], Flags]:
    """Where each wanted key is among these, which are in order and not none, and whether it is there at all."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def mixed(a: Bits, b: Bits) -> Bits:
    """One hash of two; the order counts."""
    value = a * _ODD ^ (b + (a >> np.uint64(29)))
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def pair_of(a: Bits, b: Bits) -> Bits:
    """One hash of two, in whatever order."""
    return mixed(np.minimum(a, b), np.maximum(a, b))


@lru_cache(maxsize=1000)
def hash_of(text: str) -> np.uint64:
    """The hash that a text has in movements."""
    return np.uint64(hashes_of([text])[0])


def hashes_of(texts: Sequence[str]) -> Bits:
    """The hashes that texts have in movements."""
    hashes: Bits = pd.util.hash_array(np.array(texts, object), hash_key=_HASH_KEY, categorize=False)
    return hashes


def hashed(texts: pa.ChunkedArray) -> Bits:
    """Hashes of 64 bits, each different text hashed once; 0 for null."""
    encoded = texts.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_numpy(zero_copy_only=False)
    hashes = np.zeros(len(names) + 1, np.uint64)
    hashes[:-1] = pd.util.hash_array(names, hash_key=_HASH_KEY, categorize=False)
    places: NDArray[np.int32] = pc.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False)
    return hashes[places]


def _of_rows(rows: pa.Table, agent: Bits, persons: Bits) -> Movements:
    count = rows.num_rows
    types = rows["transaction_type"].combine_chunks().dictionary_encode()
    none = np.zeros(count, np.uint64)
    debit_country, credit_country = (hashed(rows[f"{side}_country"]) for side in ("debit", "credit"))
    is_known = _is_in(rows["debit_country"]) & _is_in(rows["credit_country"])
    are_businesses = pc.and_(pc.is_null(rows["debit_token"]), pc.is_null(rows["credit_token"]))
    return Movements(
        row=np.arange(count),
        entity=none,
        other=none,
        agent=agent,
        persons=persons,
        currency=hashed(rows["currency"]),
        amount=_ten_thousandths(rows["amount"]),
        time=rows["event_time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(),
        is_out=np.ones(count, bool),
        is_completed=pc.equal(rows["status"], "completed").to_numpy(),
        is_between_businesses=are_businesses.to_numpy(),
        crosses_border=is_known & (debit_country != credit_country),
        is_to_stranger=np.zeros(count, bool),
        types=types.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        type_names=tuple(types.dictionary.to_pylist()),
    )


def _is_in(countries: pa.ChunkedArray) -> Flags:
    """Which are countries at all."""
    unknown = pc.is_in(pc.fill_null(countries, "none"), value_set=pa.array(["none", "unknown"]))
    return np.asarray(pc.invert(unknown).to_numpy())


def _seen_by(movements: Movements, entity: Bits, other: Bits, is_out: bool | Flags) -> Movements:
    direction = np.broadcast_to(np.asarray(is_out), (len(movements),))
    return Movements(**{**vars(movements), "entity": entity, "other": other, "is_out": direction})


def _together(a: Movements, b: Movements) -> Movements:
    arrays = {name: np.concatenate([vars(a)[name], vars(b)[name]]) for name in vars(a) if name != "type_names"}
    return Movements(**arrays, type_names=a.type_names)


def _ten_thousandths(amounts: pa.ChunkedArray) -> Ints:
    largest = pa.scalar(Decimal(LARGEST // SCALE), pa.decimal128(22, 4))
    capped = pc.min_element_wise(amounts.combine_chunks().cast(pa.decimal128(22, 4)), largest)
    # Arrow keeps a decimal of four places as so many ten-thousandths in 16 bytes; of a capped one the lower 8 say all.
    halves = np.frombuffer(capped.buffers()[1], np.int64, count=2 * (capped.offset + len(capped)))
    return halves[2 * capped.offset :: 2].copy()
