"""Spoiled records go through both ends: nothing crashes, nothing is lost, nothing is read as it was not written."""

from collections import Counter

import orjson
import pytest

from jobs.settings import ROOT
from tests.builders import dummy
from tests.hostile.reading import DEEPEST, read
from tests.hostile.verdicts import OF_THE_PRODUCER, OF_THE_STREAM, differences, judged_by_stream, spoiled_records

SEED = 20260327


@pytest.fixture(scope="module")
def records():
    return spoiled_records(SEED, chunk=0, count=20_000)


def test_each_spoiled_record_is_in_one_table_and_says_there_what_its_text_says(spark, records):
    accepted, refused = judged_by_stream(spark, [record.raw for record in records])

    kinds = Counter(differences(records, accepted, refused))

    assert len(accepted) > 2000
    assert len(refused) > 2000
    # The records are odd enough to show most of what may differ.
    assert len(kinds) > 10
    assert sum(kinds.values()) < len(records) / 5


def test_the_deepest_value_that_is_json_is_passed_over_where_its_field_is_there_twice(spark):
    def repeated(depth):
        other = b"[" * depth + b'"x"' + b"]" * depth
        return orjson.dumps(dummy(transaction_id="TX-1")).replace(b'"TX-1"', b'"TX-1","transaction_id":' + other)

    accepted, refused = judged_by_stream(spark, [repeated(depth) for depth in (DEEPEST - 1, DEEPEST, DEEPEST + 1)])

    assert refused == {0: ["missing_reference"], 2: ["not_one_json_object"]}
    assert accepted[1]["transaction_reference"] == "TX-1"
    assert read(repeated(DEEPEST)).columns()["transaction_reference"] == "TX-1"


def test_the_same_seed_spoils_the_same_records(records):
    assert spoiled_records(SEED, chunk=0, count=100) == records[:100]
    assert spoiled_records(SEED, chunk=1, count=100) != records[:100]


def test_every_difference_that_is_allowed_is_in_the_document():
    document = (ROOT / "docs" / "security.md").read_text()

    named = [f"| {name} |" for name in OF_THE_PRODUCER] + [f"| `{rule}` |" for rule in OF_THE_STREAM]
    assert [name for name in named if name not in document] == []
