"""The rules that are delivered, their examples, and what is said of a rule that is wrong."""

import logging
import re
from decimal import Decimal

import pytest

from jobs.alerts.examples import outcomes
from jobs.alerts.facts import read_facts
from jobs.alerts.movements import SCALE
from jobs.alerts.rulebook import Event, Example, LiveRules, read_rulebook, read_rules
from jobs.alerts.vocabulary import BY_NAME
from jobs.errors import SettingsError
from jobs.settings import ROOT
from tests.alerts.lakes import RULES

FOLDER = ROOT / "conf" / "rules"
FACTS = read_facts(FOLDER)
OUTCOMES = list(outcomes(read_rules(FOLDER), FACTS))


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: f"{outcome.rule}: {outcome.example}")
def test_a_rule_does_what_its_examples_say(outcome):
    assert outcome.found == outcome.expected


def test_every_rule_has_an_example_that_fires_and_one_that_does_not():
    expected = {rule.id: {example.expect == "silent" for example in rule.examples} for rule in read_rules(FOLDER)}

    assert [rule for rule, seen in expected.items() if seen != {True, False}] == []


def test_every_measure_is_in_the_document():
    text = (ROOT / "docs" / "alerts.md").read_text()

    assert [name for name in BY_NAME if f"`{name}`" not in text and not re.fullmatch(r"first_digit_\d", name)] == []


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("measure: amount\n", "measure: amonut\n", "there is no measure 'amonut'"),
        ("measure: amount\n", "measure: count_out\n", "is not one of a payer, scope row"),
        ("  owner: tests\n", "  owner: tests\n  onwer: x\n", "the field 'onwer' is unknown"),
        ("  version: 2\n", "", "the field 'version' is missing"),
        ("at_least: {UGX: 1000000}", "at_least: 5", "'amount' is money: say how much in each currency"),
        ("at_least: 80", "at_least: {UGX: 80}", "'passed_percent' is one number"),
        ("window: 1 day", "window: 2 days", "'window' is wrong"),
        ("window: 1 day", "", "a rule of scope window names a window"),
        ("{amount} {currency}", "{count} {currency}", "the explanation says {count}"),
        ("expect: most", "expect: least", "an example expects 'least'"),
        ("id: passed", "id: large", "have the id 'large'"),
        ("- id: fan_out", "- id: [", "is not YAML"),
    ],
)
def test_a_wrong_rule_is_named_in_a_sentence(tmp_path, before, after, sentence):
    (tmp_path / "mine.yaml").write_text(RULES.replace(before, after, 1))

    with pytest.raises(SettingsError, match=re.escape(sentence)) as raised:
        read_rules(tmp_path)

    assert str(tmp_path) in str(raised.value)


def test_a_bad_file_keeps_the_last_good_rules_and_says_so_once(tmp_path, caplog):
    path = tmp_path / "mine.yaml"
    path.write_text(RULES)
    live = LiveRules(tmp_path)
    caplog.set_level(logging.ERROR)

    path.write_text(RULES.replace("version: 2", "version: two"))
    assert [live.has_changed(), live.has_changed()] == [False, False]

    assert [rule.version for rule in live.rulebook.rules] == [1, 2, 1]
    (said,) = caplog.messages
    assert "rule passed, 'version' is wrong" in said
    path.write_text(RULES.replace("version: 2", "version: 3"))
    assert live.has_changed()
    assert [rule.version for rule in live.rulebook.rules] == [1, 3, 1]


def test_a_paused_rule_is_not_evaluated(tmp_path):
    (tmp_path / "mine.yaml").write_text(RULES.replace("state: shadow", "state: paused"))

    assert [rule.id for rule in read_rulebook(tmp_path).rules] == ["fan_out", "large"]


@pytest.mark.parametrize("currency", FACTS.limit)
def test_a_rule_fires_in_every_currency_that_it_names(currency):
    (rule,) = (rule for rule in read_rules(FOLDER) if rule.id == "structuring_in")
    limit = Decimal(FACTS.limit[currency]) / SCALE
    events = [Event(**{"from": "ana", "to": "ben", "amount": limit * 9 / 10, "currency": currency})] * 3
    example = Example(name="below the limit", given=events, expect="three")

    (outcome,) = outcomes([rule.model_copy(update={"examples": [example]})], FACTS)

    assert outcome.is_right
