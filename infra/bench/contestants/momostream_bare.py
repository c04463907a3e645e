"""The contestant momostream_bare: the pipeline without alerts, and no country or operator is looked up for silver.

What `momostream` takes longer is what enrichment and rules cost. There is one corridor then, of nobody knows where.
"""

import sys
from collections.abc import Mapping, Sequence
from unittest.mock import patch

from pyspark.sql import Column
from pyspark.sql import functions as F

from infra.bench.contestants import momostream
from jobs import enrichment
from jobs.command_line import run

_looked_up = enrichment.countries_and_operators


def main(argv: Sequence[str] | None = None) -> int:
    """Serve rounds until the input ends."""
    with patch.object(enrichment, "countries_and_operators", _unknown):
        return momostream.main(argv)


def _unknown(countries: Mapping[str, str], operators: Mapping[str, str]) -> dict[str, Column]:
    return {name: F.lit("unknown") for name in _looked_up(countries, operators)}


if __name__ == "__main__":
    sys.exit(run(main))
