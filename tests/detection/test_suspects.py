"""Suspicions are counted against planted cases as alerts are."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from infra.detection.estimates import share
from infra.detection.judging import Report, judged
from infra.detection.report import markdown
from infra.detection.truth import PlantedCase
from jobs.alerts.rulebook import read_rules
from jobs.alerts.typologies import Typology
from tests.alerts.lakes import RULES

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
TYPOLOGIES = {
    "fan_out": Typology(means="one pays many", alert=100, interdict=100),
    "limit_breach": Typology(means="too much", alert=200, interdict=200),
    "rapid_in_out": Typology(means="passed on", alert=100, interdict=200),
}


def case(case_id, typology, reference):
    return PlantedCase(case_id, typology, (reference,), NOON, NOON + timedelta(minutes=10))


def alert(alert_id, rule_id, entity, reference):
    return {
        "alert_id": alert_id,
        "rule_id": rule_id,
        "state": "active",
        "entity": entity,
        "score": 100,
        "window_start": NOON,
        "window_end": NOON + timedelta(hours=1),
        "first_event_time": NOON,
        "reason": "for a reason",
        "transaction_references": [reference],
    }


def completed(*parties):
    """A transaction of each payer, all to one payee."""
    return pa.table(
        {
            "transaction_reference": [f"R-{payer}" for payer in parties],
            "event_date": [NOON.date()] * len(parties),
            "debit_token": list(parties),
            "credit_token": ["shop"] * len(parties),
            "debit_party": [f"msisdn:{payer}" for payer in parties],
            "credit_party": ["msisdn:shop"] * len(parties),
            "agent_id": pa.nulls(len(parties), pa.string()),
        }
    )


def report(tmp_path):
    (tmp_path / "mine.yaml").write_text(RULES)
    alerts = [
        alert("1", "fan_out", "ana", "R-ana"),
        alert("2", "fan_out", "ben", "R-ben"),
        alert("3", "fan_out", "eve", "R-eve"),
        alert("4", "large", "joe", "R-joe"),
    ]
    cases = [case("A", "fan_out", "R-ana"), case("B", "rapid_in_out", "R-ben"), case("C", "limit_breach", "R-joe")]
    rows = completed("ana", "ben", "eve", "joe")
    return judged(pa.Table.from_pylist(alerts), read_rules(tmp_path), TYPOLOGIES, cases, rows)


def test_a_suspicion_is_right_on_a_case_of_its_typology_alone(tmp_path):
    found = {one.suspected.rule_id: one for one in report(tmp_path).typologies}

    of_fan_out = found["fan_out"]
    assert (of_fan_out.suspected.alerts, of_fan_out.suspected.precision) == (3, share(1, 3))
    assert (of_fan_out.suspected.on_other_cases, of_fan_out.recall) == (1, share(1, 1))
    # Held are ana, ben and eve; on eve there is nothing.
    assert of_fan_out.interdicted == share(2, 3)


def test_a_case_whose_rules_make_too_few_points_is_not_found(tmp_path):
    found = {one.suspected.rule_id: one for one in report(tmp_path).typologies}

    assert (found["limit_breach"].suspected.alerts, found["limit_breach"].recall) == (0, share(0, 1))
    assert found["rapid_in_out"].recall == share(0, 1)


def test_a_page_shows_each_typology(tmp_path):
    assert "| fan_out | 1 | 1 | 100% (21% to 100%) | 3 | 1 | 1 | 33% (6% to 79%) |" in markdown(report(tmp_path))


def test_a_report_without_alerts_shows_what_was_missed(tmp_path):
    (tmp_path / "mine.yaml").write_text(RULES)
    nothing = pa.Table.from_pylist([alert("1", "fan_out", "ana", "R-ana")]).slice(0, 0)

    empty = judged(nothing, read_rules(tmp_path), TYPOLOGIES, [case("A", "fan_out", "R-ana")], completed("ana"))

    assert isinstance(empty, Report)
    assert [(one.suspected.rule_id, one.recall) for one in empty.typologies] == [("fan_out", share(0, 1))]
