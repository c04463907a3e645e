"""Airtel Money: callbacks of collections and answers to disbursements, with the requests that they answer.

Source of the fields: Airtel Africa's collection API (USSD push) and disbursement API, as public clients describe them.
Neither names amount and customer, so they are read with their requests. Messages, PINs and references stay behind.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jobs.settings import AirtelSettings
from producers.adapters.canonical import Sent, amount, arrival, event, organisation, phone
from producers.adapters.reading import Record, Refused, part, required, text

# How a transaction is; any other code is kept as it is.
_STATUSES = {"TS": "completed", "TF": "failed", "TIP": "pending"}
# How a disbursement is, where its transaction does not say: all others of the API's codes are failures.
_DISBURSED = {"DP00900001000": "pending", "DP00900001001": "completed", "DP00900001006": "pending"}
# Failures of disbursements that are called the same by GSMA.
_REASONS = {
    "DP00900001007": "insufficientFunds",
    "DP00900001009": "identifierError",
    "DP00900001011": "duplicateRequest",
    "DP00900001012": "identifierError",
    "DP00900001013": "requestDeclined",
}
_OF_DISBURSEMENTS = "DP009"


class Country(NamedTuple):
    """How numbers of a country begin, and how many digits follow."""

    calling_code: str
    national_digits: int


def is_one(record: Record) -> bool:
    """Whether the record is one of Airtel's."""
    return _is_callback(record) or _is_answer(record)


def canonical(sent: Sent, settings: AirtelSettings, countries: Mapping[str, Country]) -> Record:
    """The event of either kind; `countries` are by ISO 3166."""
    return (disbursement if _is_answer(sent.callback) else collection)(sent, settings, countries)


def collection(sent: Sent, settings: AirtelSettings, countries: Mapping[str, Country]) -> Record:
    """A payment that the customer was asked for on the phone. Source: Airtel, collection request and callback.

    The payer's number comes without a calling code, which the country tells. Neither has a time, nor the payee, which
    is the organisation of the settings.
    """
    done = part(sent.callback, "transaction")
    asked = _asked(done, sent.request)
    code, own, external = required(done, "status_code"), text(done, "airtel_money_id"), required(done, "id")
    received, time_source = arrival(sent)
    subscriber = part(sent.request, "subscriber")
    fields = {
        "transactionReference": own or f"external-{external}",
        "requestingOrganisationTransactionReference": external,
        "transactionStatus": _STATUSES.get(code, code.lower()),
        "type": "merchantpay",
        "subType": "online",
        "amount": amount(text(asked, "amount")),
        "currency": text(asked, "currency") or text(subscriber, "currency"),
        "debitParty": phone(_number("subscriber", subscriber, text(subscriber, "country"), countries), ""),
        "creditParty": organisation(settings.organisation),
        "requestDate": received,
    }
    assumed = ["transaction_type", *(["credit_party"] if settings.organisation else [])]
    failure = {"failure_code": code, "failure_reason": "unknown"} if code == "TF" else {}
    notes = {"channel": "api", **({} if own else {"reference_source": "transaction.id"}), **failure}
    return event(fields, "airtel_collection", time_source, assumed, notes)


def disbursement(sent: Sent, settings: AirtelSettings, countries: Mapping[str, Country]) -> Record:
    """An organisation's payment to a customer. Source: Airtel, disbursement request, its answer, and the enquiry's.

    Country and currency are in the request's headers: what the request does not say, the settings must. The reference
    is the request's, for while it is pending Airtel has none, and one transaction would become two.
    """
    done = part(part(sent.callback, "data"), "transaction")
    asked = _asked(done, sent.request)
    status, code = _status_of_disbursement(done, part(sent.callback, "status"))
    external = required(done, "id")
    received, time_source = arrival(sent)
    payee = part(sent.request, "payee")
    currency = text(payee, "currency") or text(asked, "currency")
    country = text(payee, "country") or settings.country or None
    fields = {
        "transactionReference": f"external-{external}",
        "requestingOrganisationTransactionReference": external,
        "transactionStatus": status,
        "type": "disbursement",
        "amount": amount(text(asked, "amount")),
        "currency": currency or settings.currency or None,
        "debitParty": organisation(settings.organisation),
        "creditParty": phone(_number("payee", payee, country, countries), ""),
        "requestDate": received,
    }
    assumed = [*([] if currency else ["currency"]), *(["debit_party"] if settings.organisation else [])]
    failure = {"failure_code": code, "failure_reason": _REASONS.get(code, "unknown")} if status == "failed" else {}
    names = {"reference_source": "transaction.id", "airtel_money_id": text(done, "airtel_money_id")}
    return event(fields, "airtel_disbursement", time_source, assumed, {"channel": "api", **names, **failure})


def _is_callback(record: Record) -> bool:
    transaction = record.get("transaction")
    return isinstance(transaction, dict) and {"id", "status_code"} <= transaction.keys()


def _is_answer(record: Record) -> bool:
    data, status = record.get("data"), record.get("status")
    return (
        isinstance(data, dict)
        and isinstance(status, dict)
        and isinstance(data.get("transaction"), dict)
        and str(status.get("response_code")).startswith(_OF_DISBURSEMENTS)
    )


def _asked(done: Record, request: Record) -> Record:
    """What Airtel was asked to do; raises `Refused` where that is another transaction than the one that is done."""
    asked = part(request, "transaction")
    if not asked:
        raise Refused("", "names no amount and no customer: give the request it answers beside it (docs/sources.md)")
    if text(done, "id") != text(asked, "id"):
        raise Refused("/request/transaction/id", "is another one than the answer's")
    return asked


def _status_of_disbursement(done: Record, answer: Record) -> tuple[str, str]:
    """The status, and the code that says so."""
    code, own = required(answer, "response_code"), text(done, "status")
    if own in _STATUSES:
        return _STATUSES[own], code
    return _DISBURSED.get(code, "failed"), code


def _number(name: str, customer: Record, country: str | None, countries: Mapping[str, Country]) -> str | None:
    """With the calling code of the country."""
    number = text(customer, "msisdn")
    if number is None or not number.isdecimal():
        return number
    known = countries.get(country or "")
    if known is None:
        raise Refused(f"/request/{name}/country", "is none of conf/reference/countries.csv")
    national = number.removeprefix(known.calling_code) if len(number) > known.national_digits + 1 else number
    if len(national.removeprefix("0")) != known.national_digits:
        raise Refused(f"/request/{name}/msisdn", "has not as many digits as the country's numbers")
    return known.calling_code + national.removeprefix("0")
