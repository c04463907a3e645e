import json

import pytest

from infra.bench.run_bench import main

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


def test_a_time_of_each_producer_is_counted_after_its_records_were(tmp_path, capsys):
    arguments = ["--rows", "2000", "--rounds", "2", "--folder", str(tmp_path), "--json"]

    assert main(["producer", *arguments]) == 0

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["loop_s"] > 0
    contestants = figures["contestants"]
    assert [one["name"] for one in contestants][:2] == ["momo produce", "kafka-python"]
    assert all(one["rows_per_s"] > 0 and len(one["rounds"]) == 2 for one in contestants)
