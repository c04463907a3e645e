"""Planted fraud: each case is what its typology says, nothing of it is on the wire, and the rest stays what it is."""

import dataclasses
import itertools
import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from jobs.errors import SettingsError
from producers.markets import MARKETS
from producers.simulation import SimulationPlan, fraud_manifest, main, simulate
from producers.typologies.planting import TYPOLOGIES

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 1, 10, tzinfo=UTC)
# Long enough for an account to fall asleep, and with a few cases of each kind.
PLAN = SimulationPlan(seed=5, start=START, hours=24 * 110, events=20_000, fraud_per_million=40_000)
SHORT = SimulationPlan(seed=5, start=START, hours=12, events=3_000, fraud_per_million=20_000)
LARGEST = {market.currency: market.largest_amount for market in MARKETS}


@pytest.fixture(scope="module")
def events():
    return list(simulate(PLAN))


@pytest.fixture(scope="module")
def cases():
    return list(fraud_manifest(PLAN))


@pytest.fixture(scope="module")
def finals(events):
    return {event["transactionReference"]: event for event in events if event["transactionStatus"] == "completed"}


@pytest.fixture(scope="module")
def before(finals):
    """A party and an event → the party's completed events before it."""
    of_party = defaultdict(list)
    for event in finals.values():
        for party in (payer(event), payee(event)):
            of_party[party].append(event)
    return lambda party, event: [other for other in of_party[party] if begun(other) < begun(event)]


@pytest.fixture(scope="module")
def played(cases, finals):
    """Typology → its cases, each as its completed events in order."""
    by_typology = defaultdict(list)
    for case in cases:
        by_typology[case["typology"]].append([finals[reference] for reference in case["transaction_references"]])
    return by_typology


def begun(event):
    return datetime.fromisoformat(event["creationDate"])


def payer(event):
    return event["debitParty"][0]["value"].removeprefix("+")


def payee(event):
    return event["creditParty"][0]["value"].removeprefix("+")


def amount(event):
    return Decimal(event["amount"])


def span(case):
    return begun(case[-1]) - begun(case[0])


def test_without_fraud_the_records_are_the_ordinary_ones_alone():
    plan = dataclasses.replace(SHORT, fraud_per_million=0)

    assert list(fraud_manifest(plan)) == []
    assert sum(1 for _ in simulate(plan)) == plan.events


def test_the_ordinary_records_stay_what_they_are_among_planted_ones():
    mixed = {orjson.dumps(event) for event in simulate(SHORT)}

    assert {orjson.dumps(event) for event in simulate(dataclasses.replace(SHORT, fraud_per_million=0))} < mixed


def test_the_same_plan_plants_the_same_cases_and_another_seed_others(cases):
    assert list(fraud_manifest(PLAN)) == cases
    assert list(simulate(SHORT)) == list(simulate(SHORT))
    other = list(fraud_manifest(dataclasses.replace(PLAN, seed=6)))
    assert other and not {case["first_event_time"] for case in other} & {case["first_event_time"] for case in cases}


def test_so_many_of_a_million_transactions_are_fraud_as_were_asked_for(cases, finals):
    planted = sum(len(case["transaction_references"]) for case in cases)

    assert planted / len(finals) == pytest.approx(0.04, rel=0.1)


def test_a_share_of_less_than_a_case_is_planted_by_chance():
    planted = [
        sum(len(case["transaction_references"]) for case in fraud_manifest(plan))
        for plan in (
            dataclasses.replace(SHORT, seed=seed, events=1_000, fraud_per_million=1_000) for seed in range(200)
        )
    ]

    # A thousandth of some 560 transactions, on average.
    assert planted.count(0) > 150
    assert 0.2 < sum(planted) / len(planted) < 1.1


def test_every_typology_is_planted(cases):
    assert {case["typology"] for case in cases} == set(TYPOLOGIES)


def test_an_account_cannot_fall_asleep_within_a_short_stretch():
    short = {case["typology"] for case in fraud_manifest(dataclasses.replace(SHORT, fraud_per_million=50_000))}

    assert short == set(TYPOLOGIES) - {"dormant_account"}


def test_planted_records_keep_the_wire_contract_and_the_order_of_time(events):
    schema = orjson.loads((ROOT / "schemas" / "transaction_event.json").read_bytes())
    contract = jsonschema_rs.validator_for(schema, validate_formats=True)
    times = [datetime.fromisoformat(event.get("modificationDate", event["creationDate"])) for event in events]

    assert all(contract.is_valid(event) for event in events)
    assert all(earlier <= later for earlier, later in itertools.pairwise(times))
    assert all(payer(event) != payee(event) for event in events)


def test_cases_end_within_the_plan():
    ends = [datetime.fromisoformat(case["last_event_time"]) for case in fraud_manifest(SHORT)]

    assert max(ends) <= SHORT.start + timedelta(hours=SHORT.hours, minutes=1)


def test_nothing_on_the_wire_says_what_is_planted(events, cases):
    wire = b"\n".join(orjson.dumps(event) for event in events)

    assert not any(name.encode() in wire for name in TYPOLOGIES)
    assert not any(case["case_id"].encode() in wire for case in cases)
    assert b"fraud" not in wire


def test_no_field_and_no_sub_type_is_of_planted_records_alone(events, cases):
    planted = {reference for case in cases for reference in case["transaction_references"]}
    shapes = {
        is_planted: {
            (event["type"], event.get("subType"), frozenset(event) - {"descriptionText"})
            for event in events
            if (event["transactionReference"] in planted) == is_planted
        }
        for is_planted in (True, False)
    }

    assert shapes[True] <= shapes[False]


def test_the_manifest_names_no_person_and_each_transaction_once(cases, events):
    numbers = {value for event in events for value in (payer(event), payee(event)) if value.isdigit()}
    text = orjson.dumps(cases).decode()
    named = [reference for case in cases for reference in case["transaction_references"]]

    assert not any(number in text for number in numbers)
    assert len(set(named)) == len(named)
    assert len({case["case_id"] for case in cases}) == len(cases)


def test_a_case_lasts_from_its_first_event_to_its_last(cases, events):
    times = defaultdict(list)
    for event in events:
        times[event["transactionReference"]].append(
            datetime.fromisoformat(event.get("modificationDate", event["creationDate"]))
        )
    for case in cases:
        of_case = [time for reference in case["transaction_references"] for time in times[reference]]
        assert datetime.fromisoformat(case["first_event_time"]) == min(of_case)
        assert datetime.fromisoformat(case["last_event_time"]) == max(of_case)


def test_split_deposits_are_of_one_agent_and_customer_and_near_each_other(played):
    for case in played["split_transaction"]:
        assert {event["type"] for event in case} == {"deposit"}
        assert len({(payer(event), payee(event)) for event in case}) == 1
        assert 2 <= len(case) <= 6
        assert span(case) <= timedelta(minutes=25)
        assert max(map(amount, case)) <= min(map(amount, case)) * Decimal("1.3")


def test_structuring_stays_under_the_limit_and_comes_near_it(played):
    for case in played["structuring"]:
        limit = LARGEST[case[0]["currency"]]
        assert all(Decimal("0.8") * limit <= amount(event) < limit for event in case)
        assert len({payee(event) for event in case}) == 1
        assert len({payer(event) for event in case}) > 1
        assert span(case) <= timedelta(days=1)


def test_a_mule_is_paid_by_five_or_more_and_pays_nearly_all_out(played):
    for case in played["mule_account"]:
        ins = [event for event in case if event["type"] == "transfer"]
        outs = [event for event in case if event["type"] == "withdrawal"]
        mule = payee(ins[0])
        assert len({payer(event) for event in ins}) == len(ins) >= 5
        assert {payee(event) for event in ins} == {payer(event) for event in outs} == {mule}
        assert begun(outs[0]) > begun(ins[-1])
        assert sum(map(amount, outs)) > Decimal("0.7") * sum(map(amount, ins))


def test_a_fan_out_pays_six_or_more_within_hours(played):
    for case in played["fan_out"]:
        assert len({payer(event) for event in case}) == 1
        assert len({payee(event) for event in case}) == len(case) >= 6
        assert span(case) <= timedelta(hours=2)


def test_layers_pass_on_what_came_in_within_minutes_and_some_keep_a_commission(played):
    passed = []
    for case in played["rapid_in_out"]:
        for came, went in itertools.pairwise(case):
            assert payee(came) == payer(went)
            assert timedelta(minutes=2) <= begun(went) - begun(came) <= timedelta(minutes=30)
            if went["type"] == "transfer":
                passed.append(float(amount(went) / amount(came)))
    whole, less_commission = [p for p in passed if p >= 0.97], [p for p in passed if 0.87 <= p <= 0.94]
    assert whole and less_commission and len(whole) + len(less_commission) == len(passed)


def test_an_agent_loop_ends_where_it_began(played):
    for case in played["agent_loop"]:
        assert all(payee(came) == payer(went) for came, went in itertools.pairwise(case))
        assert payee(case[-1]) == payer(case[0])
        assert all(payer(event).startswith("AG-") for event in case)


def test_a_takeover_drains_to_strangers_most_of_what_came_in(played, before):
    for case in played["account_takeover"]:
        victim = payer(case[0])
        came_in = sum(amount(event) for event in before(victim, case[0]) if payee(event) == victim)
        paid_before = {payee(event) for event in before(victim, case[0])}
        assert Decimal("0.8") < sum(map(amount, case)) / came_in < 1
        assert not paid_before & {payee(event) for event in case}
        assert span(case) <= timedelta(minutes=15)


def test_a_burst_is_faster_than_a_person(played):
    for case in played["velocity_burst"]:
        assert len({payer(event) for event in case}) == 1
        assert len(case) >= 8
        assert span(case) / len(case) < timedelta(seconds=25)


def test_an_exceptional_amount_is_many_times_all_before(played, before):
    for (event,) in played["exceptional_amount"]:
        paid = [amount(earlier) for earlier in before(payer(event), event)]
        assert len(paid) >= 8
        assert amount(event) > 4 * max(paid)


def test_duplicates_say_the_same_under_another_reference(played):
    for case in played["duplicate_payment"]:
        assert len(case) >= 2
        assert len({(payer(event), payee(event), event["amount"], event["type"]) for event in case}) == 1


def test_nobody_travels_from_town_to_town_within_minutes(played):
    for case in played["impossible_travel"]:
        assert len({payer(event) for event in case}) == 1
        for one, other in itertools.pairwise(case):
            (x1, y1), (x2, y2) = (map(float, event["geoCode"].split(",")) for event in (one, other))
            kilometres = math.hypot(x1 - x2, (y1 - y2) * math.cos(math.radians(x1))) * 111
            hours = (begun(other) - begun(one)) / timedelta(hours=1)
            assert kilometres / hours > 120


def test_a_reversal_comes_after_the_money_was_taken_out(played):
    for sent, out, claimed in played["reversal_scam"]:
        assert claimed["originalTransactionReference"] == sent["transactionReference"]
        assert (claimed["type"], claimed["amount"]) == ("reversal", sent["amount"])
        assert (payer(out), payee(claimed)) == (payee(sent), payer(sent))
        assert begun(sent) < begun(out) < begun(claimed)


def test_a_dormant_account_was_quiet_for_more_than_ninety_days(played, before):
    for case in played["dormant_account"]:
        owner = payee(case[0])
        times = [begun(event) for event in before(owner, case[0])]
        assert times and begun(case[0]) - max(times) > timedelta(days=90)
        assert {payer(event) for event in case[1:]} == {owner}


def test_cases_of_one_typology_differ(played):
    for typology, of_typology in played.items():
        shapes = {(span(case), *(event["amount"] for event in case)) for case in of_typology}
        assert len(shapes) > len(of_typology) / 2, typology


def test_the_command_writes_the_manifest_before_it_writes_a_record(tmp_path, capsys):
    arguments = ["--events", "2000", "--dummy", "0", "--start", "2026-03-27T00:00:00Z", "--fraud-per-million", "20000"]
    manifest = tmp_path / "cases.ndjson"
    # A folder cannot be written to.
    assert main([*arguments, "--fraud-manifest", str(manifest), "--output", str(tmp_path)]) == 64
    kept = manifest.read_bytes()
    assert main([*arguments, "--fraud-manifest", str(manifest), "--output", str(tmp_path / "data.json")]) == 0
    cases = [orjson.loads(line) for line in kept.splitlines()]
    sent = {record["transactionReference"] for record in orjson.loads((tmp_path / "data.json").read_bytes())}

    assert manifest.read_bytes() == kept
    assert cases and {reference for case in cases for reference in case["transaction_references"]} <= sent


def test_a_manifest_of_nothing_and_too_much_fraud_are_refused(tmp_path, capsys):
    arguments = ["--start", "2026-03-27T00:00:00Z", "--output", str(tmp_path / "data.json")]

    assert main([*arguments, "--fraud-manifest", str(tmp_path / "cases.ndjson")]) == 64
    assert "--fraud-per-million" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="fraud_per_million is 600,000"):
        dataclasses.replace(SHORT, fraud_per_million=600_000)
