"""What silver makes of a transaction's parties: country and operator of each phone number, and a token in its place."""

import csv
import json
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs import tokens
from jobs.key_ring import KeyRing
from jobs.msisdn import REFERENCE, read_number_plan

# Columns by name, step by step: those of a step are made of the steps before, as what is used twice is computed once.
Steps = Sequence[Mapping[str, Column]]


def read_prefixes(folder: Path = REFERENCE) -> tuple[dict[str, str], dict[str, str]]:
    """Country by calling code, and operator by number prefix (both digits without a plus)."""
    return (
        _read(folder / "countries.csv", "calling_code", "country"),
        _read(folder / "operators.csv", "prefix", "operator"),
    )


def silver_columns(ring: KeyRing) -> Steps:
    """What silver makes of a bronze row beyond its own columns, by the reference tables of the project and the keys."""
    plan = read_number_plan()
    return (
        tokens.canonical_numbers(plan),
        countries_and_operators(*read_prefixes()) | tokens.person_tokens(plan, ring),
        tokens.tokenised_parties(),
    )


def with_steps(rows: DataFrame, steps: Steps) -> DataFrame:
    """The rows with the columns of all steps."""
    return reduce(lambda frame, columns: frame.withColumns(dict(columns)), steps, rows)


def countries_and_operators(countries: Mapping[str, str], operators: Mapping[str, str]) -> dict[str, Column]:
    """The columns `debit_` and `credit_` `country` and `operator`, by longest prefix of the parties' numbers.

    `unknown` for a number whose prefix nobody knows, `none` for a party that is not a phone. Some hundred prefixes
    are cheaper as a map in the plan than as a broadcast join, which costs a job in every batch.
    """
    return {
        f"{side}_{what}": _by_prefix(F.col(f"{side}_msisdn"), table)
        for side in ("debit", "credit")
        for what, table in (("country", countries), ("operator", operators))
    }


def _read(path: Path, key: str, value: str) -> dict[str, str]:
    with path.open(newline="") as rows:
        return {row[key]: row[value] for row in csv.DictReader(rows)}


def _by_prefix(msisdn: Column, table: Mapping[str, str]) -> Column:
    # One text instead of a literal per prefix, of which each is a call to the JVM; Spark makes it a map once.
    names = F.from_json(F.lit(json.dumps(table)), "map<string, string>")
    lengths = sorted({len(prefix) for prefix in table}, reverse=True)
    found = [F.try_element_at(names, F.substring(msisdn, 1, length)) for length in lengths]
    return F.when(msisdn.isNull(), "none").otherwise(F.coalesce(*found, F.lit("unknown")))
