"""MTN MoMo: callbacks and status answers of collections and disbursements.

Source of the fields: MTN's Open API (requesttopay, transfer, refund) as described in
sparkplug/mtn-momo-api-documentation and re-kast/android-mtn-momo-api-sdk. Messages and notes stay behind.
"""

from jobs.settings import MtnSettings
from producers.adapters.canonical import Party, Sent, amount, arrival, event, organisation, phone
from producers.adapters.reading import Record, Refused, part, required, text

_STATUSES = {"SUCCESSFUL": "completed", "PENDING": "pending", "FAILED": "failed"}

# Reasons → GSMA error codes, where they mean the same; `failure_code` keeps the provider's own.
_REASONS = {
    "PAYER_NOT_FOUND": "identifierError",
    "PAYEE_NOT_FOUND": "identifierError",
    "NOT_ENOUGH_FUNDS": "insufficientFunds",
    "INVALID_CURRENCY": "currencyNotSupported",
    "APPROVAL_REJECTED": "requestDeclined",
    "RESOURCE_ALREADY_EXIST": "duplicateRequest",
    # MTN says that this mostly hides insufficient funds; nobody can tell.
    "INTERNAL_PROCESSING_ERROR": "unknown_probably_funds",
}


def is_one(record: Record) -> bool:
    """Whether the record is one of MTN's."""
    sides = [record.get(side) for side in ("payer", "payee")]
    has_party = any(isinstance(side, dict) and "partyId" in side for side in sides)
    return has_party and {"amount", "currency", "status"} <= record.keys()


def canonical(sent: Sent, settings: MtnSettings) -> Record:
    """A payment that was asked of a payer, or sent to a payee. Source: MTN, requesttopay and transfer.

    No record has a time, nor the other side, which is the organisation of the settings. The reference is the
    `reference_id` (X-Reference-Id) kept beside the record, the same in each state; else MTN's own, which only a
    payment that succeeded has; else the organisation's, which need not be unique.
    """
    record = sent.callback
    is_collection = "payer" in record
    person = _party(part(record, "payer" if is_collection else "payee"))
    ours = organisation(settings.organisation)
    status = required(record, "status").upper()
    reference, reference_source = _reference(sent)
    refunded = text(record, "referenceIdToRefund")
    received, time_source = arrival(sent)
    fields = {
        "transactionReference": reference,
        "requestingOrganisationTransactionReference": text(record, "externalId"),
        "originalTransactionReference": refunded,
        "transactionReceipt": text(record, "financialTransactionId"),
        "transactionStatus": _STATUSES.get(status, status.lower()),
        "type": "adjustment" if refunded else "merchantpay" if is_collection else "disbursement",
        "subType": "refund" if refunded else "online" if is_collection else None,
        "amount": amount(text(record, "amount")),
        "currency": text(record, "currency"),
        "debitParty": person if is_collection else ours,
        "creditParty": ours if is_collection else person,
        "requestDate": received,
    }
    ours_is = "credit_party" if is_collection else "debit_party"
    assumed = [*([] if refunded else ["transaction_type"]), *([ours_is] if settings.organisation else [])]
    notes = {"channel": "api", **reference_source, **_failure(record)}
    return event(fields, "mtn_collection" if is_collection else "mtn_disbursement", time_source, assumed, notes)


def _party(person: Record) -> Party | None:
    """MTN checks that a number is E.164; a party code stands for an account."""
    identifier, kind = text(person, "partyId"), (text(person, "partyIdType") or "MSISDN").upper()
    if kind == "MSISDN":
        return phone(identifier, "")
    key = {"EMAIL": "emailaddress", "PARTY_CODE": "accountid"}.get(kind)
    if key is None:
        raise Refused("/partyIdType", "is none of MSISDN, EMAIL and PARTY_CODE")
    return [{"key": key, "value": identifier}] if identifier else None


def _reference(sent: Sent) -> tuple[str | None, dict[str, str]]:
    """The transaction's reference, and a note where it is not one of MTN's."""
    own = sent.reference_id or text(sent.callback, "financialTransactionId")
    external = text(sent.callback, "externalId")
    if own or external is None:
        return own, {}
    return f"external-{external}", {"reference_source": "externalId"}


def _failure(record: Record) -> dict[str, str]:
    """The reason comes as a text or as an object with a code."""
    reason = record.get("reason")
    code = text(reason, "code") if isinstance(reason, dict) else text(record, "reason")
    return {"failure_code": code, "failure_reason": _REASONS.get(code, "unknown")} if code else {}
