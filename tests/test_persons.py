"""Rows of bronze without a person, on Arrow tables of a few columns."""

import pyarrow as pa
import pytest

from jobs.enrichment import read_prefixes
from jobs.msisdn import read_number_plan
from jobs.persons import AlertsWithout, BronzeWithout, Persons
from schemas.tables import BRONZE
from tests.builders import RING

GRACE = "256777999111"
PREFIXES = [prefix for table in read_prefixes() for prefix in table]


def persons(*numbers):
    return Persons.of(numbers, RING, read_number_plan(), PREFIXES)


def bronze(**row):
    """One row; what is not given is null."""
    types = {"partition": pa.int32(), "offset": pa.int64(), "kafka_timestamp": pa.timestamp("us", "UTC")}
    types["payload_bytes"] = pa.binary()
    columns = [name for name in BRONZE.column_names if name in BronzeWithout.columns]
    return pa.table({name: pa.array([row.get(name)], types.get(name, pa.string())) for name in columns})


CHANGED = {
    "a payer": (
        {"debit_party": f"msisdn:{GRACE}", "debit_msisdn": GRACE},
        {"debit_party": "msisdn:erased", "debit_msisdn": "25677xxxxxxx", "payload": "erased"},
    ),
    "a payee in another spelling": (
        {"credit_party": "msisdn:002560777999111", "credit_msisdn": "002560777999111"},
        {"credit_party": "msisdn:erased", "credit_msisdn": "25677xxxxxxx", "payload": "erased"},
    ),
    "a party under the sender's own key": (
        {"debit_party": f"my {GRACE}:+256 777 999 111"},
        {"debit_party": "other:erased", "payload": "erased"},
    ),
    "an agent": (
        {"debit_party": f"identityalias:{GRACE}", "agent_id": f"+{GRACE}"},
        {"debit_party": "identityalias:erased", "agent_id": RING.token(GRACE), "payload": "erased"},
    ),
    "a Kafka key": ({"key": f"msisdn:{GRACE}"}, {"key": None, "payload": "erased"}),
    "a text": ({"payload": '{"note":"ask +256 777-999 111"}'}, {"payload": "erased"}),
    "bytes": ({"payload_bytes": b"\xff" + GRACE.encode()}, {"payload_bytes": None, "payload": "erased"}),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_person_goes_from_wherever_bronze_has_the_number(name):
    before, after = CHANGED[name]
    row = {"topic": "t", "partition": 0, "offset": 7, "agent_id": "AG-1"} | before

    changed, theirs = BronzeWithout(persons(GRACE, "256777999222"))(bronze(**row))

    assert changed.to_pylist() == bronze(**row | after).to_pylist()
    assert changed.schema == bronze().schema
    assert theirs.to_pylist() == [True]


@pytest.mark.parametrize(
    "row",
    [
        {"debit_party": "msisdn:2567779991110", "payload": "2567779991110"},
        {"payload": f"9{GRACE}"},
        {"debit_party": "msisdn:erased", "debit_msisdn": "25677xxxxxxx", "payload": "erased"},
    ],
)
def test_whoever_else_it_is_stays(row):
    changed, theirs = BronzeWithout(persons(GRACE))(bronze(**row))

    assert changed.to_pylist() == bronze(**row).to_pylist()
    assert theirs.to_pylist() == [False]


def test_a_number_is_erased_as_it_was_before_its_country_changed_it():
    for number in ("22997123456", "2290197123456"):
        changed, _ = BronzeWithout(persons(number))(
            bronze(debit_party="msisdn:22997123456", debit_msisdn="22997123456")
        )
        assert changed["debit_msisdn"].to_pylist() == ["229xxxxxxxxxx"]


def test_thousands_are_erased_at_once():
    many = persons(*(str(256_777_000_000 + i) for i in range(3000)))

    _, theirs = BronzeWithout(many)(bronze(payload="256777002999"))

    assert theirs.to_pylist() == [True]


def test_an_alert_keeps_the_other_party_of_a_pair():
    token, other = RING.token(GRACE), RING.token("256777999222")
    entities = [token, other, "AG-1", f"identityalias:AG-1 | msisdn:{token}", f"msisdn:{other} | msisdn:{token}"]

    rows, theirs = AlertsWithout(persons(GRACE))(pa.table({"entity": entities}))

    assert rows["entity"].to_pylist() == [
        "erased",
        other,
        "AG-1",
        "identityalias:AG-1 | msisdn:erased",
        f"msisdn:{other} | msisdn:erased",
    ]
    assert theirs.to_pylist() == [True, False, False, True, True]
