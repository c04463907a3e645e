import csv
import itertools
import re
import shlex
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import numpy as np
import orjson
import pytest

from jobs.errors import SettingsError
from producers.draws import DAY_MS, draw_transactions
from producers.markets import MARKETS
from producers.products import PRODUCTS, fee_minor
from producers.simulation import SimulationPlan, dummy_records, main, mixed_records, simulate

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data" / "transactions.json"
PLANTED = ROOT / "data" / "planted_fraud.ndjson"
# As in the docstring of `producers.simulation`.
DATA_COMMAND = shlex.split(
    "--seed 7 --events 4400 --dummy 700 --start 2026-03-27T10:00:00Z --hours 12 --peak 3 --fraud-per-million 20000"
)
PLAN = SimulationPlan(seed=3, start=datetime(2026, 3, 20, tzinfo=UTC), hours=240, events=20_000, dummies=300)
MINOR_UNITS = {market.currency: market.minor_units for market in MARKETS}


@pytest.fixture(scope="module")
def events():
    return list(simulate(PLAN))


@pytest.fixture(scope="module")
def finals(events):
    return [event for event in events if event["transactionStatus"] != "pending"]


@pytest.fixture(scope="module")
def contract():
    schema = orjson.loads((ROOT / "schemas" / "transaction_event.json").read_bytes())
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def event_time(record):
    if "transaction_time" in record:
        return datetime.fromisoformat(record["transaction_time"] + "+03:00")
    return datetime.fromisoformat(record.get("modificationDate", record["creationDate"]))


def parties(event):
    return [(party["key"], party["value"]) for side in ("debitParty", "creditParty") for party in event[side]]


def phone_numbers(records):
    for record in records:
        if "transaction_id" in record:
            yield from (record["sender_phone_number"], record["receiver_phone_number"])
        else:
            yield from (value for key, value in parties(record) if key == "msisdn")


def test_every_record_keeps_the_wire_contract(contract, events):
    assert [error.message for record in events for error in contract.iter_errors(record)] == []
    assert all(contract.is_valid(record) for record in dummy_records(PLAN))
    assert not contract.is_valid(events[0] | {"amount": "05"})


def test_a_plan_gives_as_many_events_and_dummies_as_it_says(events):
    assert len(events) == 20_000
    assert sum(1 for _ in dummy_records(PLAN)) == 300
    assert [sum(1 for _ in simulate(SimulationPlan(1, PLAN.start, 1, n))) for n in (0, 1, 2, 3)] == [0, 1, 2, 3]


def test_records_are_in_order_of_event_time():
    times = [event_time(record) for record in mixed_records(PLAN)]
    assert all(earlier <= later for earlier, later in itertools.pairwise(times))


def test_the_same_plan_gives_the_same_records_and_another_seed_others(events):
    assert list(simulate(PLAN)) == events
    other = SimulationPlan(4, PLAN.start, PLAN.hours, PLAN.events)
    references = {event["transactionReference"] for event in events}
    assert references.isdisjoint(event["transactionReference"] for event in simulate(other))


def test_a_transaction_is_pending_at_most_once_and_then_completed_or_failed_once(events):
    lives = defaultdict(list)
    for event in events:
        lives[event["transactionReference"]].append(event["transactionStatus"])
    assert {tuple(life) for life in lives.values()} == {
        ("pending", "completed"), ("pending", "failed"), ("completed",), ("failed",),
    }  # fmt: skip


def test_both_events_of_a_transaction_say_the_same_but_for_its_end(events):
    pending = {event["transactionReference"]: event for event in events if event["transactionStatus"] == "pending"}
    for event in events:
        if event["transactionStatus"] == "completed" and event["transactionReference"] in pending:
            first = pending[event["transactionReference"]]
            assert event.items() >= {**first, "transactionStatus": "completed"}.items()
            assert event_time(event) > event_time(first)


def test_nobody_pays_himself_and_nobody_pays_nothing(events):
    assert all(event["debitParty"] != event["creditParty"] for event in events)
    assert all(Decimal(event["amount"]) > 0 for event in events)
    assert all(dummy["sender_phone_number"] != dummy["receiver_phone_number"] for dummy in dummy_records(PLAN))


def test_amounts_and_fees_have_no_more_decimals_than_their_currency(events):
    for event in events:
        money = [(event["amount"], event["currency"])]
        money += [(fee["feeAmount"], fee["feeCurrency"]) for fee in event.get("fees", [])]
        for amount, currency in money:
            assert -Decimal(amount).as_tuple().exponent <= MINOR_UNITS[currency]
    assert any("." in event["amount"] for event in events)


def test_every_phone_number_has_the_length_of_its_country_and_a_known_operator(events):
    with (ROOT / "conf" / "reference" / "operators.csv").open() as file:
        countries = {row["prefix"]: row["country"] for row in csv.DictReader(file)}
    lengths = {market.country: market.msisdn_digits for market in MARKETS}
    for number in {number.removeprefix("+") for number in phone_numbers([*events, *dummy_records(PLAN)])}:
        country = next((countries[number[:n]] for n in (6, 5, 4) if number[:n] in countries), "unknown")
        assert len(number) == lengths.get(country)


def test_no_two_customers_of_a_market_share_a_number():
    for market in MARKETS:
        assert len({market.msisdn(customer) for customer in range(5_000)}) == 5_000


def test_each_type_is_between_the_parties_it_is_made_for(finals):
    sides = defaultdict(set)
    for event in finals:
        debit, credit = parties(event)
        sides[event["type"]].add((debit[0], credit[0]))
        if event["type"] == "deposit":
            assert re.fullmatch(r"AG-[A-Z]{2}-\d{5}", debit[1])
    assert sides["deposit"] == {("identityalias", "msisdn")}
    assert sides["withdrawal"] == {("msisdn", "identityalias")}
    assert sides["merchantpay"] == {("msisdn", "identityalias"), ("msisdn", "storeid")}
    assert sides["billpay"] == {("msisdn", "serviceprovider")}
    assert sides["disbursement"] == {("organisationid", "msisdn")}
    assert sides["transfer"] == sides["inttransfer"] == {("msisdn", "msisdn")}


def test_a_reversal_returns_a_completed_transaction_to_its_payer_once(events):
    completed = {event["transactionReference"]: event for event in events if event["transactionStatus"] == "completed"}
    reversals = [event for event in completed.values() if event["type"] == "reversal"]
    assert len(reversals) > 20
    assert len({event["originalTransactionReference"] for event in reversals}) == len(reversals)
    for event in reversals:
        original = completed[event["originalTransactionReference"]]
        assert [key_and_number[1].lstrip("+") for key_and_number in parties(event)] == [
            key_and_number[1].lstrip("+") for key_and_number in reversed(parties(original))
        ]
        assert (event["amount"], event["currency"]) == (original["amount"], original["currency"])
        assert datetime.fromisoformat(event["creationDate"]) > event_time(original)


def test_an_international_transfer_names_two_countries_and_the_payers_is_the_origin(events):
    calling_codes = {market.country: market.prefixes[0][:3] for market in MARKETS}
    transfers = [event for event in events if event["type"] == "inttransfer"]
    assert {event["subType"] for event in transfers} == {"in", "out"}
    for event in transfers:
        route = event["internationalTransferInformation"]
        assert route["originCountry"] != route["receivingCountry"]
        assert event["debitParty"][0]["value"].lstrip("+").startswith(calling_codes[route["originCountry"]])


def test_a_failed_event_names_its_error_and_costs_nothing(finals):
    failed = [event for event in finals if event["transactionStatus"] == "failed"]
    assert 0.03 < len(failed) / len(finals) < 0.05
    assert all("errorCode" in {pair["key"] for pair in event["metadata"]} for event in failed)
    assert not any("fees" in event for event in failed)


def test_the_evening_is_the_peak_the_night_the_floor_and_payday_the_busiest(finals):
    hours, days = Counter(), Counter()
    for event in finals:
        if event["creationDate"].endswith("+03:00"):
            hours[event["creationDate"][11:13]] += 1
            days[event["creationDate"][:10]] += 1
    evening = sum(hours[f"{hour}"] for hour in range(18, 22))
    assert 0.4 < evening / hours.total() < 0.52
    assert 0 < hours["04"] < hours.total() / 24 / 2
    assert days["2026-03-26"] > 1.2 * days["2026-03-23"]


def test_a_few_billers_and_agents_take_a_large_share(finals):
    for kind, least in (("BIL-UG", 0.2), ("AG-UG", 0.03)):
        traffic = Counter(value for event in finals for _, value in parties(event) if value.startswith(kind))
        assert traffic.most_common(1)[0][1] / traffic.total() > least


def test_cash_is_mostly_taken_out_in_the_town_where_the_customer_lives():
    drawn = draw_transactions(PLAN)
    towns = np.array([len(market.places) for market in MARKETS])[drawn.market]
    is_asked = np.array([product.sub_type == "cash_out" for product in PRODUCTS])[drawn.product] & (towns > 1)
    at_home = (drawn.payer % towns == drawn.payee % towns)[is_asked]

    assert 0.88 < at_home.mean() < 0.97


def test_nobody_takes_out_cash_in_two_towns_on_one_day():
    drawn = draw_transactions(replace(PLAN, customers=60))
    towns = np.array([len(market.places) for market in MARKETS])[drawn.market]
    of_day = defaultdict(set)
    for place in np.flatnonzero(np.array([product.sub_type == "cash_out" for product in PRODUCTS])[drawn.product]):
        day = drawn.start_ms[place] // DAY_MS
        of_day[drawn.market[place], drawn.payer[place], day].add(drawn.payee[place] % towns[place])

    # Enough customers did it twice on one day, or there is nothing to see.
    assert len(of_day) < 0.8 * sum(1 for product in drawn.product if PRODUCTS[product].sub_type == "cash_out")
    assert {len(found) for found in of_day.values()} == {1}


def test_amounts_are_of_the_size_that_uganda_reports(finals):
    amounts = [int(event["amount"]) for event in finals if event["currency"] == "UGX"]
    assert 25_000 < sum(amounts) / len(amounts) < 48_000


def test_a_kenyan_fee_is_the_band_of_the_tariff_edges_included():
    kenya = next(market for market in MARKETS if market.country == "KE")
    by_type = {product.type: product for product in reversed(PRODUCTS)}

    def fees(type_, *amounts_kes):
        return [fee_minor(by_type[type_], kenya, round(kes * 100)) / 100 for kes in amounts_kes]

    assert fees("transfer", 100, 101, 500, 500.01, 250_000) == [0, 7, 7, 13, 108]
    assert fees("withdrawal", 100, 101, 2_500, 2_501) == [11, 29, 29, 52]
    assert fees("deposit", 1_000) == [0]


def test_a_start_without_a_zone_and_a_plan_without_hours_are_refused():
    with pytest.raises(SettingsError, match="no time zone"):
        SimulationPlan(1, datetime(2026, 3, 27), 1, 1)
    with pytest.raises(SettingsError, match="hours is 0"):
        SimulationPlan(1, PLAN.start, 0, 1)


def test_a_wrong_start_ends_the_command_with_one_sentence(tmp_path, capsys):
    assert main(["--start", "yesterday", "--output", str(tmp_path / "data.json")]) == 64
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["--start", "2026-03-27T00:00:00Z", "--output", str(tmp_path)]) == 64


def test_the_committed_data_is_what_its_command_writes(tmp_path):
    data, planted = tmp_path / "transactions.json", tmp_path / "planted.ndjson"

    assert main([*DATA_COMMAND, "--fraud-manifest", str(planted), "--output", str(data)]) == 0

    assert data.read_bytes() == DATA.read_bytes()
    assert planted.read_bytes() == PLANTED.read_bytes()


def test_the_committed_data_begins_with_the_dummy_record_and_has_one_record_a_line(contract):
    lines = DATA.read_text().splitlines()
    records = orjson.loads(DATA.read_bytes())
    assert [orjson.loads(line.rstrip(",")) for line in lines[1:-1]] == records
    assert contract.is_valid(records[0])
    assert {"sender_phone_number": "256777123456", "transaction_amount": 100000}.items() <= records[0].items()
    assert records[0]["transaction_time"] == "2023-04-19 12:00:00"
    assert DATA.stat().st_size < 2_000_000


def test_the_committed_data_has_no_key_twice():
    records = orjson.loads(DATA.read_bytes())
    keys = [(r.get("transactionReference", r.get("transaction_id")), r.get("transactionStatus")) for r in records]
    assert len(set(keys)) == len(keys) == 5_343


def test_the_reference_tables_have_no_key_twice_and_agree():
    with (ROOT / "conf" / "reference" / "operators.csv").open() as file:
        operators = list(csv.DictReader(file))
    with (ROOT / "conf" / "reference" / "countries.csv").open() as file:
        countries = {row["calling_code"]: row["country"] for row in csv.DictReader(file)}
    assert len({row["prefix"] for row in operators}) == len(operators)
    assert all(re.fullmatch(r"\d{4,6}", row["prefix"]) and row["operator"] for row in operators)
    assert all(countries[row["prefix"][:3]] == row["country"] for row in operators)
