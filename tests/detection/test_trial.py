"""Planted records on their way through the pipeline's own functions."""

from dataclasses import replace

import pyarrow.compute as pc

from infra.detection.trial import WEEK, planted_cases, silver_rows, try_rules
from producers.simulation import simulate
from tests.builders import SETTINGS

PLAN = replace(WEEK, seed=9, hours=24, events=1_500, customers=400, fraud_per_million=60_000)


def test_no_planted_record_is_refused_by_the_stream(spark):
    rows = silver_rows(spark, SETTINGS, PLAN)

    assert rows.num_rows == sum(1 for _ in simulate(PLAN))
    assert not pc.any(pc.match_substring_regex(rows["debit_party"], r"\d{9}")).as_py()


def test_a_trial_counts_every_case_and_finds_some(spark):
    report = try_rules(spark, SETTINGS, [PLAN])

    found = report.rules
    assert (found.cases, found.cases_not_in_silver) == (len(planted_cases(PLAN)), 0)
    assert abs(found.prevalence - 0.06) < 0.015
    assert found.active_rules.on_its_cases > 0
    found_by_typology = {one.suspected.rule_id: one.recall for one in report.typologies}
    assert sum(recall.count for recall in found_by_typology.values()) == found.cases
    assert sum(recall.hits for recall in found_by_typology.values()) > 0
