"""Tokens: what stands for a person outside of bronze.

A party is a business, whose alias is public, or a person. Of a person silver has a token: the same for each spelling
of a phone number, whatever the party calls it; of any other identifier that of the whole `key:value`. What columns do
here, `silver_party` does for one text: so `momo reconcile` and `momo erase` know silver's rows by those of bronze.
"""

import re
from collections.abc import Callable
from datetime import datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.key_ring import TOKEN, KeyRing
from jobs.keyed_hash import base32_hmac
from jobs.msisdn import NUMBER, NumberPlan, digits_of
from jobs.rules import LONGEST_TEXT

PHONE = "msisdn"
# Of the identifiers that GSMA names, those of agents, merchants and companies.
BUSINESSES = ("identityalias", "organisationid", "serviceprovider", "storeid")
PERSONS = (
    "accountcategory", "accountid", "accountrank", "bankaccountno", "bankaccounttitle", "bankname", "consumerno",
    "emailaddress", "iban", "linkref", "mandatereference", "sortcode", "swiftbic", "username", "walletid",
)  # fmt: skip
# A party whose key GSMA does not name: the key is the sender's own text, and may itself be a number.
OTHER = "other"
# Stands where a person was erased.
ERASED = "erased"
# Under another name than msisdn, shorter ones are tills and accounts more often than phone numbers.
LEAST_DIGITS = 11

_SIDES = ("debit", "credit")


def canonical_numbers(plan: NumberPlan) -> dict[str, Column]:
    """The parties' phone numbers in today's spelling."""
    return {f"{side}_msisdn": plan.canonical(F.col(f"{side}_msisdn"), F.col("event_time")) for side in _SIDES}


def person_tokens(plan: NumberPlan, ring: KeyRing) -> dict[str, Column]:
    """`debit_token` and `credit_token` by canonical numbers; null for a business and for who was erased."""
    return {f"{side}_token": token(_subject(side, plan), ring) for side in _SIDES}


def token(text: Column, ring: KeyRing) -> Column:
    """The token of a text by the active key; null for null."""
    return F.concat(F.lit(f"{ring.active}_"), base32_hmac(text, ring.keys[ring.active].secret))


def tokenised_parties() -> dict[str, Column]:
    """The parties, and the agent, with the token columns in place of persons.

    What breaks a rule would not be seen behind a token: of a number that is none there is the key alone, and a party
    that is too long is null.
    """
    return {**{f"{side}_party": _party(side) for side in _SIDES}, "agent_id": _agent_id()}


def _subject(side: str, plan: NumberPlan) -> Column:
    """What the token is made of: a number, or `key:value` of another person; null when there is no person."""
    number, party = F.col(f"{side}_msisdn"), F.col(f"{side}_party")
    return F.when(number.rlike(rf"\A{NUMBER}\z"), number).when(number.isNull(), _other_subject(party, plan))


def _other_subject(party: Column, plan: NumberPlan) -> Column:
    key, value = _key(party), _value(party)
    close = F.replace(value, F.lit(" "), F.lit(""))
    digits = F.when(close.startswith("+"), F.substring(close, 2, LONGEST_TEXT)).otherwise(close)
    number = F.when(F.length(digits) >= LEAST_DIGITS, plan.known(digits, F.col("event_time")))
    is_person = ~key.isin(*BUSINESSES) & (value != ERASED)
    return F.coalesce(number, F.when(is_person, party))


def _party(side: str) -> Column:
    party, number, person = (F.col(f"{side}_{what}") for what in ("party", "msisdn", "token"))
    key = F.when(_key(party).isin(PHONE, *BUSINESSES, *PERSONS), _key(party)).otherwise(OTHER)
    shown = (
        F.when(person.isNotNull() & number.isNotNull(), F.concat(F.lit(f"{PHONE}:"), person))
        .when(person.isNotNull(), F.concat(key, F.lit(":"), person))
        .when(_value(party) == ERASED, F.concat(key, F.lit(f":{ERASED}")))
        .when(number.isNull(), party)
        .otherwise(F.lit(f"{PHONE}:"))
    )
    return F.when(F.length(party) <= LONGEST_TEXT, shown)


def _agent_id() -> Column:
    """An agent that goes by a phone number, or is a person, by its token."""
    is_deposit, is_withdrawal = (F.col("transaction_type") == type_ for type_ in ("deposit", "withdrawal"))
    person = F.when(is_deposit, F.col("debit_token")).when(is_withdrawal, F.col("credit_token"))
    return F.when(F.col("agent_id").isNotNull(), F.coalesce(person, F.col("agent_id")))


def _key(party: Column) -> Column:
    return F.substring_index(party, ":", 1)


def _value(party: Column) -> Column:
    return F.substring(party, F.length(_key(party)) + 2, F.lit(LONGEST_TEXT))


def silver_party(party: str | None, at: datetime, plan: NumberPlan, tokenise: Callable[[str], str]) -> str | None:
    """What silver says of a party of bronze, at the time of its event."""
    if party is None or len(party) > LONGEST_TEXT:
        return None
    key, _, value = party.partition(":")
    subject = _subject_of(party, at, plan)
    if subject is not None:
        return f"{shown_key(key)}:{tokenise(subject)}"
    if value == ERASED:
        return f"{shown_key(key)}:{ERASED}"
    return party if key != PHONE else f"{PHONE}:"


def same_person(party: str | None, other: str | None, at: datetime, plan: NumberPlan) -> bool:
    """Whether two parties of bronze are the same in any spelling; nobody can tell of one who was erased."""
    known = [silver_party(one, at, plan, str) for one in (party, other)]
    return known[0] == known[1] or _is_erased(*known)


def same_token(party: str | None, other: str | None) -> bool:
    """Whether two parties of silver are the same; nobody can tell by tokens of two keys, or of one who was erased."""
    made = [re.search(f":{TOKEN}$", one or "") for one in (party, other)]
    by_other_keys = bool(made[0] and made[1] and made[0][1] != made[1][1])
    return party == other or by_other_keys or _is_erased(party, other)


def _is_erased(*parties: str | None) -> bool:
    return any((party or "").endswith(f":{ERASED}") for party in parties)


def shown_key(key: str) -> str:
    """What a party's key is called outside of bronze."""
    return key if key in (PHONE, *BUSINESSES, *PERSONS) else OTHER


def _subject_of(party: str, at: datetime, plan: NumberPlan) -> str | None:
    key, _, value = party.partition(":")
    if key == PHONE:
        return plan.canonical_text(value, at) if re.fullmatch(NUMBER, value) else None
    digits = digits_of(value)
    number = plan.known_text(digits, at) if len(digits) >= LEAST_DIGITS else None
    is_person = key not in BUSINESSES and value != ERASED
    return number or (party if is_person else None)
