"""`momo train` and `momo learn` on a lake: what is written, what a second run changes, what is refused."""

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import joblib
import pyarrow.parquet as pq
import pytest

from jobs import learn_from_tables, train_anomaly_model
from jobs.command_line import run
from jobs.erasure import _delete_noted, _erase_table
from jobs.expectations import check_rows, tables_named
from jobs.lake import Lake
from jobs.learning.day_tables import put_day
from jobs.maintenance import maintain, maintaining, tables_to_maintain
from jobs.persons import Persons, RowsWithout
from schemas.tables import (
    AGENT_5M,
    AGENT_DAY_SCORES,
    AGENT_LIQUIDITY,
    ANOMALIES,
    CUSTOMER_DAY_SCORES,
    CUSTOMER_SEGMENTS,
    LEARNED,
    PER_MINUTE,
    SILVER,
)
from tests.builders import SETTINGS, put_rows
from tests.learning.worlds import DAY, MIDNIGHT
from tests.pipeline.test_expectations import failing, suite_of

AGENTS, SERVED, DAYS = 210, 6, 12
START = MIDNIGHT - timedelta(days=DAYS - 1)
NAMES = [table.name for table in LEARNED]


def minute(at, count):
    money = {"amount": Decimal(count * 5000), "failed_amount": Decimal(0), "fee_amount": Decimal(0)}
    key = {"window_start": at, "window_end": at + timedelta(minutes=1), "window_date": at.date()}
    counts = {"event_count": count, "transaction_count": count, "failed_count": 0}
    return key | counts | money | {"transaction_type": "deposit", "currency": "UGX", "channel": "agent"}


def five_minutes(at):
    counts = {"cash_in_count": 1, "cash_in_amount": Decimal(1000), "cash_out_count": 0, "cash_out_amount": Decimal(0)}
    key = {"window_start": at, "window_date": at.date(), "agent_id": "AG-000", "currency": "UGX"}
    return key | counts | {"net_float": Decimal(-1000)}


def deposit(i, n):
    """The agent's nth deposit of the day; each customer goes to six agents."""
    at = MIDNIGHT + timedelta(hours=7 + 2 * n, minutes=i % 60)
    customer = f"k1_{(i * SERVED + n) % AGENTS:026d}"
    parties = {"debit_party": f"identityalias:AG-{i:03d}", "credit_party": f"msisdn:{customer}"}
    what = {"transaction_type": "deposit", "status": "completed", "currency": "UGX", "agent_id": f"AG-{i:03d}"}
    money = {"amount": Decimal(5000 + 100 * ((i * 7 + n * 13) % 50))}
    time = {"event_time": at, "event_date": at.date()}
    return {"transaction_reference": f"D-{i}-{n}", "credit_token": customer} | parties | what | money | time


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Minutes of twelve days, an agent that cashes in, and a day of silver; the first minute after that day is there."""
    lake = Lake(tmp_path_factory.mktemp("learned") / "lake")
    lake.create()
    put_rows(
        lake,
        PER_MINUTE,
        *(minute(START + timedelta(minutes=m), 5 + m % 3) for m in range(DAYS * 1440 + 1) if m % 1440 < 300),
    )
    put_rows(lake, AGENT_5M, *(five_minutes(START + timedelta(hours=h)) for h in range(DAYS * 24)))
    put_rows(lake, SILVER, *(deposit(i, n) for i in range(AGENTS) for n in range(SERVED)))
    return lake


@pytest.fixture(scope="module")
def trained(lake):
    assert run(train_anomaly_model.main, ["--lake", str(lake.path), "--from", str(DAY), "--to", "2026-03-26"]) == 0
    return lake


def learned(lake, *arguments):
    return run(learn_from_tables.main, ["--lake", str(lake.path), "--day", str(DAY), *arguments])


def count(lake, table):
    return lake.value(f"SELECT count(*) FROM {table.name} WHERE day = '{DAY}'")


def test_without_a_model_the_scores_are_left_and_all_else_is_written(lake, capsys):
    assert learned(lake, "--json") == 0

    told = {table["table"]: table for table in json.loads(capsys.readouterr().out)["tables"]}
    assert list(told) == NAMES
    for table in (AGENT_DAY_SCORES, CUSTOMER_DAY_SCORES):
        assert told[table.name]["left"] == "there is no model yet: run `momo train`"
        assert lake.open(table) is None
    assert count(lake, ANOMALIES) == told[ANOMALIES.name]["rows"] == 3 * 300 + 2 * 24
    assert count(lake, AGENT_LIQUIDITY) == 1
    assert count(lake, CUSTOMER_SEGMENTS) == AGENTS
    # Asked for by name, it is an error.
    assert learned(lake, "--tables", AGENT_DAY_SCORES.name) == 65
    assert "There is no model agent_days" in capsys.readouterr().err


def test_a_second_run_changes_nothing(trained, capsys):
    assert learned(trained) == 0
    versions = {name: trained.open(table).version() for name, table in zip(NAMES, LEARNED, strict=True)}
    capsys.readouterr()

    assert learned(trained, "--json") == 0

    told = json.loads(capsys.readouterr().out)["tables"]
    assert [table["is_changed"] for table in told] == [False] * len(LEARNED)
    assert {name: trained.open(table).version() for name, table in zip(NAMES, LEARNED, strict=True)} == versions


def test_what_was_learned_of_a_day_fulfils_what_is_expected_of_it(trained, spark):
    assert learned(trained) == 0

    assert set(LEARNED) <= set(tables_named(trained, None))
    for table in LEARNED:
        assert failing(check_rows(trained.read(spark, table), suite_of(table))) == []


def test_scores_are_those_of_agents_and_customers_who_did_enough(trained):
    assert learned(trained) == 0

    assert count(trained, AGENT_DAY_SCORES) == AGENTS
    assert count(trained, CUSTOMER_DAY_SCORES) == AGENTS
    sql = f"SELECT * FROM {AGENT_DAY_SCORES.name} WHERE agent_id = 'AG-000'"
    (agent,) = trained.query(sql).to_pylist()
    facts = ("day", "transaction_count", "amount", "distinct_parties", "active_hours", "in_share", "model_version")
    amount = sum(deposit(0, n)["amount"] for n in range(SERVED))
    assert tuple(agent[name] for name in facts) == (DAY, SERVED, amount, SERVED, SERVED, 0.0, 1)
    # From 5000 to 9900 in hundreds: two digits before the zeros.
    assert agent["round_share"] == 1.0


def test_the_float_of_a_file_tells_when_it_runs_out(lake, tmp_path):
    path = tmp_path / "floats.csv"
    path.write_text("agent_id,currency,float_amount\nAG-000,UGX,4500\n")

    assert learned(lake, "--tables", AGENT_LIQUIDITY.name, "--floats", str(path)) == 0

    (row,) = lake.query(f"SELECT * FROM {AGENT_LIQUIDITY.name}").to_pylist()
    assert row["cumulative_net_float"][:2] == [Decimal("-1000.0000"), Decimal("-2000.0000")]
    assert row["runs_out_at"] == MIDNIGHT + timedelta(days=1, hours=5)


def test_the_same_days_train_no_second_version(trained, capsys):
    arguments = ["--lake", str(trained.path), "--from", str(DAY), "--to", "2026-03-26", "--json"]
    assert run(train_anomaly_model.main, arguments) == 0

    models = json.loads(capsys.readouterr().out)["models"]
    assert [(model["name"], model["version"], model["is_new"]) for model in models] == [
        ("agent_days", 1, False),
        ("customer_days", 1, False),
    ]
    assert models[0]["delta_versions"] == {SILVER.name: 1}
    assert (models[0]["first_day"], models[0]["last_day"]) == (str(DAY), str(DAY))
    assert models[0]["metrics"]["days"] == AGENTS
    files = sorted(path.name for path in (trained.path / "_models" / "agent_days").iterdir())
    assert files == ["0001.joblib", "0001.json"]


def test_where_there_are_no_agents_the_model_of_customers_is_trained_all_the_same(tmp_path, capsys):
    lake = Lake(tmp_path / "lake")
    lake.create()
    put_rows(lake, SILVER, *(deposit(i, n) | {"agent_id": None} for i in range(AGENTS) for n in range(SERVED)))

    assert run(train_anomaly_model.main, ["--lake", str(lake.path), "--from", str(DAY), "--to", "2026-03-26"]) == 65

    assert capsys.readouterr().err.startswith(
        "The model agent_days cannot be trained from 2026-03-25 to 2026-03-26: 0 d"
    )
    assert [path.name for path in (lake.path / "_models").iterdir()] == ["customer_days"]


@pytest.fixture
def model_file(trained):
    """The agents' model, put back afterwards."""
    folder = trained.path / "_models" / "agent_days"
    kept = {path: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()}
    yield folder / "0001.joblib"
    for path, (content, mode) in kept.items():
        path.write_bytes(content)
        path.chmod(mode)


def test_a_model_of_another_scikit_learn_is_refused_before_it_is_loaded(trained, model_file, capsys):
    about = json.loads(model_file.with_suffix(".json").read_text())
    model_file.with_suffix(".json").write_text(json.dumps(about | {"scikit_learn": "0.24.2"}))
    model_file.write_bytes(b"whatever")

    assert learned(trained, "--tables", AGENT_DAY_SCORES.name) == 69

    assert "The model agent_days 1 was made by scikit-learn 0.24.2, and" in capsys.readouterr().err


def test_a_model_that_is_not_the_one_that_was_trained_is_not_loaded(trained, model_file, capsys):
    joblib.dump({"forest": None}, model_file)

    assert learned(trained, "--tables", AGENT_DAY_SCORES.name) == 65
    assert "is not the file that was trained" in capsys.readouterr().err

    model_file.chmod(0o622)
    assert learned(trained, "--tables", AGENT_DAY_SCORES.name) == 65
    assert "may be written by others" in capsys.readouterr().err

    model_file.unlink()
    assert learned(trained, "--tables", AGENT_DAY_SCORES.name) == 65
    assert "is gone" in capsys.readouterr().err


def test_without_scikit_learn_all_but_the_scores_is_learned(lake, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)

    assert learned(lake, "--tables", f"{ANOMALIES.name},{AGENT_LIQUIDITY.name},{CUSTOMER_SEGMENTS.name}") == 0
    assert run(train_anomaly_model.main, ["--lake", str(lake.path), "--from", str(DAY), "--to", "2026-03-26"]) == 69
    assert "scikit-learn is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "arguments", "code", "sentence"),
    [
        (learn_from_tables, ["--day", "2026-03-26"], 75, "so 2026-03-26 is not over"),
        (learn_from_tables, ["--day", "yesterday"], 64, "--day is 'yesterday', a day such as"),
        (learn_from_tables, ["--day", "2026-03-25", "--tables", "gold"], 64, "names 'gold', which is not learned"),
        (learn_from_tables, ["--day", "2026-03-25", "--floats", "/no/file"], 64, "/no/file cannot be read"),
        (train_anomaly_model, ["--from", "2026-03-25", "--to", "2026-03-25"], 64, "a day after --from"),
        (train_anomaly_model, ["--from", "2026-03-24", "--to", "2026-03-25"], 65, "agent_days cannot be trained from"),
        (train_anomaly_model, ["--from", "2026-03-25", "--to", "2026-03-26", "--lake", "/no/lake"], 64, "no tables in"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(lake, capsys, program, arguments, code, sentence):
    assert run(program.main, ["--lake", str(lake.path), *arguments]) == code

    assert sentence in capsys.readouterr().err


@pytest.fixture
def segments(trained, tmp_path):
    """A lake of customers' segments alone, whose rows were written twice: a replaced file holds them too."""
    assert learned(trained) == 0
    rows = trained.query(f"SELECT * FROM {CUSTOMER_SEGMENTS.name}")
    lake = Lake(tmp_path / "lake")
    assert put_day(lake, CUSTOMER_SEGMENTS, DAY, rows.slice(1))
    assert put_day(lake, CUSTOMER_SEGMENTS, DAY, rows)
    return lake


def test_the_rows_of_an_erased_customer_go_and_those_of_all_others_stay(segments):
    token = f"k1_{7:026d}"
    before = set(segments.query(f"SELECT customer_token FROM {CUSTOMER_SEGMENTS.name}")["customer_token"].to_pylist())

    _, done = _erase_table(segments, CUSTOMER_SEGMENTS, RowsWithout(Persons({}, frozenset([token]), frozenset())))

    after = segments.query(f"SELECT customer_token FROM {CUSTOMER_SEGMENTS.name}")["customer_token"].to_pylist()
    assert set(after) == before - {token}
    assert len(after) == AGENTS - 1
    assert (done["rows"], done["files"]) == (1, 1)
    # The replaced file held it too.
    assert _delete_noted(segments) == 2
    files = [path for path in segments.path.rglob("*") if path.is_file()]
    values = [str(pq.read_table(path).to_pydict()) for path in files if path.suffix == ".parquet"]
    assert [text for text in [*values, *(path.read_bytes().decode("latin-1") for path in files)] if token in text] == []


def test_a_day_without_rows_takes_the_rows_away_that_were_there(segments):
    nothing = segments.query(f"SELECT * FROM {CUSTOMER_SEGMENTS.name} WHERE false")

    assert put_day(segments, CUSTOMER_SEGMENTS, DAY, nothing)
    assert not put_day(segments, CUSTOMER_SEGMENTS, DAY, nothing)
    assert count(segments, CUSTOMER_SEGMENTS) == 0


def test_maintenance_knows_what_was_learned(segments):
    with maintaining(segments):
        (done,) = [maintain(segments, table, SETTINGS.maintain) for table in tables_to_maintain(segments, None)]

    assert done.table == CUSTOMER_SEGMENTS.name
    assert count(segments, CUSTOMER_SEGMENTS) == AGENTS


def test_days_are_apart(segments):
    rows = segments.query(f"SELECT * FROM {CUSTOMER_SEGMENTS.name}")
    other = rows.set_column(0, rows.schema.field(0), [[DAY + timedelta(days=1)] * rows.num_rows])

    assert put_day(segments, CUSTOMER_SEGMENTS, DAY + timedelta(days=1), other)

    assert count(segments, CUSTOMER_SEGMENTS) == AGENTS
    assert segments.value(f"SELECT count(*) FROM {CUSTOMER_SEGMENTS.name}") == 2 * AGENTS


def test_an_unfinished_day_is_none(tmp_path, capsys):
    lake = Lake(tmp_path / "lake")
    lake.create()
    assert learned(lake) == 75
    put_rows(lake, PER_MINUTE, minute(datetime(2026, 3, 25, 22, 14, tzinfo=UTC), 5))
    assert learned(lake) == 75

    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("Gold has no window, so 2026-03-25 is not over")
    assert said[1].startswith("Gold reaches to 2026-03-25 22:14, so 2026-03-25 is not over")
