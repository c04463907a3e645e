"""The daily tables in plain Python, straight from their definitions: slow, and by nothing that the product uses."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from jobs.insights.reference_tables import Reference
from tests.insights import BUSINESSES

MINOR = {"UGX": 0}
BANK, BUSINESS = "bankaccountno", tuple(BUSINESSES.values())


def to_minor(money, currency):
    return money.quantize(Decimal(1).scaleb(-MINOR.get(currency, 2)), ROUND_HALF_UP)


def holds(row, day):
    return (row.valid_from or date.min) <= day <= (row.valid_to or date.max)


def customer_side(row):
    side = "debit" if row["debit_country"] != "none" else "credit"
    return row[f"{side}_country"], row[f"{side}_operator"]


def price(bands, kind, side, currency, amount, day):
    """By the one band that fits; None without any."""
    fits = [
        band
        for band in bands
        if (band.transaction_type, band.country, band.operator, band.currency) == (kind, *side, currency)
        and band.min_amount <= amount <= band.max_amount
        and holds(band, day)
    ]
    assert len(fits) < 2
    return to_minor(fits[0].fixed + amount * fits[0].pct / 100, currency) if fits else None


def tax(reference, base, row):
    country, taxed = customer_side(row)[0], row["amount" if base == "value" else "fee_amount"]
    for one in reference.taxes:
        is_theirs = (one.base, one.country, one.currency) == (base, country, row["currency"])
        is_due = taxed > one.threshold and row["transaction_type"] not in one.exempt_types
        if is_theirs and is_due and holds(one, row["event_date"]):
            due = taxed * one.rate
            return to_minor(due / (1 + one.rate) if base == "fee" else due, row["currency"])
    return Decimal(0)


def key_of(row, side):
    return row[f"{side}_party"].partition(":")[0]


def flow_class(row):
    kind = row["transaction_type"]
    fixed = {
        "deposit": "cash_in",
        "withdrawal": "cash_out",
        "reversal": "contra",
        "adjustment": "contra",
        "disbursement": "digital_in",
        "inttransfer": "digital_in" if row["debit_country"] == "none" else "digital_out",
    }
    if kind in fixed:
        return fixed[kind]
    if key_of(row, "debit") == BANK:
        return "digital_in"
    if kind == "billpay" or row.get("sub_type") == "airtime" or key_of(row, "credit") == BANK:
        return "digital_out"
    is_float = kind == "transfer" and key_of(row, "debit") in BUSINESS and key_of(row, "credit") in BUSINESS
    return "float" if is_float else "circulating"


def persons(row):
    """Token, country, whether this one pays, and whether the fee."""
    if row["debit_token"]:
        yield row["debit_token"], row["debit_country"], True, True
    if row["credit_token"]:
        yield row["credit_token"], row["credit_country"], False, key_of(row, "debit") in BUSINESS


def is_done(row):
    return row["status"] == "completed"


def money(values):
    return sum(values, Decimal(0))


def grouped(rows, key):
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


TRANSFERS = ("transfer", "inttransfer")


def customers(rows):
    found = []
    sides = [(row, *person) for row in rows for person in persons(row)]
    for (token, currency), group in grouped(sides, lambda s: (s[1], s[0]["currency"])).items():
        done = [side for side in group if is_done(side[0])]
        came, went = [s for s in done if not s[3]], [s for s in done if s[3]]
        found.append(
            {
                "customer_token": token,
                "currency": currency,
                "country": group[0][2],
                "event_count": len(group),
                "in_count": len(came),
                "in_amount": money(s[0]["amount"] for s in came),
                "out_count": len(went),
                "out_amount": money(s[0]["amount"] for s in went),
                "transfer_count": len(sent := [s[0]["amount"] for s in went if s[0]["transaction_type"] in TRANSFERS]),
                "largest_transfer_amount": max(sent, default=None),
                "fee_amount": money(s[0]["fee_amount"] for s in done if s[4]),
                "failed_count": sum(s[0]["status"] == "failed" for s in group),
                "first_event_time": min(s[0]["event_time"] for s in group),
                "last_event_time": max(s[0]["event_time"] for s in group),
            }
        )
    return found


def kpis(rows, day):
    """`rows` are all of silver up to the day."""
    sides = [(row, *person) for row in rows for person in persons(row)]
    accounts = grouped(sides, lambda s: (s[2], s[0]["currency"]))
    today = grouped([r for r in rows if r["event_date"] == day], lambda r: (customer_side(r)[0], r["currency"]))
    found = []
    for area in accounts.keys() | today.keys():
        mine = grouped(accounts[area], lambda s: s[1])

        def active(days, mine=mine):
            return sum(any(is_use(s[0]) and is_within(s[0], days) for s in sides) for sides in mine.values())

        def is_use(row):
            return is_done(row) and row["transaction_type"] not in ("reversal", "adjustment")

        def is_within(row, days):
            return row["event_date"] > day - timedelta(days=days)

        fee = money(s[0]["fee_amount"] for s in accounts[area] if s[4] and is_done(s[0]) and is_within(s[0], 30))
        done = [row for row in today[area] if is_done(row)]
        failed = sum(row["status"] == "failed" for row in today[area])
        reversals = sum(row["transaction_type"] == "reversal" for row in done)
        flows = grouped(done, flow_class)
        classes = ("cash_in", "cash_out", "circulating", "digital_in", "digital_out", "float", "contra")
        seconds = list(times_to_final(rows, today[area], day))
        found.append(
            {
                "country": area[0],
                "currency": area[1],
                "registered_count": len(mine),
                "active_30d_count": active(30),
                "active_90d_count": active(90),
                "activity_rate": active(30) / len(mine) if mine else None,
                "transaction_count": len(done),
                "amount": money(row["amount"] for row in done),
                **{f"{name}_amount": money(row["amount"] for row in flows[name]) for name in classes},
                "fee_amount": money(row["fee_amount"] for row in done),
                "fee_30d_amount": fee,
                "arpu_30d": (fee / active(30)).quantize(Decimal("0.0001"), ROUND_HALF_UP) if active(30) else None,
                "failed_count": failed,
                "failure_rate": failed / (failed + len(done)) if failed + len(done) else None,
                "reversal_count": reversals,
                "reversal_rate": reversals / (len(done) - reversals) if len(done) - reversals else None,
                "timed_count": len(seconds),
                "seconds_to_final_p50": float(np.percentile(seconds, 50)) if seconds else None,
                "seconds_to_final_p95": float(np.percentile(seconds, 95)) if seconds else None,
            }
        )
    return found


def times_to_final(rows, of_area, day):
    pending = {
        row["transaction_reference"]: row["event_time"]
        for row in rows
        if row["status"] == "pending" and row["event_date"] >= day - timedelta(days=1)
    }
    for row in of_area:
        requested = pending.get(row["transaction_reference"])
        if row["status"] in ("completed", "failed") and requested and requested <= row["event_time"]:
            yield (row["event_time"] - requested).total_seconds()


def revenue(rows, reference):
    found = []

    def product(row):
        return (*customer_side(row), row["transaction_type"], row.get("sub_type") or "none", row["currency"])

    for key, group in grouped(filter(is_done, rows), product).items():
        where = key[:2], key[4]
        fees = [
            (r["fee_amount"], price(reference.tariffs, key[2], *where, r["amount"], r["event_date"])) for r in group
        ]
        known = [(charged, due) for charged, due in fees if due is not None]
        commissions = [price(reference.commissions, key[2], *where, r["amount"], r["event_date"]) for r in group]
        earned = [one for one in commissions if one is not None]
        fee, fee_tax = money(r["fee_amount"] for r in group), money(tax(reference, "fee", r) for r in group)
        found.append(
            dict(zip(("country", "operator", "transaction_type", "sub_type", "currency"), key, strict=True))
            | {
                "transaction_count": len(group),
                "amount": money(r["amount"] for r in group),
                "fee_amount": fee,
                "tariff_count": len(known),
                "expected_fee_amount": money(due for _, due in known),
                "fee_difference": money(charged - due for charged, due in known),
                "mischarged_count": sum(charged != due for charged, due in known),
                "fee_tax_amount": fee_tax,
                "value_tax_amount": money(tax(reference, "value", r) for r in group),
                "commission_count": len(earned),
                "commission_amount": money(earned),
                "net_revenue": fee - fee_tax - money(earned),
            }
        )
    return found


def agents(rows, reference: Reference):
    found = []
    served = [r for r in rows if is_done(r) and r["agent_id"] and r["transaction_type"] in ("deposit", "withdrawal")]
    for (agent, currency), group in grouped(served, lambda r: (r["agent_id"], r["currency"])).items():
        came, went = ([r for r in group if r["transaction_type"] == kind] for kind in ("deposit", "withdrawal"))

        def commission(row, amount=None):
            where = customer_side(row), row["currency"]
            day = row["event_date"]
            return price(reference.commissions, row["transaction_type"], *where, amount or row["amount"], day)

        earned = [one for one in map(commission, group) if one is not None]
        visits = grouped(came, lambda r: r["credit_party"]).values()
        split, gain = [cash_ins for cash_ins in visits if len(cash_ins) > 1], Decimal(0)
        for cash_ins in split:
            parts, whole = (
                list(map(commission, cash_ins)),
                commission(cash_ins[0], money(r["amount"] for r in cash_ins)),
            )
            if whole is not None and None not in parts:
                gain += max(money(parts) - whole, Decimal(0))
        customers = {r["credit_party"] for r in came} | {r["debit_party"] for r in went}
        cash_in, cash_out = money(r["amount"] for r in came), money(r["amount"] for r in went)
        found.append(
            {
                "agent_id": agent,
                "currency": currency,
                "cash_in_count": len(came),
                "cash_in_amount": cash_in,
                "cash_out_count": len(went),
                "cash_out_amount": cash_out,
                "net_float": cash_out - cash_in,
                "distinct_customers": len(customers),
                "commission_count": len(earned),
                "commission_amount": money(earned),
                "split_score": sum(map(len, split)) / len(came) if came else None,
                "split_gain": gain,
            }
        )
    return found


def merchants(rows):
    found = []
    paid = [r for r in rows if r["transaction_type"] in ("merchantpay", "billpay") and key_of(r, "credit") in BUSINESS]
    decided = [r for r in paid if r["status"] in ("completed", "failed")]
    for (party, currency), group in grouped(decided, lambda r: (r["credit_party"], r["currency"])).items():
        done = [r for r in group if is_done(r)]
        found.append(
            {
                "merchant_id": party.partition(":")[2],
                "currency": currency,
                "transaction_count": len(done),
                "amount": money(r["amount"] for r in done),
                "fee_amount": money(r["fee_amount"] for r in done),
                "failed_count": len(group) - len(done),
                "distinct_payers": len({r["debit_party"] for r in done}),
                "largest_amount": max((r["amount"] for r in done), default=None),
            }
        )
    return found


def corridors(rows):
    names = ("debit_country", "debit_operator", "credit_country", "credit_operator", "currency")
    return [
        dict(zip(names, key, strict=True))
        | {
            "transaction_count": len(group),
            "amount": money(r["amount"] for r in group),
            "fee_amount": money(r["fee_amount"] for r in group),
            "distinct_payers": len({r["debit_party"] for r in group}),
            "largest_amount": max(r["amount"] for r in group),
        }
        for key, group in grouped(filter(is_done, rows), lambda r: tuple(r[name] for name in names)).items()
    ]


def pairs(rows):
    sent = [r for r in rows if is_done(r) and r["transaction_type"] in TRANSFERS]
    between = [r for r in sent if r["debit_token"] and r["credit_token"]]
    return [
        {
            "payer_token": payer,
            "payee_token": payee,
            "currency": currency,
            "transfer_count": len(group),
            "amount": money(r["amount"] for r in group),
            "first_event_time": min(r["event_time"] for r in group),
            "last_event_time": max(r["event_time"] for r in group),
        }
        for (payer, payee, currency), group in grouped(
            between, lambda r: (r["debit_token"], r["credit_token"], r["currency"])
        ).items()
    ]


def accounts_moved(rows):
    """By account and currency, in order: place, change, balance before and after, country, day."""
    moved = defaultdict(list)
    for row in filter(is_done, rows):
        payer_of_fee = "credit" if key_of(row, "debit") in BUSINESS and row["credit_token"] else "debit"
        for side, sign in (("debit", -1), ("credit", 1)):
            alias = row[f"{side}_party"].partition(":")[2] if key_of(row, side) in BUSINESS else None
            account = row[f"{side}_token"] or alias
            change = row["amount"] * sign - (row["fee_amount"] if side == payer_of_fee else 0)
            before, after = (row.get(f"{side}_balance_{when}") for when in ("before", "after"))
            place = (row["event_time"], row["partition"], row["offset"], sign)
            if account:
                country = row[f"{side}_country"]
                moved[account, row["currency"]].append((place, change, before, after, country, row["event_date"]))
    return {account: sorted(moves) for account, moves in moved.items()}


def is_stated(move):
    return move[2] is not None or move[3] is not None


def limit_of(limits, country, currency, day):
    theirs = [one for one in limits if (one.country, one.currency) == (country, currency) and holds(one, day)]
    return max((one.balance for one in theirs if one.balance), default=None)


def balances(rows, limits):
    found = []
    for (account, currency), moves in accounts_moved(rows).items():
        stated = [n for n, move in enumerate(moves) if is_stated(move)]
        if not stated:
            continue
        within = moves[stated[0] : stated[-1] + 1]
        _, change, before, after, *_ = within[0]
        opening = before if before is not None else after - change
        _, change, before, after, *_ = within[-1]
        closing = after if after is not None else before + change
        credits, debits = (money(abs(m[1]) for m in within if m[1] * sign > 0) for sign in (1, -1))
        limits_of = [limit_of(limits, country, currency, day) for *_, country, day in within]
        found.append(
            {
                "account": account,
                "currency": currency,
                "transaction_count": len(within),
                "stated_count": len(stated),
                "opening_balance": opening,
                "credit_amount": credits,
                "debit_amount": debits,
                "closing_balance": closing,
                "difference_amount": closing - opening - credits + debits,
                "mismatch_count": sum(None not in m[2:4] and m[2] + m[1] != m[3] for m in within),
                "negative_count": sum(any(b is not None and b < 0 for b in m[2:4]) for m in within),
                "over_limit_count": sum(
                    None not in (m[3], limit) and m[3] > limit for m, limit in zip(within, limits_of, strict=True)
                ),
            }
        )
    return found


def trust(rows, day, statements):
    held = defaultdict(list)
    for (_, currency), moves in accounts_moved(rows).items():
        amount = None
        for _, change, before, after, *_ in moves:
            if before is not None or after is not None:
                amount = after if after is not None else before + change
            elif amount is not None:
                amount += change
        held[currency].append(amount)
    found = []
    for currency, amounts in held.items():
        known = [amount for amount in amounts if amount is not None]
        theirs = [one.amount for one in statements if (one.day, one.currency) == (day, currency)]
        if known or theirs:
            outstanding, in_trust = money(known), money(theirs) if theirs else None
            is_ratio = in_trust is not None and outstanding > 0
            found.append(
                {
                    "currency": currency,
                    "account_count": len(amounts),
                    "stated_count": len(known),
                    "outstanding_amount": outstanding,
                    "trust_amount": in_trust,
                    "trust_ratio": float(in_trust) / float(outstanding) if is_ratio else None,
                    "difference_amount": None if in_trust is None else in_trust - outstanding,
                }
            )
    return found


def failures(rows):
    def key_of_failure(row):
        reason = row.get("failure_reason") or "not stated"
        return (*customer_side(row), row["transaction_type"], row["currency"], reason)

    names = ("country", "operator", "transaction_type", "currency", "failure_reason")
    return [
        dict(zip(names, key, strict=True))
        | {
            "failed_count": len(group),
            "failed_amount": money(r["amount"] for r in group),
            "distinct_payers": len({r["debit_party"] for r in group}),
        }
        for key, group in grouped([r for r in rows if r["status"] == "failed"], key_of_failure).items()
    ]
