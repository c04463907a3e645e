from datetime import datetime

from pyspark.sql import functions as F

from jobs import enrichment, rules, silver
from schemas.tables import QUARANTINE
from tests.builders import bronze_rows, dummy, gsma, silver_rows
from tests.frames import assert_rows


def test_each_row_goes_to_silver_or_to_quarantine(spark):
    records = [gsma(), dummy(), gsma(amount="-1"), None, b"{", gsma(type=None), gsma(currency=None)]
    events = bronze_rows(spark, records)

    accepted, refused = silver.transactions(events), silver.quarantined(events)

    assert refused.columns == QUARANTINE.column_names
    offsets = accepted.select("offset").union(refused.select("offset"))
    assert_rows(offsets, [(i,) for i in range(len(records))])
    assert accepted.count() == 2


def test_a_row_whose_verdict_is_null_is_refused(spark):
    events = bronze_rows(spark, [gsma()]).withColumn("broken_rules", F.lit(None).cast("array<string>"))

    assert silver.transactions(events).count() == 0
    assert events.select(rules.accepted()).first()[0] is False


def test_numbers_get_country_and_operator_by_longest_prefix(spark):
    parties = [
        ([{"key": "msisdn", "value": "256777123456"}], "UG", "MTN"),
        ([{"key": "msisdn", "value": "254999999999"}], "KE", "unknown"),
        ([{"key": "msisdn", "value": "999999999"}], "unknown", "unknown"),
        ([{"key": "identityalias", "value": "AG-1"}], "none", "none"),
    ]
    rows = silver_rows(spark, [gsma(debitParty=party, creditParty=gsma()["creditParty"]) for party, _, _ in parties])

    found = rows.select("offset", "debit_country", "debit_operator")
    assert_rows(found, [(i, country, operator) for i, (_, country, operator) in enumerate(parties)])


def test_the_reference_tables_know_the_simulated_numbers():
    countries, operators = enrichment.read_prefixes()

    assert countries["256"] == "UG"
    assert operators["25677"] == "MTN"
    assert all(prefix[:3] in countries or prefix[:2] in countries for prefix in operators)


def test_the_day_of_a_transaction_is_its_day_in_utc(spark):
    after_midnight_in_nairobi = gsma(creationDate="2026-03-27T01:30:00+03:00")
    rows = silver_rows(spark, [after_midnight_in_nairobi]).select("event_date", "event_time")

    assert_rows(rows, [(datetime(2026, 3, 26).date(), datetime(2026, 3, 26, 22, 30))])
