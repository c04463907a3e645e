"""M-Pesa Daraja (Kenya): C2B confirmations, B2C results, STK callbacks.

Source of the fields: the Daraja API as collected in Ghostscypher/php-mpesa, `mpesa_endpoints.md`.
Names, descriptions, passwords and credentials stay behind.
"""

from collections.abc import Mapping

from jobs.settings import DarajaSettings
from producers.adapters.canonical import Sent, amount, arrival, event, organisation, phone, wall_clock
from producers.adapters.reading import Record, Refused, named, part, required, text

# Daraja's own names of what a customer's payment is, without blanks and in lower case → type, sub-type.
_PAYMENTS = {
    "paybill": ("billpay", "paybill"),
    "customerpaybillonline": ("billpay", "paybill"),
    "buygoods": ("merchantpay", "till"),
    "customerbuygoodsonline": ("merchantpay", "till"),
    "customermerchantpayment": ("merchantpay", "till"),
}
_DISBURSEMENTS = {"SalaryPayment": "salary", "PromotionPayment": "promo", "BusinessPayment": "business"}

# Result codes → GSMA error codes, where they mean the same; `failure_code` keeps the provider's own.
_REASONS = {
    "1": "insufficientFunds",
    "2": "lessThanTransactionMinValue",
    "3": "greaterThanTransactionMaxValue",
    "4": "dailyValueLimitExceeded",
    "5": "insufficientFunds",
    "6": "identifierError",
    "7": "identifierError",
    "8": "maxBalanceExceeded",
    "11": "identifierError",
    "12": "identifierError",
    "13": "identifierError",
    "14": "identifierError",
    "15": "duplicateRequest",
    "20": "requestingPartyAuthorisationError",
    "26": "rateLimitError",
    "1032": "requestDeclined",
}
_NO_REQUEST = "names no amount and no party, as failures do: give the request it answers beside it (docs/sources.md)"


def is_one(record: Record) -> bool:
    """Whether the record is one of Daraja's."""
    return _is_c2b(record) or _is_stk(record) or _is_result(record)


def canonical(sent: Sent, settings: DarajaSettings) -> Record:
    """The event of any of the three kinds."""
    if _is_c2b(sent.callback):
        return c2b_confirmation(sent, settings)
    return stk_callback(sent, settings) if _is_stk(sent.callback) else b2c_result(sent, settings)


def c2b_confirmation(sent: Sent, settings: DarajaSettings) -> Record:
    """A customer's payment to a pay bill or till. Source: Daraja, C2B validation and confirmation.

    A validation, which asks before the money moves, is the same record without a balance: it is pending.
    """
    record = sent.callback
    kind, sub_type = _payment(required(record, "TransactionType"))
    account = text(record, "BillRefNumber")
    payee = organisation(text(record, "BusinessShortCode") or settings.short_code)
    balance = text(record, "OrgAccountBalance")
    fields = {
        "transactionReference": text(record, "TransID"),
        "requestingOrganisationTransactionReference": text(record, "ThirdPartyTransID"),
        "transactionStatus": "completed" if balance else "pending",
        "type": kind,
        "subType": sub_type,
        "amount": amount(text(record, "TransAmount")),
        "currency": settings.currency,
        "debitParty": phone(text(record, "MSISDN"), settings.calling_code),
        "creditParty": payee + ([{"key": "consumerno", "value": account}] if account else []),
        "creationDate": wall_clock(record, "TransTime", "%Y%m%d%H%M%S", settings.time_zone),
    }
    notes = {"invoice_number": text(record, "InvoiceNumber"), "credit_balance_after": amount(balance)}
    return event(fields, "daraja_c2b", "TransTime", ("currency", "event_time_zone"), notes)


def stk_callback(sent: Sent, settings: DarajaSettings) -> Record:
    """A payment that the customer was asked for on the phone. Source: Daraja, STK push (Lipa na M-Pesa online).

    A failed one has no metadata, and the payee is in none: both are known by the request. A balance comes without its
    value.
    """
    callback, request = part(part(sent.callback, "Body"), "stkCallback"), sent.request
    items = named(part(callback, "CallbackMetadata"), "Item", "Name")
    code = required(callback, "ResultCode")
    paid = items.get("Amount") or text(request, "Amount")
    if paid is None:
        raise Refused("", _NO_REQUEST)
    asked_as = text(request, "TransactionType")
    kind, sub_type = _payment(asked_as) if asked_as else ("merchantpay", "online")
    payer = items.get("PhoneNumber") or text(request, "PhoneNumber") or text(request, "PartyA")
    payee = text(request, "PartyB") or text(request, "BusinessShortCode")
    dates, time_source, zone = _stk_time(items, sent, settings)
    fields = {
        "transactionReference": items.get("MpesaReceiptNumber") or text(callback, "CheckoutRequestID"),
        "requestingOrganisationTransactionReference": text(callback, "CheckoutRequestID"),
        "transactionStatus": _status(code),
        "type": kind,
        "subType": sub_type,
        "amount": amount(paid),
        "currency": settings.currency,
        "debitParty": phone(payer, settings.calling_code),
        "creditParty": organisation(payee or settings.short_code),
        **dates,
    }
    by_settings = [] if payee or not settings.short_code else ["credit_party"]
    assumed = ["currency", *zone, *([] if asked_as else ["transaction_type"]), *by_settings]
    notes = {"channel": "api", **_failure(code), "merchant_request_id": text(callback, "MerchantRequestID")}
    return event(fields, "daraja_stk", time_source, assumed, notes)


def b2c_result(sent: Sent, settings: DarajaSettings) -> Record:
    """An organisation's payment to a customer. Source: Daraja, B2C result.

    Failures of a day share a transaction ID that ends in zeros, so their reference is the conversation's.
    """
    result, request = part(sent.callback, "Result"), sent.request
    values = named(part(result, "ResultParameters"), "ResultParameter", "Key")
    code = required(result, "ResultCode")
    paid = values.get("TransactionAmount") or text(request, "Amount")
    if paid is None:
        raise Refused("", _NO_REQUEST if _failure(code) else "is no result of a B2C payment: it has no amount of one")
    # "254708374149 - " and a name.
    payee = values.get("ReceiverPartyPublicName", "").partition(" - ")[0].strip() or text(request, "PartyB")
    payer, receipt = text(request, "PartyA"), values.get("TransactionReceipt") or text(result, "TransactionID")
    completed = wall_clock(values, "TransactionCompletedDateTime", "%d.%m.%Y %H:%M:%S", settings.time_zone)
    received, received_by = arrival(sent)
    fields = {
        "transactionReference": text(result, "ConversationID") if _failure(code) else receipt,
        "requestingOrganisationTransactionReference": text(result, "OriginatorConversationID"),
        "transactionStatus": _status(code),
        "type": "disbursement",
        "subType": _disbursement(text(request, "CommandID")),
        "amount": amount(paid),
        "currency": settings.currency,
        "debitParty": organisation(payer or settings.short_code),
        "creditParty": phone(payee, settings.calling_code),
        "modificationDate": completed,
        "requestDate": None if completed else received,
    }
    by_settings = [] if payer or not settings.short_code else ["debit_party"]
    assumed = ["currency", *(["event_time_zone"] if completed else []), *by_settings]
    time_source = "TransactionCompletedDateTime" if completed else received_by
    held = amount(values.get("B2CUtilityAccountAvailableFunds"))
    notes = {
        "channel": "api",
        **_failure(code),
        "conversation_id": text(result, "ConversationID"),
        "debit_balance_after": held,
    }
    return event(fields, "daraja_b2c", time_source, assumed, notes)


def _is_c2b(record: Record) -> bool:
    return {"TransID", "TransAmount", "TransactionType"} <= record.keys()


def _is_stk(record: Record) -> bool:
    body = record.get("Body")
    return isinstance(body, dict) and "stkCallback" in body


def _is_result(record: Record) -> bool:
    result = record.get("Result")
    return isinstance(result, dict) and {"ConversationID", "ResultCode"} <= result.keys()


def _stk_time(items: Mapping[str, str], sent: Sent, settings: DarajaSettings) -> tuple[Record, str, list[str]]:
    """The event's date, whose it is, and whether the zone was assumed."""
    zone = settings.time_zone
    if paid_at := wall_clock(items, "TransactionDate", "%Y%m%d%H%M%S", zone):
        return {"creationDate": paid_at}, "TransactionDate", ["event_time_zone"]
    if asked_at := wall_clock(sent.request, "Timestamp", "%Y%m%d%H%M%S", zone):
        return {"requestDate": asked_at}, "request.Timestamp", ["event_time_zone"]
    received, received_by = arrival(sent)
    return {"requestDate": received}, received_by, []


def _payment(name: str) -> tuple[str, str]:
    known = _PAYMENTS.get(name.replace(" ", "").lower())
    if known is None:
        raise Refused("/TransactionType", "is neither Pay Bill nor Buy Goods")
    return known


def _disbursement(command: str | None) -> str | None:
    if command is not None and command not in _DISBURSEMENTS:
        raise Refused("/CommandID", "is none of a B2C payment")
    return _DISBURSEMENTS[command] if command else None


def _status(code: str) -> str:
    return "failed" if _failure(code) else "completed"


def _failure(code: str) -> dict[str, str]:
    """Nothing when the result is a success."""
    return {} if code == "0" else {"failure_code": code, "failure_reason": _REASONS.get(code, "unknown")}
