import itertools
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import SettingsError
from producers.faults import KINDS, FaultInjector, FaultPlan, load_plan
from producers.malformed import ODDITIES
from producers.simulation import SimulationPlan, mixed_records
from producers.wire import WireRecord
from tests.builders import bronze_rows

ROOT = Path(__file__).resolve().parents[2]
PLAN_FILE = ROOT / "conf" / "faults.toml"
START = datetime(2026, 3, 27, 10, tzinfo=UTC)
CONTRACT = jsonschema_rs.validator_for(
    orjson.loads((ROOT / "schemas" / "transaction_event.json").read_bytes()), validate_formats=True
)
# These keep the wire contract: only the stream's rules refuse them.
REFUSED_BY_RULES_ALONE = {"zero_amount", "fraction_of_shilling", "same_parties", "future_dated"}
RECORDS = [
    WireRecord(b"%d" % place, orjson.dumps(record), START + timedelta(seconds=place), place)
    for place, record in enumerate(mixed_records(SimulationPlan(5, START, 3, events=2_500, dummies=100)), 1)
]
BY_VALUE = {record.value: record for record in RECORDS}


def injected(kind, records=RECORDS, how_many=20):
    """What a plan of one kind adds to the records, each with the record that it was made from."""
    injector = FaultInjector(FaultPlan(seed=1, per_thousand={kind: how_many}))
    added = [record for record in injector.apply(records) if record.value not in BY_VALUE or record.key is None]
    bases = {record.line: orjson.loads(record.value) for record in records}
    return [(bases[record.line], record.value) for record in added]


def key_of(record):
    fields = orjson.loads(record.value)
    return fields.get("transactionReference", fields.get("transaction_id")), fields.get("transactionStatus")


def recount(records_out):
    """The manifest's expectation told from the output alone, by the wire contract and plain reading."""
    counts, seen = Counter(), defaultdict(set)
    for record in records_out:
        if record.value is None:
            counts["null_value"] += 1
            continue
        try:
            fields = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            is_text = b"caf\xe9" not in record.value
            counts["not_one_json_object" if is_text else "bad_utf8"] += 1
            continue
        if not isinstance(fields, dict):
            counts["not_one_json_object"] += 1
        elif rule := broken_rule(fields):
            counts[rule] += 1
        else:
            before = seen[key_of(record)]
            counts["silver" if not before else "duplicates" if record.value in before else "conflicts"] += 1
            before.add(record.value)
    return counts


def broken_rule(fields):
    if "transaction_id" in fields:
        return None
    dates = [fields[name] for name in ("modificationDate", "creationDate", "requestDate") if name in fields]
    numbers = [party["value"] for party in fields["debitParty"] + fields["creditParty"] if party["key"] == "msisdn"]
    is_amount = re.fullmatch(r"\d+([.]\d{1,4})?", fields["amount"])
    broken = {
        "missing_reference": "transactionReference" not in fields,
        "unknown_type": fields["type"] == "lottery",
        "bad_amount": not is_amount,
        "zero_amount": fields["amount"] == "0",
        "too_many_decimals": is_amount and fields["currency"] == "UGX" and "." in fields["amount"],
        "bad_msisdn": not all(number.removeprefix("+").isdecimal() for number in numbers),
        "same_parties": fields["debitParty"] == fields["creditParty"],
        "bad_event_time": datetime.fromisoformat(dates[0]).tzinfo is None,
        "future_event_time": dates[0].startswith("2999"),
    }
    rules = [rule for rule, is_broken in broken.items() if is_broken]
    assert len(rules) < 2, f"{rules} broken at once"
    return rules[0] if rules else None


def plans():
    return st.builds(
        FaultPlan,
        seed=st.integers(0, 2**32),
        per_thousand=st.dictionaries(st.sampled_from(KINDS), st.integers(0, 60), max_size=len(KINDS)),
        late_by_records=st.integers(1, 900),
        swap_within_records=st.integers(1, 20),
        repeat_within_records=st.integers(1, 400),
    )


@settings(max_examples=25, deadline=None)
@given(plan=plans(), size=st.integers(0, 1_200))
def test_the_manifest_equals_a_recount_of_the_output(plan, size):
    injector = FaultInjector(plan)
    out = list(injector.apply(RECORDS[:size]))

    expected = injector.manifest["expected"]
    stated = Counter(expected["quarantine"]) + Counter({k: n for k, n in expected.items() if k != "quarantine"})
    assert stated == +recount(out)
    assert injector.manifest["records_in"] == size
    assert injector.manifest["records_out"] == len(out) == stated.total()


@settings(max_examples=25, deadline=None)
@given(plan=plans(), size=st.integers(0, 1_200))
def test_every_input_record_comes_out_once_beside_what_was_injected(plan, size):
    injector = FaultInjector(plan)
    out = Counter(injector.apply(RECORDS[:size]))

    records_in = Counter(RECORDS[:size])
    assert records_in <= out
    manifest = injector.manifest["injected"]
    assert (out - records_in).total() == sum(n for kind, n in manifest.items() if kind not in ("late", "out_of_order"))
    assert sum(n - 1 for record, n in out.items() if record in records_in) == manifest.get("duplicates", 0)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    per_thousand = dict.fromkeys(KINDS, 5)
    first, again, other = (list(FaultInjector(FaultPlan(seed, per_thousand)).apply(RECORDS)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_an_empty_plan_changes_nothing():
    assert list(FaultInjector(FaultPlan(seed=1)).apply(RECORDS)) == RECORDS


def test_a_thousand_records_get_as_many_faults_as_the_plan_says():
    injector = FaultInjector(FaultPlan(1, {"duplicates": 7, "late": 3, "zero_amount": 2}))
    list(injector.apply(RECORDS[:2_000]))
    assert injector.manifest["injected"] == {"duplicates": 14, "late": 6, "zero_amount": 4}


@pytest.mark.parametrize("kind", sorted(ODDITIES.keys() - REFUSED_BY_RULES_ALONE - {"unknown_fields", "null_key"}))
def test_a_malformed_record_breaks_the_wire_contract(kind):
    added = injected(kind)
    assert len(added) > 40
    for _, value in added:
        try:
            assert not CONTRACT.is_valid(orjson.loads(value or b""))
        except orjson.JSONDecodeError:
            assert kind in ("truncated", "trailing_junk", "bad_utf8", "null_value")


@pytest.mark.parametrize("kind", sorted(REFUSED_BY_RULES_ALONE | {"unknown_fields", "null_key"}))
def test_an_odd_record_that_only_a_rule_can_judge_keeps_the_wire_contract(kind):
    added = injected(kind)
    assert len(added) > 40
    assert all(CONTRACT.is_valid(orjson.loads(value)) for _, value in added)
    assert {broken_rule(orjson.loads(value)) for _, value in added} == {ODDITIES[kind].rule}


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("negative_amount", {"amount"}),
        ("too_precise_amount", {"amount"}),
        ("zero_amount", {"amount"}),
        ("unknown_type", {"type"}),
        ("same_parties", {"creditParty"}),
        ("no_zone", {"creationDate", "modificationDate", "requestDate"}),
        ("future_dated", {"creationDate", "modificationDate", "requestDate"}),
        ("letters_in_msisdn", {"debitParty", "creditParty"}),
        ("fraction_of_shilling", {"amount", "currency", "fees"}),
        ("unknown_fields", {"loyaltyPoints", "device"}),
    ],
)
def test_an_odd_record_differs_from_its_base_only_in_what_it_breaks(kind, changed):
    for base, value in injected(kind):
        odd = orjson.loads(value)
        different = {name for name in base.keys() | odd.keys() if base.get(name) != odd.get(name)}
        assert different <= changed | {"transactionReference"}
        assert odd["transactionReference"] == f"{base['transactionReference']}-{kind}"
        assert different & changed


def test_a_record_with_bad_utf8_is_json_but_for_its_bytes():
    for _, value in injected("bad_utf8"):
        with pytest.raises(UnicodeDecodeError):
            value.decode()
        assert CONTRACT.is_valid(orjson.loads(value.decode("latin-1").encode()))


def test_the_first_of_a_conflict_is_the_true_record_even_when_that_is_late():
    plan = FaultPlan(3, dict.fromkeys(("duplicates", "conflicts", "late"), 400), 300, repeat_within_records=50)
    first = {}
    for record in FaultInjector(plan).apply(RECORDS):
        assert first.setdefault(key_of(record), record.value) in BY_VALUE


def test_a_late_record_comes_after_as_many_newer_ones_as_the_plan_says():
    out = list(FaultInjector(FaultPlan(3, {"late": 10}, late_by_records=500)).apply(RECORDS[:2_000]))
    newer_before = [sum(other.line > record.line for other in out[:place]) for place, record in enumerate(out)]
    late = [newer for newer, record in zip(newer_before, out, strict=True) if newer and record.line <= 1_000]
    assert len(late) == 10
    # Less those of the 500 that are late themselves.
    assert all(490 <= newer <= 500 for newer in late)


@pytest.mark.parametrize("most", [1, 5])
def test_a_record_out_of_order_is_passed_by_a_few_newer_ones_only(most):
    out = list(FaultInjector(FaultPlan(3, {"out_of_order": 50}, swap_within_records=most)).apply(RECORDS[:1_000]))
    passed_by = [sum(other.line > record.line for other in out[:place]) for place, record in enumerate(out)]
    assert max(passed_by) == most
    # Not all 50: two neighbours held back alike keep their order.
    assert sum(number > 0 for number in passed_by) > 43


def test_added_records_keep_the_event_time_of_their_base():
    times = {record.line: record.event_time for record in RECORDS}
    out = FaultInjector(FaultPlan(1, dict.fromkeys(KINDS, 20))).apply(RECORDS)
    assert all(record.event_time == times[record.line] for record in out)


def test_faults_are_made_from_good_records_alone():
    values = (None, b"", b"{", b"[]", b"{}", b"\xff")
    broken = [WireRecord(None, value, None, line) for line, value in enumerate(values, 1)]
    injector = FaultInjector(FaultPlan(1, dict.fromkeys(ODDITIES, 1000) | {"duplicates": 1000, "conflicts": 1000}))
    assert list(injector.apply(broken)) == broken


def test_an_endless_input_needs_a_bounded_buffer():
    read = itertools.count()
    source = (RECORDS[next(read) % len(RECORDS)] for _ in itertools.repeat(None))
    plan = FaultPlan(1, dict.fromkeys(KINDS, 50), late_by_records=700, repeat_within_records=200)
    written = 0
    for _ in itertools.islice(FaultInjector(plan).apply(source), 30_000):
        written += 1
    assert next(read) - written < 900


@pytest.mark.parametrize("seed", [1, 2])
def test_the_stream_names_just_the_rule_that_each_fault_breaks(spark, seed):
    injector = FaultInjector(FaultPlan(seed, dict.fromkeys(KINDS, 25)))
    values = [record.value for record in injector.apply(RECORDS)]

    rows = bronze_rows(spark, values).groupBy("broken_rules").count().collect()

    expected = injector.manifest["expected"]
    fit = expected["silver"] + expected["duplicates"] + expected["conflicts"]
    assert {",".join(row["broken_rules"]): row["count"] for row in rows} == expected["quarantine"] | {"": fit}


def test_the_committed_plan_has_every_kind():
    assert load_plan(PLAN_FILE).per_thousand.keys() == set(KINDS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed = 1\nlate_by = 3", "'late_by' is unknown: known are seed, per_thousand, late_by_records"),
        ("seed = 1\n[per_thousand]\nduplicate = 3", "kind 'duplicate' is unknown: known are late, "),
        ("seed = 1\n[per_thousand]\nlate = 1001", "per_thousand.late is 1001: give a whole number, from 0 to 1000"),
        ("seed = 1\n[per_thousand]\nlate = 1.5", "per_thousand.late is 1.5: give a whole number"),
        ("seed = 1\nlate_by_records = 0", "late_by_records is 0: give a whole number, 1 or more"),
        ("seed = true", "seed is True: give a whole number"),
        ("seed = 1\nper_thousand = 5", "per_thousand is not a table"),
        ("late_by_records = 5", "has no seed"),
        ("seed =", "is not TOML"),
    ],
)
def test_a_wrong_plan_is_refused_by_name(tmp_path, text, sentence):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_plan(tmp_path / "plan.toml")
    assert sentence in str(refused.value)


def test_a_plan_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_plan(tmp_path / "plan.toml")
