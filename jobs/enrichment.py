"""What silver adds to a transaction from reference tables: country and operator of each phone number."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.settings import ROOT

REFERENCE = ROOT / "conf" / "reference"


def read_prefixes(folder: Path = REFERENCE) -> tuple[dict[str, str], dict[str, str]]:
    """Country by calling code, and operator by number prefix (both digits without a plus)."""
    return (
        _read(folder / "countries.csv", "calling_code", "country"),
        _read(folder / "operators.csv", "prefix", "operator"),
    )


def silver_columns() -> dict[str, Column]:
    """What silver makes of a bronze row beyond its own columns, from the reference tables of the project."""
    return countries_and_operators(*read_prefixes())


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
    """A map is searched from its beginning: so first the ones with the same two digits, then among these."""
    shelves: dict[str, dict[str, str]] = {}
    for prefix, name in table.items():
        shelves.setdefault(prefix[:2], {})[prefix] = name
    # One text instead of a literal per prefix, of which each is a call to the JVM; Spark makes it a map once.
    shelf = F.try_element_at(F.from_json(F.lit(json.dumps(shelves)), _SHELVES), F.substring(msisdn, 1, 2))
    lengths = sorted({len(prefix) for prefix in table}, reverse=True)
    found = [F.try_element_at(shelf, F.substring(msisdn, 1, length)) for length in lengths]
    return F.when(msisdn.isNull(), "none").otherwise(F.coalesce(*found, F.lit("unknown")))


_SHELVES = "map<string, map<string, string>>"
