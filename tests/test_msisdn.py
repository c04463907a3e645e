import csv
from datetime import UTC, datetime, timedelta

import pytest

from jobs.msisdn import REFERENCE, read_number_plan
from producers.markets import MARKETS

PLAN = read_number_plan()
NOW = datetime(2026, 3, 27, tzinfo=UTC)


def test_every_simulated_number_is_written_as_it_is_dialled_today():
    numbers = [market.msisdn(customer) for market in MARKETS for customer in range(100)]

    assert [number for number in numbers if PLAN.known_text(number, NOW) != number] == []


def test_every_prefix_of_an_operator_is_that_of_a_known_country():
    with (REFERENCE / "operators.csv").open() as file:
        prefixes = [row["prefix"] for row in csv.DictReader(file)]

    assert [prefix for prefix in prefixes if not prefix.startswith(tuple(PLAN.national_digits))] == []


@pytest.mark.parametrize("change", PLAN.renumberings, ids=lambda change: f"{change.calling_code} {change.new_prefix}")
def test_a_number_has_one_spelling_on_both_sides_of_a_change(change):
    old = {"01": "40123456", "05": "45123456", "07": "77123456"}[change.new_prefix]
    before = f"{change.calling_code}{old}"
    today = f"{change.calling_code}{change.new_prefix}{old}"

    assert PLAN.canonical_text(before, change.changed_on - timedelta(microseconds=1)) == today
    assert PLAN.canonical_text(today, NOW) == today
    # From that day on, so few digits are a number that was cut off.
    assert PLAN.canonical_text(before, change.changed_on) == before
    assert {before, today, f"00{before}"} <= PLAN.spellings(today)


def test_all_spellings_of_a_number_are_that_number():
    for number in ("256777123456", "2250707712345", "27821234567", "999999999"):
        long_ago = datetime(1990, 1, 1, tzinfo=UTC)
        known = {PLAN.canonical_text(spelling, long_ago) for spelling in PLAN.spellings(number)}
        # Of nobody's country it is not known that 00 is no part of it.
        assert known - {"00999999999"} == {number}
