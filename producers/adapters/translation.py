"""Tell which format a record has, and make a canonical event of it."""

import csv
from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple, get_args

import orjson

from jobs.settings import ROOT, Settings
from producers.adapters import airtel, daraja, mtn, paysim
from producers.adapters.canonical import Sent, unwrapped
from producers.adapters.reading import Record, Refused, read_object
from producers.contract import Reason
from producers.wire import RawRecord

SourceFormat = Literal["auto", "gsma", "dummy", "daraja", "mtn", "airtel", "paysim"]
FORMATS: tuple[SourceFormat, ...] = get_args(SourceFormat)
# Records of these are sent as the text they are.
NATIVE = ("gsma", "dummy")


class Adapter(NamedTuple):
    """A format: how its records are told, and what makes events of them."""

    is_one: Callable[[Record], bool]
    canonical: Callable[[Sent], Record]


class Translator:
    """Makes canonical events of other formats' records; the others stay as they are.

    `began_at` is the time of a record that has none, and must be the same when a replay goes on after a stop.
    """

    def __init__(self, record_format: SourceFormat, settings: Settings, began_at: datetime) -> None:
        self._format, self._began_at = record_format, began_at
        countries = _countries()
        self._adapters = {
            "daraja": Adapter(daraja.is_one, lambda sent: daraja.canonical(sent, settings.daraja)),
            "mtn": Adapter(mtn.is_one, lambda sent: mtn.canonical(sent, settings.mtn)),
            "airtel": Adapter(airtel.is_one, lambda sent: airtel.canonical(sent, settings.airtel, countries)),
            "paysim": Adapter(paysim.is_one, lambda sent: paysim.canonical(sent, settings.paysim)),
        }

    def translate(self, record: RawRecord) -> RawRecord | list[Reason]:
        """The record with a canonical event's text, or the reason why it cannot be told or translated."""
        if record.problem or self._format in NATIVE:
            return record
        try:
            return self._translated(record)
        except Refused as refused:
            return [refused.reason]
        except orjson.JSONEncodeError:
            return [Reason("", "has half a character, which no text can hold")]

    def _translated(self, record: RawRecord) -> RawRecord:
        fields, repeated = self._read(record.raw)
        sent = unwrapped(fields, self._began_at) if fields else None
        adapter = self._adapter(sent.callback) if sent else None
        if sent is None or adapter is None:
            return record
        if repeated:
            raise Refused("", f"has '{repeated[0]}' more than once")
        return record._replace(raw=orjson.dumps(adapter.canonical(sent)))

    def _read(self, raw: bytes) -> tuple[Record, list[str]]:
        """Nothing where the format is open and the text no JSON object: that is for the check to say."""
        try:
            return read_object(raw.decode())
        except UnicodeDecodeError:
            problem = Refused("", "not JSON: it is not UTF-8")
        except Refused as refused:
            problem = refused
        if self._format == "auto":
            return {}, []
        raise problem

    def _adapter(self, record: Record) -> Adapter | None:
        """Null for a native record, and for one that nobody knows, of which the check says what it lacks."""
        if self._format != "auto":
            if not self._adapters[self._format].is_one(record):
                raise Refused("", f"the record is not of format {self._format}")
            return self._adapters[self._format]
        found = [name for name, adapter in self._adapters.items() if adapter.is_one(record)]
        # As the wire contract tells the two.
        native = "gsma" if "transactionReference" in record else "dummy" if "transaction_id" in record else None
        possible = [*([native] if native else []), *found]
        if len(possible) > 1:
            raise Refused("", f"the record may be {' or '.join(possible)}: name its format with --format")
        return self._adapters[found[0]] if found else None


def _countries() -> dict[str, airtel.Country]:
    with (ROOT / "conf" / "reference" / "countries.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["country"]: airtel.Country(row["calling_code"], int(row["national_digits"])) for row in rows}
