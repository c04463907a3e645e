"""Drawn transactions as the records that go on the wire."""

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

from producers.draws import SimulationPlan, Transactions
from producers.markets import MARKETS
from producers.parties import party
from producers.products import PRODUCTS, fee_minor

Record = dict[str, Any]

# GSMA error codes; insufficient funds is by far the commonest.
FAILURES = (
    *("insufficientFunds",) * 6, "requestDeclined", "dailyValueLimitExceeded", "identifierError", "maxBalanceExceeded",
)  # fmt: skip
REFERENCE_BITS = 50
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def pending_event(plan: SimulationPlan, drawn: Transactions, row: int) -> Record:
    """The first event of a transaction; its event time is `creationDate`."""
    market, product = MARKETS[drawn.market[row]], PRODUCTS[drawn.product[row]]
    channel = product.channels[int(drawn.dice[row]) % len(product.channels)]
    return {
        "transactionReference": reference(plan, drawn, row),
        "transactionStatus": "pending",
        **_kind(plan, drawn, row),
        "amount": market.amount_text(int(drawn.amount_minor[row])),
        "currency": market.currency,
        **_parties(drawn, row),
        **_extras(plan, drawn, row),
        "creationDate": _date(plan, drawn, row, int(drawn.start_ms[row])),
        "metadata": [{"key": "channel", "value": channel}],
    }


def final_event(plan: SimulationPlan, drawn: Transactions, row: int) -> Record:
    """The completed or failed event of a transaction; its event time is `modificationDate`, fees are what was paid."""
    event = pending_event(plan, drawn, row)
    event["modificationDate"] = _date(plan, drawn, row, int(drawn.start_ms[row] + drawn.wait_ms[row]))
    if drawn.is_failed[row]:
        event["transactionStatus"] = "failed"
        event["metadata"].append({"key": "errorCode", "value": FAILURES[int(drawn.dice[row]) % len(FAILURES)]})
        return event
    event["transactionStatus"] = "completed"
    return event if drawn.original[row] >= 0 else event | _fees(drawn, row) | _place(drawn, row)


def reference(plan: SimulationPlan, drawn: Transactions, row: int) -> str:
    """The provider's reference of a transaction: its country and a token, none twice in a plan."""
    return MARKETS[drawn.market[row]].country + token(plan, "event", row)


def token(plan: SimulationPlan, space: str, row: int) -> str:
    """Ten letters and digits, no two rows of a plan alike: an odd factor permutes the numbers below 2^50."""
    salt = hashlib.blake2b(f"{plan.seed} {plan.start.isoformat()} {space}".encode(), digest_size=8).digest()
    number = (row * 0x9E3779B97F4A7C15 + int.from_bytes(salt)) % (1 << REFERENCE_BITS)
    return "".join(BASE32[number >> shift & 31] for shift in range(0, REFERENCE_BITS, 5))


def instant(plan: SimulationPlan, time_ms: int, utc_offset_hours: int) -> datetime:
    """A time after the plan's start on the clock of a market."""
    return (plan.start + timedelta(milliseconds=time_ms)).astimezone(timezone(timedelta(hours=utc_offset_hours)))


def _kind(plan: SimulationPlan, drawn: Transactions, row: int) -> Record:
    original = int(drawn.original[row])
    if original >= 0:
        return {"type": "reversal", "originalTransactionReference": reference(plan, drawn, original)}
    product = PRODUCTS[drawn.product[row]]
    return {"type": product.type, "subType": product.sub_type}


def _parties(drawn: Transactions, row: int) -> Record:
    product, market, abroad = PRODUCTS[drawn.product[row]], MARKETS[drawn.market[row]], MARKETS[drawn.abroad[row]]
    sides = []
    for kind, number in ((product.payer, drawn.payer[row]), (product.payee, drawn.payee[row])):
        side = party(kind, abroad if kind == "customer abroad" else market, int(number))
        # A few providers write the + of a phone number: one customer, two spellings.
        if side[0]["key"] == "msisdn" and drawn.dice[row] % 64 == 0:
            side[0]["value"] = "+" + side[0]["value"]
        sides.append(side)
    debit, credit = reversed(sides) if drawn.original[row] >= 0 else sides
    return {"debitParty": debit, "creditParty": credit}


def _extras(plan: SimulationPlan, drawn: Transactions, row: int) -> Record:
    """What only some products have: a description, the client's own date, the way of money across a border."""
    product = PRODUCTS[drawn.product[row]]
    if drawn.original[row] >= 0:
        return {}
    if product.type == "inttransfer":
        here, there = MARKETS[drawn.market[row]].country, MARKETS[drawn.abroad[row]].country
        origin, receiving = (here, there) if product.sub_type == "out" else (there, here)
        return {"internationalTransferInformation": {"originCountry": origin, "receivingCountry": receiving}}
    extras: Record = {"descriptionText": product.description} if product.description else {}
    if product.payer == "organisation":
        extras["requestDate"] = _date(plan, drawn, row, int(drawn.start_ms[row]) - 1000)
    return extras


def _fees(drawn: Transactions, row: int) -> Record:
    product, market = PRODUCTS[drawn.product[row]], MARKETS[drawn.market[row]]
    fee = market.amount_text(fee_minor(product, market, int(drawn.amount_minor[row])))
    fees = [{"feeType": f"{product.type}_fee", "feeAmount": fee, "feeCurrency": market.currency}]
    return {} if fee == "0" else {"fees": fees}


def _place(drawn: Transactions, row: int) -> Record:
    """Where the agent stands, when one takes part."""
    product, market = PRODUCTS[drawn.product[row]], MARKETS[drawn.market[row]]
    if "agent" not in (product.payer, product.payee):
        return {}
    agents = drawn.payer if product.payer == "agent" else drawn.payee
    return {"geoCode": market.geo_code(int(agents[row]))}


def _date(plan: SimulationPlan, drawn: Transactions, row: int, time_ms: int) -> str:
    """RFC 3339 on the market's own clock, or UTC with a Z for one provider in three."""
    is_utc = drawn.dice[row] // 64 % 3 == 0
    moment = instant(plan, time_ms, 0 if is_utc else MARKETS[drawn.market[row]].utc_offset_hours)
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z") if is_utc else text
