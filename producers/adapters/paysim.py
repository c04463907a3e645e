"""PaySim: rows of the simulator's log.

Source of the columns: EdgarLopezPhD/PaySim, whose output is also published as the data set paysim1. For load, types and
labels: it has no fees, failures, channels or agents, and its balances do not add up.
"""

import hashlib
from datetime import datetime, timedelta

from jobs.settings import PaysimSettings
from producers.adapters.canonical import Party, Sent, amount, event
from producers.adapters.reading import Record, Refused, required, text

_COLUMNS = (
    "step", "type", "amount", "nameOrig", "oldbalanceOrg", "newbalanceOrig", "nameDest", "oldbalanceDest",
    "newbalanceDest", "isFraud", "isFlaggedFraud",
)  # fmt: skip
_TYPES: dict[str, tuple[str, str | None]] = {
    "CASH_IN": ("deposit", "cash_in"),
    "CASH_OUT": ("withdrawal", "cash_out"),
    "DEBIT": ("transfer", "wallet_to_bank"),
    "PAYMENT": ("merchantpay", None),
    "TRANSFER": ("transfer", "p2p"),
}
_LABELS = ("isFraud", "isFlaggedFraud")
_BALANCES = {
    "origin": {"before": "oldbalanceOrg", "after": "newbalanceOrig"},
    "destination": {"before": "oldbalanceDest", "after": "newbalanceDest"},
}


def is_one(record: Record) -> bool:
    """Whether the record is a row of PaySim's log."""
    return {"step", "type", "amount", "nameOrig", "nameDest"} <= record.keys()


def canonical(sent: Sent, settings: PaysimSettings) -> Record:
    """One row. Source: PaySim's transaction log.

    A row has no identifier: its reference is a hash of its text, the same wherever the row stands. Its time is the
    hour of its step after `paysim.start`. At a cash-in the money goes to the originator.
    """
    record = sent.callback
    known = _TYPES.get(required(record, "type"))
    if known is None:
        raise Refused("/type", f"is none of {', '.join(_TYPES)}")
    origin, destination = _party(required(record, "nameOrig")), _party(required(record, "nameDest"))
    is_cash_in = known[0] == "deposit"
    fields = {
        "transactionReference": _reference(record),
        "transactionStatus": "completed",
        "type": known[0],
        "subType": known[1],
        "amount": amount(text(record, "amount")),
        "currency": settings.currency,
        "debitParty": destination if is_cash_in else origin,
        "creditParty": origin if is_cash_in else destination,
        "creationDate": _hour(required(record, "step"), settings),
    }
    labels = {name: text(record, name) for name in _LABELS}
    notes = {"reference_source": "row", **labels, **_balances(record, "destination" if is_cash_in else "origin")}
    return event(fields, "paysim", "step", ("currency", "event_time", "status"), notes)


def _balances(record: Record, payer: str) -> dict[str, str | None]:
    """The balances that a row states. It has 0 for every merchant's, which nobody keeps there."""
    known = ("origin",) if required(record, "nameDest").startswith("M") else ("origin", "destination")
    return {
        f"{'debit' if side == payer else 'credit'}_balance_{when}": amount(text(record, column))
        for side in known
        for when, column in _BALANCES[side].items()
    }


def _party(name: str) -> Party:
    """C… are customers, M… merchants."""
    return [{"key": "organisationid" if name.startswith("M") else "accountid", "value": name}]


def _reference(record: Record) -> str:
    row = "\x1f".join(text(record, name) or "" for name in _COLUMNS)
    return f"paysim-{hashlib.sha256(row.encode(errors='surrogatepass')).hexdigest()[:24]}"


def _hour(step: str, settings: PaysimSettings) -> str:
    if not (step.isascii() and step.isdecimal() and len(step) <= 6):
        raise Refused("/step", "is no number of hours")
    return (datetime.fromisoformat(settings.start) + timedelta(hours=int(step))).isoformat()
