"""A trial of the rules: weeks are simulated, made silver by the pipeline's own functions, and judged by the rules.

    python -m infra.detection.trial --seeds 1,2,3,4 --markdown

prints figures as in docs/detection.md. No lake is needed. Rules are tuned on other seeds than they are judged by.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.detection.evidence import COLUMNS
from infra.detection.judging import Report, judged
from infra.detection.report import add_form_arguments, shown
from infra.detection.truth import PlantedCase, case_of
from jobs import bronze, enrichment, silver
from jobs.alerts import movements
from jobs.alerts.evidence import alerts_of
from jobs.alerts.rulebook import read_rulebook
from jobs.alerts.typologies import read_typologies
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import SettingsError
from jobs.key_ring import new_ring
from jobs.session import build_session
from jobs.settings import Settings
from producers.simulation import SimulationPlan, fraud_manifest, simulate

FIRST_WEEK = datetime(2026, 3, 2, tzinfo=UTC)
# Some 81,000 transactions of 20,000 customers: 0.6 a day for each, as in the world of 2024.
WEEK = SimulationPlan(seed=0, start=FIRST_WEEK, hours=168, events=150_000, fraud_per_million=10_000)
_KAFKA = pa.schema(
    [
        ("key", pa.binary()), ("value", pa.binary()), ("topic", pa.string()), ("partition", pa.int32()),
        ("offset", pa.int64()), ("timestamp", pa.timestamp("us", "UTC")),
    ]
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures of all seeds together; 0, whatever they are."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="trial", description=__doc__, formatter_class=form)
    parser.add_argument("--seeds", required=True, metavar="N,N", help="one simulated week each")
    add_form_arguments(parser)
    add_settings_arguments(parser)
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    plans = weeks(arguments.seeds)
    sys.stdout.write(shown(try_rules(build_session("trial"), settings, plans), arguments.form))
    return 0


def weeks(seeds: str) -> list[SimulationPlan]:
    """A week of each seed, one after the other; raises `SettingsError` for what is no list of numbers."""
    numbers = seeds.split(",")
    if not all(number.isdigit() for number in numbers):
        raise SettingsError(f"The seeds '{seeds}' are not whole numbers with commas between: give such as 101,102.")
    return [
        replace(WEEK, seed=int(number), start=FIRST_WEEK + timedelta(weeks=place))
        for place, number in enumerate(numbers)
    ]


def try_rules(spark: SparkSession, settings: Settings, plans: Sequence[SimulationPlan]) -> Report:
    """The figures of all plans together; they must not overlap in time, for customers come again in each."""
    rulebook = read_rulebook(settings.rules_path)
    rows = pa.concat_tables([silver_rows(spark, settings, plan) for plan in plans])
    cases = [case for plan in plans for case in planted_cases(plan)]
    completed = rows.filter(pc.equal(rows["status"], "completed")).select(COLUMNS)
    typologies = read_typologies(settings.rules_path, rulebook.rules)
    return judged(alerts_of(rows, rulebook), rulebook.rules, typologies, cases, completed)


def planted_cases(plan: SimulationPlan) -> list[PlantedCase]:
    """The cases of a plan, under names that no other seed's have."""
    return [replace(case, case_id=f"{plan.seed} {case.case_id}") for case in map(case_of, fraud_manifest(plan))]


def silver_rows(spark: SparkSession, settings: Settings, plan: SimulationPlan) -> pa.Table:
    """The plan's events as rows of silver, as far as rules and evidence look at them; tokens by a key of the moment."""
    values = [orjson.dumps(event) for event in simulate(plan)]
    arrival = plan.start + timedelta(hours=plan.hours + 1)
    same = {"key": None, "topic": "trial", "partition": 0, "timestamp": arrival}
    columns = {name: [value] * len(values) for name, value in same.items()}
    kafka = pa.table(columns | {"value": values, "offset": range(len(values))}, schema=_KAFKA)
    events = bronze.parse_events(spark.createDataFrame(kafka), settings.dummy, settings.stream.future_tolerance)
    accepted = silver.transactions(events.withColumn("ingested_at", F.col("kafka_timestamp")))
    enriched = enrichment.with_steps(accepted, enrichment.silver_columns(new_ring()))
    return enriched.select(*dict.fromkeys([*movements.COLUMNS, *COLUMNS])).toArrow()


if __name__ == "__main__":
    sys.exit(run(main))
