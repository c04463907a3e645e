"""What alerts add up to: who is suspected, and from when on a party's payments are better held."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from jobs import list_alerts, manage_rules
from jobs.alerts.rulebook import COUNTED, read_rules
from jobs.alerts.typologies import Typology, read_typologies, suspicions
from jobs.errors import SettingsError
from jobs.settings import ROOT
from tests.alerts.lakes import RULES, paid

FOLDER = ROOT / "conf" / "rules"
TEN = datetime(2026, 3, 27, 10, tzinfo=UTC)
TAKEOVER = {"takeover": Typology(means="somebody else pays", alert=500, interdict=700)}


@pytest.fixture
def rules(tmp_path):
    weights = {"fan_out": 400, "large": 300, "passed": 900}
    text = RULES
    for rule, before in (("fan_out", "fan_out: 100"), ("large", "limit_breach: 100"), ("passed", "rapid_in_out: 100")):
        text = text.replace(before, f"takeover: {weights[rule]}")
    (tmp_path / "mine.yaml").write_text(text)
    return read_rules(tmp_path)


def alert(alert_id, rule_id, entity="ana", hours=0, state="active", references=("T-1",)):
    return {
        "alert_id": alert_id,
        "rule_id": rule_id,
        "state": state,
        "entity": entity,
        "window_start": TEN + timedelta(hours=hours),
        "window_end": TEN + timedelta(hours=hours + 1),
        "reason": f"why {alert_id}",
        "transaction_references": list(references),
    }


def found(alerts, rules):
    return [(one.party, one.verdict, one.points) for one in suspicions(alerts, rules, TAKEOVER)]


def test_two_rules_together_hold_a_party_that_neither_would_suspect_alone(rules):
    both = [alert("A", "fan_out", references=("T-2", "T-1")), alert("B", "large", hours=5, references=("T-1", "T-3"))]

    (one,) = suspicions(both, rules, TAKEOVER)

    assert asdict(one) == {
        "typology": "takeover",
        "party": "ana",
        "verdict": "interdict",
        "points": 700,
        "first": TEN,
        "last": TEN + timedelta(hours=6),
        "rules": ("fan_out", "large"),
        "reasons": ("why A", "why B"),
        "alert_ids": ("A", "B"),
        "transaction_references": ("T-2", "T-1", "T-3"),
    }
    assert [found([each], rules) for each in both] == [[], []]


def test_a_rule_counts_once_however_often_it_fires(rules):
    assert found([alert("A", "fan_out"), alert("B", "fan_out", hours=1)], rules) == []


def test_alerts_a_day_apart_are_two_matters(rules):
    assert found([alert("A", "fan_out"), alert("B", "large", hours=24)], rules) == []
    assert found([alert("A", "fan_out"), alert("B", "large", hours=23)], rules) == [("ana", "interdict", 700)]


def test_alerts_in_shadow_and_of_rules_that_are_gone_count_nothing(rules):
    others = [alert("B", "passed", state="shadow"), alert("C", "forgotten"), alert("D", "large", state="shadow")]

    assert found([alert("A", "fan_out"), *others], rules) == []


def test_a_hint_counts_among_others(tmp_path, rules):
    text = (tmp_path / "mine.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("state: active", "state: hint", 1))
    hinting = read_rules(tmp_path)

    assert [rule.state for rule in hinting] == ["hint", "shadow", "active"]
    assert found([alert("A", "fan_out", state="hint"), alert("B", "large")], hinting) == [("ana", "interdict", 700)]


def test_an_alert_of_a_pair_speaks_against_both(rules):
    alerts = [alert("A", "fan_out", "ana | agent:A1"), alert("B", "large", "agent:A1")]

    assert found(alerts, rules) == [("agent:A1", "interdict", 700)]


def test_the_worst_comes_first(rules):
    lower = {"takeover": Typology(means="somebody else pays", alert=300, interdict=700)}
    alerts = [alert("A", "large", "eve"), alert("B", "fan_out", "ana"), alert("C", "large", "ana")]

    assert [(one.party, one.points) for one in suspicions(alerts, rules, lower)] == [("ana", 700), ("eve", 300)]


def test_each_typology_that_is_delivered_can_be_suspected_by_active_rules():
    rules = read_rules(FOLDER)
    typologies = read_typologies(FOLDER, rules)
    counted = [rule for rule in rules if rule.state in COUNTED]
    reachable = {name: sum(rule.typologies.get(name, 0) for rule in counted) for name in typologies}

    assert [name for name, one in typologies.items() if reachable[name] < one.alert] == []
    # A typology that no rule points to would be a promise that nobody keeps.
    assert sorted(typologies) == sorted({name for rule in rules for name in rule.typologies})


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("takeover: {means: x, alert: 500}", "the field 'interdict' is missing"),
        ("takeover: {means: x, alert: 500, interdict: 400}", "interdict is 400, at least alert (500) is expected"),
        ("takeover: {means: x, alert: 500, interdict: 600, owner: y}", "the field 'owner' is unknown"),
        ("[takeover]", "must hold typologies by name"),
        ("other: {means: x, alert: 500, interdict: 600}", "Rule fan_out points to 'takeover', which"),
    ],
)
def test_a_wrong_typology_is_named_in_a_sentence(tmp_path, rules, written, sentence):
    (tmp_path / "typologies.yaml").write_text(written)

    with pytest.raises(SettingsError, match=re.escape(sentence)):
        read_typologies(tmp_path, rules)


def test_suspects_of_a_lake_are_listed_with_their_reasons(followed, capsys, monkeypatch):
    known = "{name}: {{means: x, alert: {alert}, interdict: 900}}\n"
    names = {"fan_out": 100, "rapid_in_out": 100, "limit_breach": 101}
    (followed.rules / "typologies.yaml").write_text(
        "".join(known.format(name=name, alert=alert) for name, alert in names.items())
    )
    monkeypatch.setenv("MOMO__ALERTS__RULES", str(followed.rules))
    followed.write(paid("T-2", "ana", "eve", "10:05:00"), paid("T-1", "ana", "ben", "10:01:00"))

    asked = ["suspects", "--lake", str(followed.lake.path)]
    assert list_alerts.main([*asked, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert {**json.loads(line), "alert_ids": None} == {
        "typology": "fan_out",
        "party": "ana",
        "verdict": "alert",
        "points": 100,
        "first": "2026-03-27 10:00:00+00:00",
        "last": "2026-03-27 11:00:00+00:00",
        "rules": ["fan_out"],
        "reasons": ["2 payees within 1 hour"],
        "alert_ids": None,
        "transaction_references": ["T-1", "T-2"],
    }
    list_alerts.main(asked)
    shown = "2026-03-27 10:00 alert 100 fan_out ana 2 payees within 1 hour"
    assert " ".join(capsys.readouterr().out.split()) == shown
    list_alerts.main([*asked, "--verdict", "interdict"])
    assert capsys.readouterr().out == ""
    with pytest.raises(SettingsError, match="no typology 'fan_uot': choose from fan_out, rapid_in_out, limit_breach"):
        list_alerts.main([*asked, "--typology", "fan_uot"])


def test_rules_that_point_nowhere_do_not_pass_their_test(tmp_path, rules, monkeypatch):
    (tmp_path / "typologies.yaml").write_text("other: {means: x, alert: 500, interdict: 600}")
    monkeypatch.setenv("MOMO__ALERTS__RULES", str(tmp_path))

    with pytest.raises(SettingsError, match="points to 'takeover'"):
        manage_rules.main(["test"])
