"""The reference tables of the business: what they say, and that what they would leave open is refused."""

import shutil
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jobs import rules
from jobs.alerts.facts import read_facts, ten_thousandths
from jobs.errors import SettingsError
from jobs.insights.reference import read_reference
from jobs.msisdn import REFERENCE
from jobs.settings import ROOT
from producers import directory
from producers.products import TRANSFER_TARIFF, WITHDRAWAL_TARIFF
from producers.simulation import SimulationPlan, simulate


@pytest.fixture(scope="module")
def reference():
    return read_reference()


@pytest.fixture
def folder(tmp_path):
    """A copy of the tables, to be spoiled."""
    return shutil.copytree(REFERENCE, tmp_path / "reference")


def aliases(plan):
    """Each party of a simulation that is no phone."""
    return {
        event[side][0]["value"]
        for event in simulate(plan)
        for side in ("debitParty", "creditParty")
        if event[side][0]["key"] != "msisdn"
    }


def test_the_bands_are_those_that_the_dummy_data_is_charged_by(reference):
    for type_, published in (("transfer", TRANSFER_TARIFF), ("withdrawal", WITHDRAWAL_TARIFF)):
        bands = [band for band in reference.tariffs if band.transaction_type == type_]

        assert {(band.max_amount, band.fixed) for band in bands} >= {
            (Decimal(most), Decimal(fee)) for most, fee in published
        }
        assert bands[-1].max_amount == published[-1][0]


def test_the_minor_units_are_those_of_the_row_rules(reference):
    units = reference.minor_units

    assert {code for code in units if units[code] == 0} == set(rules.NO_MINOR_UNIT)
    assert {code for code in units if units[code] == 3} == set(rules.THREE_DECIMALS)
    assert set(units.values()) == {0, 2, 3}


def test_agents_and_merchants_are_those_of_the_simulation(reference):
    assert (REFERENCE / "agents.csv").read_text() == directory.agents(), "run python -m producers.directory"
    assert (REFERENCE / "merchants.csv").read_text() == directory.merchants(), "run python -m producers.directory"

    plan = SimulationPlan(seed=3, start=datetime(2026, 3, 27, tzinfo=UTC), hours=24, events=3000)
    known = {agent.agent_id for agent in reference.agents} | {one.merchant_id for one in reference.merchants}
    met = {alias for alias in aliases(plan) if not alias.startswith("ORG-")}
    assert met <= known
    assert len(met) > 300


def test_the_rules_of_alerts_know_the_bands_and_limits_that_are_published(reference):
    facts = read_facts(ROOT / "conf" / "rules")

    deposits = [band for band in reference.commissions if band.transaction_type == "deposit"]
    assert {band.currency for band in deposits} == {"KES"}
    assert {ten_thousandths(band.max_amount) for band in deposits} <= set(facts.commission_tops["KES"])
    published = defaultdict(set)
    for limit in reference.limits:
        published[limit.currency] |= {
            ten_thousandths(most) for most in (limit.per_txn, limit.daily, limit.balance) if most
        }
    assert sorted(published) == ["GHS", "KES", "XOF"]
    assert [currency for currency in published if facts.limit[currency] not in published[currency]] == []


def test_ghanas_levy_ends_where_its_law_was_repealed(reference):
    levies = [tax for tax in reference.taxes if tax.country == "GH"]

    assert [(str(tax.rate), str(tax.valid_from), str(tax.valid_to)) for tax in levies] == [
        ("0.015", "2022-05-01", "2022-12-31"),
        ("0.01", "2023-01-01", "2025-04-01"),
    ]


STATED = "day,bank,currency,amount,source"


def spoiled(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("tariffs.csv", "KES,49.01,100,", "KES,49.02,100,", "line 9: min_amount is 49.02, which leaves a gap after line 8: 49.01 is expected."),
        ("tariffs.csv", "KES,49.01,100,", "KES,49,100,", "line 9: min_amount is 49, which overlaps line 8: 49.01 is expected."),
        ("tariffs.csv", "KES,49.01,100,", "KES,49.001,100,", "line 9: min_amount is 49.001, but the smallest unit of KES is 0.01."),
        ("tariffs.csv", "KES,49.01,100,", "KES,49.01,1e2,", "line 9: max_amount is '1e2', a decimal such as 1500.01 is expected."),
        ("tariffs.csv", "KES,49.01,100,0,", "KES,49.01,100,", "line 9: it has 12 values, 13 are expected: quote what holds a comma."),
        ("tariffs.csv", "KES,1,49,0,0,", "KES,1,49,0,101,", "line 8: pct is 101, a percentage from 0 to 100 is expected."),
        ("tariffs.csv", "KES,1,49,", "KES,50,49,", "line 8: min_amount 50 is above max_amount 49."),
        ("tariffs.csv", "true,2025-01-01", "yes,2025-01-01", "line 8: tax_inclusive is 'yes', true or false is expected."),
        ("tariffs.csv", "Safaricom,KE,transfer", "Safaricom,KE,send", "line 8: 'send' is no transaction type"),
        ("tariffs.csv", "cap,tax_inclusive", "tax_inclusive,cap", "line 7: the header must be operator,country,"),
        ("tariffs.csv", "true,2025-01-01,", "true,2025-01-01,2025-06-31", "line 8: valid_to is '2025-06-31', a day such as 2025-01-01, or nothing, is expected."),
        ("commissions.csv", "KES,50,100,", "KSH,50,100,", "line 6: the currency 'KSH' is not in currencies.csv."),
        ("taxes.csv", "2022-12-31,Digital", "2023-01-01,Digital", "line 8: its days overlap those of line 7."),
        ("taxes.csv", "2022-12-31,Digital", "2022-04-01,Digital", "line 7: valid_from 2022-05-01 is after valid_to 2022-04-01."),
        ("taxes.csv", ",value,", ",amount,", "line 7: base is 'amount', value or fee is expected."),
        ("taxes.csv", "0.015", "1.5", "line 7: rate is 1.5, a fraction from 0 to 1 is expected."),
        ("taxes.csv", "adjustment", "gift", "line 7: exempt_types names 'gift', which is no transaction type."),
        ("limits.csv", "GH,GHS,medium", "GH,GHS,minimum", "line 6: its days overlap those of line 5."),
        ("trust_statements.csv", STATED, f"{STATED}\n2026-03-27,first,KES,1,x\n2026-03-27,first,KES,2,x", "line 5: '2026-03-27 first KES' is in line 4 already."),
        ("trust_statements.csv", STATED, f"{STATED}\n2026-03-27,first,KSH,1,x", "line 4: the currency 'KSH' is not in currencies.csv."),
        ("trust_statements.csv", STATED, f"{STATED}\n2026-03-27,first,KES,-1,x", "line 4: amount is '-1', a decimal such as 1500.01 is expected."),
        ("agents.csv", "AG-UG-00001,", "AG-UG-00000,", "line 5: 'AG-UG-00000' is in line 4 already."),
        ("agents.csv", "Kampala,0.2476", "Kampala,100.2476", "line 4: latitude is from -90 to 90 degrees"),
        ("merchants.csv", "MER-UG-00001,", "MER-UG-00000,", "line 5: 'MER-UG-00000' is in line 4 already."),
        ("currencies.csv", "KES,2", "KES,two", ": minor_units is 'two', a whole number is expected."),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_refused_with_file_and_line(folder, name, old, new, sentence):
    spoiled(folder, name, old, new)

    with pytest.raises(SettingsError) as refused:
        read_reference(folder)

    assert str(refused.value).startswith(f"{name}, line ")
    assert sentence in str(refused.value)


def test_a_band_of_another_time_may_differ_and_one_of_the_same_day_may_not(folder):
    bands = (folder / "commissions.csv").read_text()
    later = bands.replace(",2018-01-01,,", ",2018-01-01,2024-12-31,")
    later += "Safaricom,KE,deposit,KES,50,500,5,0,,2025-01-01,,nobody\n"
    (folder / "commissions.csv").write_text(later)
    assert read_reference(folder).commissions[-1].fixed == 5

    (folder / "commissions.csv").write_text(later.replace("0,,2025-01-01", "0,,2024-12-31"))
    with pytest.raises(SettingsError, match="commissions.csv, line 18: its days overlap those of line 6"):
        read_reference(folder)


def test_a_table_that_is_not_there_is_named(folder):
    (folder / "limits.csv").unlink()

    with pytest.raises(SettingsError, match="limits.csv cannot be read"):
        read_reference(folder)
