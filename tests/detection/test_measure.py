"""What rules are worth by planted cases: a case counted by hand, the edges, and a second opinion by pandas."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.detection.estimates import Share, at_prevalence, share
from infra.detection.judging import Report
from infra.detection.measure import ACTIVE_RULES, ANY_RULE, PARTY_COLUMNS, Traffic, evaluate
from infra.detection.report import markdown
from infra.detection.truth import PlantedCase, RuleAim, read_manifest
from jobs.errors import SettingsError

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
TRAFFIC = Traffic(transactions=1_000, customer_days=500)
TIME = pa.timestamp("us", tz="UTC")
ALERTS = pa.schema(
    [
        ("alert_id", pa.string()), ("rule_id", pa.string()), ("state", pa.string()), ("entity", pa.string()),
        ("window_start", TIME), ("window_end", TIME), ("first_event_time", TIME),
        ("transaction_references", pa.list_(pa.string())),
    ]
)  # fmt: skip
PARTIES = pa.schema([(name, pa.string()) for name in ("transaction_reference", *PARTY_COLUMNS)])
AIMS = [
    RuleAim("many_payees", "active", ("fan_out", "takeover")),
    RuleAim("drained", "shadow", ("takeover",)),
    RuleAim("over_limit", "active", ()),
]


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def case(case_id, typology, *references, first=0, last=10):
    return PlantedCase(case_id, typology, references, at(first), at(last))


def alert(alert_id, rule_id, *references, entity="k1_nobody", start=0, end=10, state="active"):
    values = (alert_id, rule_id, state, entity, at(start), at(end), at(start), list(references))
    return dict(zip(ALERTS.names, values, strict=True))


def row(reference, payer, payee="k1_payee", agent=None):
    return {
        "transaction_reference": reference,
        "debit_token": payer,
        "credit_token": payee,
        "debit_party": f"msisdn:{payer}",
        "credit_party": f"msisdn:{payee}",
        "agent_id": agent,
    }


def evaluated(alerts=(), cases=(), rows=(), aims=AIMS, traffic=TRAFFIC):
    table = pa.Table.from_pylist(list(alerts), schema=ALERTS)
    return evaluate(table, list(cases), pa.Table.from_pylist(list(rows), schema=PARTIES), aims, traffic)


def figures(found, rule_id):
    (rule,) = [rule for rule in found.rules if rule.rule_id == rule_id]
    return rule


def hits(found):
    return {(r.rule_id, r.typology): (r.recall.hits, r.recall.count) for r in found.recalls}


CASES = (
    case("case-1", "fan_out", "A1", "A2"),
    case("case-2", "fan_out", "B1"),
    case("case-3", "takeover", "C1", "C2", first=100, last=105),
    case("case-4", "structuring", "D1"),
)
ROWS = (
    row("A1", "k1_a"),
    row("A2", "k1_a"),
    row("B1", "k1_b"),
    row("C1", "k1_c"),
    row("C2", "k1_c"),
    row("D1", "k1_d"),
)


def test_a_small_case_is_counted_as_by_hand():
    found = evaluated(
        [
            alert("1", "many_payees", "A1", "X9"),
            alert("2", "many_payees", "C2", start=100, end=110),
            # Of a case that the rule is not there for, and of none.
            alert("3", "many_payees", "D1"),
            alert("4", "many_payees", "X1"),
            alert("5", "over_limit", "X1"),
        ],
        CASES,
        ROWS,
    )

    rule = figures(found, "many_payees")
    assert (rule.alerts, rule.on_its_cases, rule.on_other_cases) == (4, 2, 1)
    assert (rule.precision.hits, rule.precision.count, rule.precision.value) == (2, 4, 0.5)
    # Four alerts and one of them on no case, among 500 customer-days.
    assert (rule.alerts_per_1000, rule.false_per_1000) == (8.0, 2.0)
    assert (found.cases, found.cases_not_in_silver, found.prevalence) == (4, 0, 0.006)
    assert hits(found) == {
        # Alert 3 is on a case that no rule is there for.
        (ACTIVE_RULES, "fan_out"): (1, 2),
        (ACTIVE_RULES, "structuring"): (1, 1),
        (ACTIVE_RULES, "takeover"): (1, 1),
        (ANY_RULE, "fan_out"): (1, 2),
        ("many_payees", "fan_out"): (1, 2),
        (ANY_RULE, "structuring"): (0, 1),
        (ANY_RULE, "takeover"): (1, 1),
        ("many_payees", "takeover"): (1, 1),
        ("drained", "takeover"): (0, 1),
    }


def test_an_alert_that_names_no_transaction_finds_a_case_by_who_took_part_at_that_time():
    in_time = alert("1", "drained", entity="k1_c", start=103, end=200)
    too_early = alert("2", "drained", entity="k1_c", start=0, end=99)
    somebody_else = alert("3", "drained", entity="k1_x", start=103, end=200)
    found = evaluated([in_time, too_early, somebody_else], CASES, ROWS)

    assert (figures(found, "drained").alerts, figures(found, "drained").on_its_cases) == (3, 1)


def test_an_agent_and_a_pair_are_found_by_their_names():
    cases = [case("case-1", "takeover", "S1")]
    rows = [row("S1", None, "k1_s", agent="AG-UG-1") | {"debit_party": "identityalias:AG-UG-1"}]
    alerts = [
        alert("1", "drained", entity="AG-UG-1"),
        alert("2", "drained", entity="identityalias:AG-UG-1 | msisdn:k1_s"),
        alert("3", "drained", entity="identityalias:AG-UG-1 | msisdn:k1_other"),
    ]

    assert figures(evaluated(alerts, cases, rows), "drained").on_its_cases == 2


def test_an_alert_about_one_row_has_that_rows_time():
    of_a_row = alert("1", "drained", entity="k1_c", start=104) | {"window_start": None, "window_end": None}

    assert figures(evaluated([of_a_row], CASES, ROWS), "drained").on_its_cases == 1


def test_an_alert_on_two_cases_finds_both_and_counts_once():
    found = evaluated([alert("1", "many_payees", "A1", "B1", "C1")], CASES, ROWS)

    assert (figures(found, "many_payees").alerts, figures(found, "many_payees").on_its_cases) == (1, 1)
    assert hits(found)[("many_payees", "fan_out")] == (2, 2)
    assert hits(found)[("many_payees", "takeover")] == (1, 1)


def test_a_case_that_was_found_twice_is_one_case_found():
    found = evaluated([alert("1", "many_payees", "A1"), alert("2", "many_payees", "A2")], CASES, ROWS)

    assert figures(found, "many_payees").on_its_cases == 2
    assert hits(found)[("many_payees", "fan_out")] == (1, 2)


def test_the_active_rules_together_are_right_with_any_planted_case():
    found = evaluated(
        [
            # Of a case of another typology, of one that a second rule has found too, of none, and of a shadow rule.
            alert("1", "many_payees", "D1"),
            alert("2", "many_payees", "A1"),
            alert("3", "over_limit", "A1"),
            alert("4", "many_payees", "X1"),
            alert("5", "drained", "C1", start=100),
        ],
        CASES,
        ROWS,
    )

    together = found.active_rules
    assert (together.alerts, together.on_its_cases, together.on_other_cases) == (4, 3, 0)
    assert (together.precision.value, together.false_per_1000) == (0.75, 2.0)


def test_without_alerts_nothing_is_found_and_no_precision_is_known():
    found = evaluated((), CASES, ROWS)

    assert {hit for hit, _ in hits(found).values()} == {0}
    assert {rule.precision for rule in found.rules} == {Share(0, 0, None, None, None)}
    assert {rule.precision_at_real for rule in found.rules} == {(None, None, None)}


def test_without_cases_every_alert_is_on_none():
    found = evaluated([alert("1", "many_payees", "A1")])

    assert (found.cases, found.prevalence, figures(found, "many_payees").precision.value) == (0, 0.0, 0.0)
    assert figures(found, "many_payees").precision_at_real == (None, None, None)
    assert {recall.recall.value for recall in found.recalls} == {None}


def test_without_traffic_there_are_no_rates():
    found = evaluated([alert("1", "many_payees", "A1")], traffic=Traffic(0, 0))

    assert (figures(found, "many_payees").alerts_per_1000, found.prevalence) == (None, 0.0)


def test_a_case_that_was_never_sent_is_not_counted():
    found = evaluated((), CASES, ROWS[:2])

    assert (found.cases, found.cases_not_in_silver) == (1, 3)
    assert hits(found)[(ANY_RULE, "takeover")] == (0, 0)


def test_a_rule_that_is_there_for_no_typology_has_no_precision():
    assert figures(evaluated([alert("1", "over_limit", "A1")], CASES, ROWS), "over_limit").precision.value is None


def test_alerts_of_a_rule_that_is_gone_are_shown_too():
    found = evaluated([alert("1", "gone", "A1", state="shadow")], CASES, ROWS)

    assert (figures(found, "gone").state, figures(found, "gone").alerts) == ("shadow", 1)


@pytest.mark.parametrize(
    ("hit", "count", "low", "high"),
    # By hand, to four digits: 0 of n has z² / (n + z²) as its upper end.
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 100, 0.0018, 0.0545)],
)
def test_the_interval_is_wilsons(hit, count, low, high):
    found = share(hit, count)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert (found.low == 0) == (hit == 0) and (found.high == 1) == (hit == count)


def test_a_precision_falls_with_the_prevalence_of_fraud():
    # 10 of 20 alerts at one fraud in 101: at one in 1,000,001 the same honest traffic raises 10, fraud a ten-thousandth.
    assert at_prevalence(0.5, 1 / 101, 1 / 1_000_001) == pytest.approx(0.001 / 10.001)
    assert at_prevalence(0.3, 0.01, 0.01) == pytest.approx(0.3)
    assert at_prevalence(1.0, 0.01) == 1.0
    assert at_prevalence(0.0, 0.01) == 0.0
    assert at_prevalence(None, 0.01) is None
    assert at_prevalence(0.5, 0.0) is None


def test_a_page_shows_every_rule_and_every_typology():
    alerts = [alert("1", "many_payees", "A1"), alert("2", "many_payees", "X1")]
    page = markdown(Report(evaluated(alerts, CASES, ROWS), ()))

    assert "| many_payees | active | 2 | 1 | 0 | 50% (9% to 91%) | 0.033% (0.0035% to 0.32%) | 4.00 | 2.00 |" in page
    assert "| takeover | drained | 1 | 0 | 0% (0% to 79%) |" in page
    assert "4 planted cases: 6,000 of a million" in page


# A second opinion: the same figures by joins of plain pandas.

names = st.sampled_from([f"k1_{n}" for n in range(4)])
references = st.lists(st.sampled_from([f"R{n}" for n in range(12)]), max_size=3, unique=True)
minutes = st.integers(0, 60)


@st.composite
def situations(draw):
    owner = draw(st.lists(st.integers(0, 5), min_size=12, max_size=12))
    cases = [
        case(
            f"case-{number}",
            draw(st.sampled_from(["fan_out", "takeover", "structuring"])),
            *(f"R{n}" for n in range(12) if owner[n] == number),
            first=(first := draw(minutes)),
            last=first + draw(minutes),
        )
        for number in range(4)
        if number in owner
    ]
    rows = [row(f"R{n}", draw(names), draw(names)) for n in range(12) if draw(st.booleans())]
    alerts = [
        alert(
            str(number),
            draw(st.sampled_from([aim.rule_id for aim in AIMS])),
            *draw(references),
            entity=draw(names),
            start=(start := draw(minutes)),
            end=start + draw(minutes),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    return alerts, cases, rows


def by_pandas(alerts, cases, rows):
    """(alert, rule, case, typology) of every alert on a case, and the cases that were sent."""
    alert_frame = pd.DataFrame(alerts, columns=ALERTS.names)
    case_frame = pd.DataFrame([vars(c) for c in cases], columns=list(PlantedCase.__dataclass_fields__))
    by_reference = case_frame.explode("transaction_references")
    parties = pd.DataFrame(rows, columns=PARTIES.names)
    sent = by_reference.merge(parties, left_on="transaction_references", right_on="transaction_reference")
    named = alert_frame.explode("transaction_references").merge(by_reference, on="transaction_references")
    people = sent.melt(id_vars=["case_id", "typology", "first_event_time", "last_event_time"], value_vars=PARTY_COLUMNS)
    crossed = alert_frame.merge(people, how="cross", suffixes=("_alert", ""))
    took_part = crossed[
        (crossed["entity"] == crossed["value"])
        & (crossed["window_start"] <= crossed["last_event_time"])
        & (crossed["first_event_time"] <= crossed["window_end"])
    ]
    columns = ["alert_id", "rule_id", "case_id", "typology"]
    met = pd.concat([named[columns], took_part[columns]]).drop_duplicates()
    return met[met["case_id"].isin(sent["case_id"])], sent[["case_id", "typology"]].drop_duplicates(), alert_frame


@settings(max_examples=40, deadline=None)
@given(situations())
def test_pandas_counts_the_same(situation):
    met, sent, alert_frame = by_pandas(*situation)
    found = evaluated(*situation)

    assert found.cases == len(sent)
    for aim in AIMS:
        of_rule = met[met["rule_id"] == aim.rule_id]
        its = of_rule[of_rule["typology"].isin(aim.typologies)]
        rule = figures(found, aim.rule_id)
        assert rule.alerts == (alert_frame["rule_id"] == aim.rule_id).sum()
        assert rule.on_its_cases == its["alert_id"].nunique()
        assert rule.on_other_cases == of_rule["alert_id"].nunique() - its["alert_id"].nunique()
        for typology in aim.typologies:
            expected = (its[its["typology"] == typology]["case_id"].nunique(), (sent["typology"] == typology).sum())
            assert hits(found)[(aim.rule_id, typology)] == expected


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    manifest = tmp_path / "cases.ndjson"
    said = {
        "case_id": "case-1",
        "typology": "fan_out",
        "transaction_references": ["A1", "A2"],
        "first_event_time": "2026-03-27T12:00:00+00:00",
        "last_event_time": "2026-03-27T12:10:00+00:00",
    }
    manifest.write_text(json.dumps(said) + "\n")

    assert read_manifest(manifest) == [case("case-1", "fan_out", "A1", "A2")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}\n", "Line 1 of the manifest .* is no case"),
        ("[1]\n", "Line 1 of the manifest .* is no case"),
        ("not json\n", "Line 1 of the manifest .* is no case"),
    ],
)
def test_what_is_no_manifest_is_refused_by_its_line(tmp_path, text, sentence):
    (tmp_path / "cases.ndjson").write_text(text)

    with pytest.raises(SettingsError, match=sentence):
        read_manifest(tmp_path / "cases.ndjson")


def test_a_manifest_that_is_not_there_or_names_a_case_twice_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_manifest(tmp_path / "nothing")
    line = json.dumps(
        {
            "case_id": "case-1", "typology": "fan_out", "transaction_references": ["A1"],
            "first_event_time": "2026-03-27T12:00:00Z", "last_event_time": "2026-03-27T12:00:00Z",
        }
    )  # fmt: skip
    (tmp_path / "cases.ndjson").write_text(f"{line}\n{line}\n")
    with pytest.raises(SettingsError, match="has a case twice"):
        read_manifest(tmp_path / "cases.ndjson")
