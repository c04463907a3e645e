"""Tokens by Spark's generated code and by Python are the same, and the key is in no plan."""

import base64
from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from jobs.key_ring import new_ring
from jobs.msisdn import read_number_plan
from jobs.tokens import same_person, same_token, silver_party, token
from tests.builders import RING, agent_cash, bronze_rows, gsma, silver_rows
from tests.frames import assert_rows

PLAN = read_number_plan()
NOW, THEN = datetime(2026, 3, 27, 17, 59, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC)


def party(key, value):
    return [{"key": key, "value": value}]


# Written so, at this time; and what the token is made of, None where there is no token.
PARTIES = {
    "a phone": (party("msisdn", "256777123456"), NOW, "256777123456"),
    "a phone with a plus and blanks": (party("msisdn", "+256 777 123456"), NOW, "256777123456"),
    "a phone as it is dialled from abroad": (party("msisdn", "00256777123456"), NOW, "256777123456"),
    "a phone with the zero of home": (party("msisdn", "2560777123456"), NOW, "256777123456"),
    "a phone of ten digits after a code of two": (party("msisdn", "2001012345678"), NOW, "201012345678"),
    "a phone without a calling code": (party("msisdn", "0777123456"), NOW, "0777123456"),
    "a phone of nobody's country": (party("msisdn", "999999999"), NOW, "999999999"),
    "Orange of Abidjan before 2021": (party("msisdn", "22507712345"), THEN, "2250707712345"),
    "MTN of Abidjan before 2021": (party("msisdn", "22545712345"), THEN, "2250545712345"),
    "Moov of Abidjan before 2021": (party("msisdn", "0022572712345"), THEN, "2250172712345"),
    "Abidjan in today's form": (party("msisdn", "2250707712345"), NOW, "2250707712345"),
    "Abidjan in the old form today": (party("msisdn", "22507712345"), NOW, "22507712345"),
    "Cotonou before 2024": (party("msisdn", "22997123456"), THEN, "2290197123456"),
    "a wallet named by its phone": (party("walletid", "+256 777 123456"), NOW, "256777123456"),
    "an agent named by a phone": (party("identityalias", "256777123456"), NOW, "256777123456"),
    "a wallet": (party("walletid", "W-1"), NOW, "walletid:W-1"),
    "a person's name": (party("bankaccounttitle", "Grace Nakato"), NOW, "bankaccounttitle:Grace Nakato"),
    "a key that nobody knows": (party("256777123456", "Grace:1"), NOW, "256777123456:Grace:1"),
    "an agent": (party("identityalias", "AG-1"), NOW, None),
    "a till of ten digits": (party("storeid", "2203012345"), NOW, None),
    "a merchant with a colon": (party("storeid", "a:erased"), NOW, None),
    "somebody who was erased": (party("walletid", "erased"), NOW, None),
}


def records(side):
    return [
        gsma(**{f"{side}Party": parties, "creationDate": at.isoformat().replace("+00:00", "Z")})
        for parties, at, _ in PARTIES.values()
    ]


@pytest.mark.parametrize("side", ["debit", "credit"])
def test_a_person_has_one_token_however_written(spark, side):
    rows = silver_rows(spark, records(side)).select("offset", f"{side}_token")

    tokens = [subject and RING.token(subject) for _, _, subject in PARTIES.values()]
    assert_rows(rows, list(enumerate(tokens)))


def test_python_makes_of_a_party_what_spark_does(spark):
    parties = records("debit")
    in_bronze = [row.debit_party for row in bronze_rows(spark, parties).sort("offset").collect()]
    in_silver = silver_rows(spark, parties).select("offset", "debit_party")

    made = [
        silver_party(text, at, PLAN, RING.token) for text, (_, at, _) in zip(in_bronze, PARTIES.values(), strict=True)
    ]
    assert_rows(in_silver, list(enumerate(made)))
    assert made[list(PARTIES).index("a key that nobody knows")].startswith("other:k1_")
    assert made[list(PARTIES).index("an agent")] == "identityalias:AG-1"
    assert made[list(PARTIES).index("somebody who was erased")] == "walletid:erased"


def test_an_agent_who_goes_by_a_phone_number_has_its_token(spark):
    agents = ["AG-1", "256777999111"]
    rows = silver_rows(spark, [agent_cash("withdrawal", agent, "256777000001") for agent in agents])

    assert_rows(rows.select("agent_id"), [("AG-1",), (RING.token("256777999111"),)])


def test_what_breaks_a_rule_has_no_token_and_does_not_pass(spark):
    letters, long = party("msisdn", "25677x123456"), party("identityalias", "A" * 256)
    rows = silver_rows(spark, [gsma(debitParty=letters, creditParty=long), gsma(debitParty=None)])

    shown = rows.select("debit_party", "debit_token", "credit_party", "credit_token")
    payee = "256751234567"
    assert_rows(shown, [("msisdn:", None, None, None), (None, None, f"msisdn:{RING.token(payee)}", RING.token(payee))])


def test_parties_are_told_apart_as_far_as_tokens_can():
    grace, john, other_key = f"msisdn:{RING.token('1')}", f"msisdn:{RING.token('2')}", "msisdn:k2_" + "a" * 26

    assert same_token(grace, grace)
    assert not same_token(grace, john)
    assert not same_token(grace, "storeid:1")
    assert same_token(grace, other_key)
    assert same_token("msisdn:erased", john)
    assert same_token(None, None)


def test_parties_of_bronze_are_the_same_in_any_spelling():
    assert same_person("msisdn:256777123456", "msisdn:2560777123456", NOW, PLAN)
    assert same_person("msisdn:22997123456", "msisdn:2290197123456", THEN, PLAN)
    assert not same_person("msisdn:22997123456", "msisdn:2290197123456", NOW, PLAN)
    assert not same_person("msisdn:256777123456", "walletid:256777123456", NOW, PLAN)
    assert same_person("msisdn:erased", "msisdn:256777123456", NOW, PLAN)


def test_the_key_is_in_no_plan_and_in_no_code(spark):
    ring = new_ring()
    secret = ring.keys["k1"].secret
    rows = spark.range(3).select(token(F.col("id").cast("string"), ring).alias("token"))
    assert_rows(rows, [(ring.token(str(i)),) for i in range(3)])

    execution = rows._jdf.queryExecution()
    code = execution.debug().codegenToSeq().toString()
    plans = [execution.toString(), execution.logical().toJSON(), execution.executedPlan().toJSON()]
    plans += [execution.explainString(mode) for mode in modes(spark)]
    shown = "\n".join([code, *plans]).lower()
    assert "hmacsha256" in shown
    encoded = [secret.hex(), base64.b64encode(secret).decode(), base64.b32encode(secret).decode(), str(list(secret))]
    assert [form for form in encoded if form.lower() in shown] == []


def modes(spark):
    explain = spark._jvm.org.apache.spark.sql.execution.ExplainMode
    return [explain.fromString(name) for name in ("simple", "extended", "codegen", "cost", "formatted")]


def test_a_ring_shows_no_secret():
    ring = new_ring()

    assert str(ring.keys["k1"].secret) not in repr(ring)
