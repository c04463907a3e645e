"""Airtel Money: callbacks of collections, with the request that they answer.

Source of the fields: Airtel Africa's collection API (USSD push) as public clients describe it. The callback alone has
neither amount nor payer, so it is read with its request. Messages stay behind.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jobs.settings import AirtelSettings
from producers.adapters.canonical import Sent, amount, arrival, event, organisation, phone
from producers.adapters.reading import Record, Refused, part, required, text

# TS is what a success is called, any other code is kept as it is.
_STATUSES = {"TS": "completed", "TF": "failed"}


class Country(NamedTuple):
    """How numbers of a country begin, and how many digits follow."""

    calling_code: str
    national_digits: int


def is_one(record: Record) -> bool:
    """Whether the record is a callback of Airtel's."""
    transaction = record.get("transaction")
    return isinstance(transaction, dict) and {"id", "status_code"} <= transaction.keys()


def canonical(sent: Sent, settings: AirtelSettings, countries: Mapping[str, Country]) -> Record:
    """A payment that the customer was asked for on the phone. Source: Airtel, collection request and callback.

    The payer's number comes without a calling code, which the country tells (`countries`, by ISO 3166). Neither has a
    time, nor the payee, which is the organisation of the settings.
    """
    done, asked = part(sent.callback, "transaction"), part(sent.request, "transaction")
    if not asked:
        raise Refused("", "names no amount and no payer: give the request it answers beside it (docs/sources.md)")
    if text(done, "id") != text(asked, "id"):
        raise Refused("/request/transaction/id", "is another one than the callback's")
    code, own, external = required(done, "status_code"), text(done, "airtel_money_id"), required(done, "id")
    received, time_source = arrival(sent)
    fields = {
        "transactionReference": own or f"external-{external}",
        "requestingOrganisationTransactionReference": external,
        "transactionStatus": _STATUSES.get(code, code.lower()),
        "type": "merchantpay",
        "subType": "online",
        "amount": amount(text(asked, "amount")),
        "currency": text(asked, "currency") or text(part(sent.request, "subscriber"), "currency"),
        "debitParty": phone(_number(part(sent.request, "subscriber"), countries), ""),
        "creditParty": organisation(settings.organisation),
        "requestDate": received,
    }
    assumed = ["transaction_type", *(["credit_party"] if settings.organisation else [])]
    failure = {"failure_code": code, "failure_reason": "unknown"} if code == "TF" else {}
    notes = {"channel": "api", **({} if own else {"reference_source": "transaction.id"}), **failure}
    return event(fields, "airtel_collection", time_source, assumed, notes)


def _number(subscriber: Record, countries: Mapping[str, Country]) -> str | None:
    number = text(subscriber, "msisdn")
    if number is None or not number.isdecimal():
        return number
    country = countries.get(required(subscriber, "country"))
    if country is None:
        raise Refused("/request/subscriber/country", "is none of conf/reference/countries.csv")
    national = number.removeprefix(country.calling_code) if len(number) > country.national_digits + 1 else number
    if len(national.removeprefix("0")) != country.national_digits:
        raise Refused("/request/subscriber/msisdn", "has not as many digits as the country's numbers")
    return country.calling_code + national.removeprefix("0")
