import json

import pytest

from infra.bench.run_bench import main
from infra.bench.state_growth import by_spark, new_keys

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


def test_batches_are_measured_at_each_commit(tmp_path, capsys):
    arguments = ["--commits", "20,120", "--batches", "3", "--only", "commits", "--folder", str(tmp_path), "--json"]

    assert main(["growth", *arguments]) == 0

    first, second = json.loads(capsys.readouterr().out.splitlines()[-1])["commits"]
    assert (first["commit"], second["commit"]) == (20, 120)
    assert all(at["queries"][name]["batches"] >= 1 for at in (first, second) for name in ("ingest", "gold"))
    assert second["log_files"] > first["log_files"] + 5 * 90


def test_each_file_of_keys_is_a_batch_of_spark(spark, tmp_path):
    few = [table.slice(0, 50) for table in list(new_keys(200))[:4]]

    taken = by_spark(spark, few, tmp_path)

    # That of the last is not known.
    assert len(taken) == 3
    assert all(cost.wall > 0 for cost in taken)
