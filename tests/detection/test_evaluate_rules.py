"""`momo evaluate` on a lake, as a user types it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from infra.detection.evaluate_rules import main
from infra.detection.trial import planted_cases, weeks
from jobs.command_line import run
from jobs.errors import SettingsError
from jobs.lake import Lake
from schemas.tables import ALERTS, SILVER
from tests.builders import put_rows

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
CASE = {
    "case_id": "case-1",
    "typology": "fan_out",
    "transaction_references": ["A1", "A2", "A3"],
    "first_event_time": "2026-03-27T12:00:00+00:00",
    "last_event_time": "2026-03-27T12:10:00+00:00",
}


def silver(reference, payer, payee, status="completed"):
    return {
        "transaction_reference": reference, "status": status, "amount": Decimal(100), "event_date": NOON.date(),
        "debit_token": payer, "debit_party": f"msisdn:{payer}", "credit_token": payee, "credit_party": f"msisdn:{payee}",
    }  # fmt: skip


def alert(alert_id, *references):
    return {
        "alert_id": alert_id, "rule_id": "fan_out", "state": "active", "entity": "k1_a", "window_start": NOON,
        "window_end": NOON, "first_event_time": NOON, "transaction_references": list(references),
        "window_date": NOON.date(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    lake = Lake(folder / "lake")
    lake.create()
    # A1 and A2 of the case arrived before the producer was killed.
    rows = [silver("A1", "k1_a", "k1_b"), silver("A2", "k1_a", "k1_c"), silver("A2", "k1_a", "k1_c", "pending")]
    put_rows(lake, SILVER, *rows, silver("X1", "k1_d", "k1_b"), silver("X2", "k1_d", "k1_b", "failed"))
    put_rows(lake, ALERTS, alert("1", "A1", "A2"), alert("2", "X1") | {"entity": "k1_d"})
    (folder / "cases.ndjson").write_text(json.dumps(CASE) + "\n")
    return ["--lake", str(lake.path), "--manifest", str(folder / "cases.ndjson")]


def test_completed_transactions_and_customer_days_are_those_of_silver(arguments, capsys):
    assert run(main, [*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    # Four customers on one day; the pending and the failed row are no transactions of their own.
    assert (found["transactions"], found["customer_days"], found["cases"]) == (3, 4, 1)
    assert found["prevalence"] == pytest.approx(2 / 3)


def test_the_rules_of_the_project_say_what_they_are_there_for(arguments, capsys):
    assert run(main, [*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    (rule,) = [rule for rule in found["rules"] if rule["rule_id"] == "fan_out"]
    assert (rule["alerts"], rule["on_its_cases"], rule["precision"]["value"]) == (2, 1, 0.5)
    (recall,) = [one for one in found["recalls"] if (one["rule_id"], one["typology"]) == ("fan_out", "fan_out")]
    assert (recall["recall"]["hits"], recall["recall"]["count"]) == (1, 1)


def test_a_page_and_a_terminal_show_the_same_figures(arguments, capsys):
    shown = []
    for form in ([], ["--markdown"]):
        assert run(main, [*arguments, *form]) == 0
        shown.append(capsys.readouterr().out)

    for text in shown:
        assert "3 completed transactions, 4 customer-days, 1 planted cases" in text
        assert "50% (9% to 91%)" in text


def test_a_manifest_that_is_not_there_is_one_sentence(arguments, capsys):
    assert run(main, [*arguments[:2], "--manifest", "nothing.ndjson"]) == 64
    assert capsys.readouterr().err.count("\n") == 1


def test_the_weeks_of_a_trial_follow_one_another_and_their_cases_have_names_of_their_own():
    first, second = (replace(week, events=2_000) for week in weeks("4,5"))
    names = [case.case_id for week in (first, second) for case in planted_cases(week)]

    assert second.start - first.start == timedelta(days=7)
    assert names and len(set(names)) == len(names)


def test_seeds_that_are_no_numbers_are_refused():
    with pytest.raises(SettingsError, match="'1,b' are not whole numbers"):
        weeks("1,b")
