"""Persons to be erased, and rows of bronze and silver without them. Pure: Arrow in, Arrow out.

The transaction stays: amount, time, reference, the other party, country and operator. Of the person `msisdn:erased` is
left, which is the same for everybody.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from jobs.alerts.movements import PAIR_SEPARATOR
from jobs.key_ring import KeyRing
from jobs.metadata import BALANCES
from jobs.msisdn import NumberPlan, digits_of
from jobs.rewriting import with_values
from jobs.tokens import BUSINESSES, ERASED, LEAST_DIGITS, shown_key

SIDES = ("debit", "credit")
_PLACE = ("topic", "partition", "offset")

# Before every change of numbers: what is given as a number may be spelt as it was then.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# So many spellings in one pattern; with thousands it would be refused.
_SPELLINGS_AT_ONCE = 200


@dataclass(frozen=True)
class Remains:
    """What stays of a number: the digits that tell country and operator, and the token where it is an agent's id."""

    mask: str
    token: str


@dataclass(frozen=True)
class Persons:
    """Whom to erase: what remains of each spelling of their numbers, and every token there may be of them.

    `names` are the tokens of their numbers as they are today.
    """

    spellings: Mapping[str, Remains]
    tokens: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, numbers: Iterable[str], ring: KeyRing, plan: NumberPlan, prefixes: Iterable[str]) -> "Persons":
        """Persons by their numbers, as digits; `prefixes` are those of countries and operators."""
        by_length = sorted(prefixes, key=len, reverse=True)
        spellings: dict[str, Remains] = {}
        for number in numbers:
            today = plan.canonical_text(number, _LONG_AGO)
            prefix = next(filter(today.startswith, by_length), "")
            remains = Remains(prefix + "x" * (len(today) - len(prefix)), ring.token(today))
            spellings |= dict.fromkeys({number, *plan.spellings(today)}, remains)
        tokens = frozenset(ring.token(text, name) for text in spellings for name in ring.keys)
        return cls(spellings, tokens, frozenset(remains.token for remains in spellings.values()))

    def and_of(self, tokens: Iterable[str]) -> "Persons":
        """These, and who has one of these tokens."""
        return Persons(self.spellings, self.tokens | set(tokens), self.names | set(tokens))

    def are_named(self, parties: pa.ChunkedArray) -> pa.Array:
        """Which parties of bronze are one of them; a short alias of a business is no phone number."""

        def is_named(party: str | None) -> bool:
            key, _, value = (party or "").partition(":")
            digits = digits_of(value)
            return digits in self.spellings and (key not in BUSINESSES or len(digits) >= LEAST_DIGITS)

        return _each(parties, is_named, pa.bool_())

    def are_mentioned(self, texts: pa.ChunkedArray) -> pa.Array:
        """Which texts hold one of the numbers, with blanks and dashes between its digits or without."""
        spelt = ["[ -]?".join(number) for number in sorted(self.spellings)]
        parts = [spelt[i : i + _SPELLINGS_AT_ONCE] for i in range(0, len(spelt), _SPELLINGS_AT_ONCE)]
        found = [pc.match_substring_regex(texts, f"(?:^|[^0-9])(?:{'|'.join(part)})(?:[^0-9]|$)") for part in parts]
        none = pa.chunked_array([pa.nulls(len(texts), pa.bool_())])
        return pc.fill_null(reduce(pc.or_kleene, found, none), False).combine_chunks()


@dataclass(frozen=True)
class BronzeWithout:
    """Rows of bronze without the persons; called with rows, it gives them changed and says which ones are."""

    persons: Persons
    columns = (
        *_PLACE, "kafka_timestamp", "key", "payload", "payload_bytes", "agent_id",
        "debit_party", "credit_party", "debit_msisdn", "credit_msisdn", *BALANCES,
    )  # fmt: skip

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
        """Where the text mentions a person, it goes whole."""
        named = {side: self.persons.are_named(rows[f"{side}_party"]) for side in SIDES}
        mentioned = {name: self.persons.are_mentioned(rows[name]) for name in ("key", "payload", "payload_bytes")}
        theirs = reduce(pc.or_, [*named.values(), *mentioned.values()])
        changed = {
            "key": _if_else(mentioned["key"], None, rows["key"]),
            "payload": _if_else(theirs, ERASED, rows["payload"]),
            "payload_bytes": _if_else(theirs, None, rows["payload_bytes"]),
            "agent_id": _each(rows["agent_id"], self._agent, pa.string()),
        }
        for side in SIDES:
            party, msisdn = rows[f"{side}_party"], rows[f"{side}_msisdn"]
            changed[f"{side}_party"] = _if_else(named[side], _each(party, _erased, pa.string()), party)
            changed[f"{side}_msisdn"] = _each(msisdn, self._mask, pa.string())
            changed |= _without_balances(rows, side, named[side])
        return with_values(rows, changed), theirs

    def _agent(self, agent: str | None) -> str | None:
        """An agent's id is the business's: where it is a phone number, the name stays that silver has for it."""
        digits = digits_of(agent or "")
        remains = self.persons.spellings.get(digits)
        return remains.token if remains and len(digits) >= LEAST_DIGITS else agent

    def _mask(self, msisdn: str | None) -> str | None:
        remains = self.persons.spellings.get(msisdn or "")
        return remains.mask if remains else msisdn


@dataclass(frozen=True)
class SilverWithout:
    """As `BronzeWithout`, of silver; `places` are those of the bronze rows that name a person, by side."""

    persons: Persons
    places: Mapping[str, pa.Array]
    columns = (*_PLACE, "debit_party", "credit_party", "debit_token", "credit_token", *BALANCES)

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
        """A person is known by the token, or by the place in Kafka of what bronze has."""
        place, tokens = places_of(rows), pa.array(sorted(self.persons.tokens), pa.string())
        named, changed = {}, {}
        for side in SIDES:
            party, token = rows[f"{side}_party"], rows[f"{side}_token"]
            named[side] = pc.or_(pc.is_in(token, tokens), pc.is_in(place, self.places[side])).combine_chunks()
            changed[f"{side}_party"] = _if_else(named[side], _each(party, _erased, pa.string()), party)
            changed[f"{side}_token"] = _if_else(named[side], None, token)
            changed |= _without_balances(rows, side, named[side])
        return with_values(rows, changed), pc.or_(*named.values())


@dataclass(frozen=True)
class AlertsWithout:
    """As `BronzeWithout`, of alerts: the entity alone names a person."""

    persons: Persons
    columns = ("entity",)

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
        """Of a pair the other party stays."""
        before = rows["entity"]
        after = _each(before, self._without, pa.string())
        return with_values(rows, {"entity": after}), pc.not_equal(before, after).combine_chunks()

    def _without(self, entity: str | None) -> str | None:
        parties = [party.rpartition(":") for party in (entity or "").split(PAIR_SEPARATOR)]
        tokens = self.persons.tokens
        return PAIR_SEPARATOR.join(f"{key}{sep}{ERASED if name in tokens else name}" for key, sep, name in parties)


@dataclass(frozen=True)
class RowsWithout:
    """As `BronzeWithout`, of a table of gold whose rows tell of a customer, or of what two had to do with one another.

    Rows with a token of theirs in one of the columns go.
    """

    persons: Persons
    columns: tuple[str, ...] = ("customer_token",)

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
        """The rows of others."""
        tokens = pa.array(sorted(self.persons.tokens), pa.string())
        theirs = reduce(pc.or_, [pc.is_in(rows[name], tokens) for name in self.columns]).combine_chunks()
        return rows.filter(pc.invert(theirs)), theirs


def places_of(rows: pa.Table) -> pa.ChunkedArray:
    """Each row's place in Kafka, as one text."""
    return pc.binary_join_element_wise(*(rows[name].cast(pa.string()) for name in _PLACE), " ")


def _without_balances(rows: pa.Table, side: str, named: pa.Array) -> dict[str, pa.Array]:
    """Balances in a row would tell which transactions are one person's. A file of an earlier version has none."""
    names = [name for name in BALANCES if name.startswith(side) and name in rows.column_names]
    return {name: _if_else(named, None, rows[name]) for name in names}


def _erased(party: str | None) -> str | None:
    return party and f"{shown_key(party.partition(':')[0])}:{ERASED}"


def _each(values: pa.ChunkedArray, function: Callable[[str | None], object], type_: pa.DataType) -> pa.Array:
    """A function of each text, called once for each different one."""
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return pa.array(map(function, encoded.dictionary.to_pylist()), type_).take(encoded.indices)


def _if_else(flags: pa.Array, value: object, otherwise: pa.ChunkedArray) -> pa.ChunkedArray:
    is_array = isinstance(value, pa.Array)
    return pc.if_else(flags, value if is_array else pa.scalar(value, otherwise.type), otherwise)
