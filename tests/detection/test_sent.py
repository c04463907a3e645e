"""Which alerts are judged: those that somebody gets to see."""

from datetime import UTC, datetime

import pyarrow as pa

from infra.detection.sent import sent
from jobs.alerts.rulebook import read_rules
from tests.builders import SETTINGS

RULES = read_rules(SETTINGS.rules_path)


def alert(alert_id, rule_id, entity, start, score):
    start = datetime.fromisoformat(f"2026-03-27T{start}").replace(tzinfo=UTC)
    return {"alert_id": alert_id, "rule_id": rule_id, "entity": entity, "window_start": start, "score": score}


def test_of_two_windows_that_overlap_one_alert_is_seen_and_a_worse_one_again():
    raised = [
        alert("first", "fan_out", "ana", "10:00:00", 200),
        alert("again", "fan_out", "ana", "10:30:00", 200),
        alert("worse", "fan_out", "ana", "11:00:00", 400),
        alert("another's", "fan_out", "ben", "10:30:00", 200),
    ]

    assert set(sent(pa.Table.from_pylist(raised), RULES)["alert_id"].to_pylist()) == {"first", "worse", "another's"}


def test_alerts_of_a_rule_that_nobody_knows_any_more_are_all_left():
    raised = [alert(name, "gone", "ana", "10:00:00", 200) for name in ("one", "two")]

    assert sent(pa.Table.from_pylist(raised), RULES).num_rows == 2


def test_a_rule_in_shadow_is_judged_as_if_it_were_active():
    (shadow, *_) = (rule.id for rule in RULES if rule.state == "shadow" and rule.cooldown)
    raised = [alert(name, shadow, "ana", f"{at}:00:00", 200) for name, at in (("one", "10"), ("two", "11"))]

    assert sent(pa.Table.from_pylist(raised), RULES)["alert_id"].to_pylist() == ["one"]
