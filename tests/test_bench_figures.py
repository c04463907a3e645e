import json
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.bench.bench_topic import Truth
from infra.bench.commit_growth import batch_costs, log_size
from infra.bench.drain_report import Standing, drain_report
from infra.bench.fast_forward import DAY, FORWARDED, fast_forward
from infra.bench.figures import first_reached, latency_percentiles, paired_ratio, slope
from infra.bench.freshness_report import alerts_seen, gold_seen
from infra.bench.growth import rising
from infra.bench.growth_report import growth_report, with_ratio
from infra.bench.open_loop import Template
from infra.bench.producer_report import Sender, producer_report
from infra.bench.registry import contestants_named
from infra.bench.report import markdown_table
from infra.bench.state_growth import BATCH_ROWS, Moment, by_memory, cost_of, new_keys
from infra.bench.versions import Rows, Watched, WatchedNote, rows_by_version, rows_seen_by, totals_by_version
from infra.bench.warm_process import Cost
from jobs.errors import SettingsError
from jobs.lake import Lake
from schemas.tables import BRONZE, PER_MINUTE


def test_a_ratio_that_is_the_same_in_every_round_has_no_width():
    ratio = paired_ratio([4.0, 8.0, 6.0], [2.0, 4.0, 3.0])

    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_a_ratio_is_taken_round_by_round_so_a_slow_round_of_both_does_not_move_it():
    assert paired_ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]).median == 2.0


def test_the_interval_of_a_ratio_holds_its_median_and_stays_within_what_was_seen():
    ratio = paired_ratio([3.0, 4.0, 5.0, 4.5, 3.5], [1.0] * 5)

    assert 3.0 <= ratio.low <= ratio.median == 4.0 <= ratio.high <= 5.0


def test_the_interval_of_one_round_is_that_round():
    assert paired_ratio([3.0], [2.0]).low == paired_ratio([3.0], [2.0]).high == 1.5


def test_a_percentile_is_a_latency_that_somebody_had():
    assert latency_percentiles(np.arange(1, 101)) == {"p50_s": 51.0, "p95_s": 96.0, "p99_s": 100.0, "max_s": 100.0}


def test_no_latency_has_no_percentile():
    assert latency_percentiles([]) == {}


def test_a_lag_that_grows_by_two_a_second_has_slope_two():
    assert slope([100.0, 105.0, 110.0], [7, 17, 27]) == pytest.approx(2.0)


def test_a_lag_seen_once_has_no_slope():
    assert slope([1.0], [5]) == 0.0


def test_a_count_is_reached_at_the_first_total_that_is_as_large():
    assert first_reached([1, 10, 11, 99], [0, 10, 30]).tolist() == [1, 1, 2, 3]


def test_a_total_that_falls_back_has_been_reached_all_the_same():
    assert first_reached([9], [10, 4, 12]).tolist() == [0]


def test_rows_are_seen_with_the_version_that_added_them(tmp_path):
    table = table_of(tmp_path, {"a": [1_000_000, 2_000_000]}, {"b": [3_500_000]}, seen=[10.0, 20.0])

    rows = rows_by_version(table)

    assert rows.due.tolist() == [1.0, 2.0, 3.5]
    assert rows.seen.tolist() == [10.0, 10.0, 20.0]
    assert rows.ends.tolist() == [2, 3]


def test_a_version_that_only_rewrites_files_adds_no_rows(tmp_path):
    table = table_of(tmp_path, {"a": [1_000_000]}, {"b": [1_000_000]}, seen=[10.0, 20.0], data_change=[True, False])

    assert rows_by_version(table).ends.tolist() == [1, 1]


def test_the_total_of_a_version_is_that_of_the_files_it_consists_of(tmp_path):
    log = tmp_path / "_delta_log"
    log.mkdir()
    for name, counts in {"a": [2, 3], "b": [4, 3]}.items():
        pq.write_table(pa.table({"event_count": counts}), tmp_path / name)
    (log / f"{0:020d}.json").write_text('{"metaData": {}}\n')
    (log / f"{1:020d}.json").write_text(json.dumps({"add": {"path": "a", "dataChange": True}}))
    actions = ({"add": {"path": "b", "dataChange": True}}, {"remove": {"path": "a"}})
    (log / f"{2:020d}.json").write_text("\n".join(map(json.dumps, actions)))

    assert totals_by_version(Watched(tmp_path, "event_count", seen=[1.0, 2.0, 3.0])).tolist() == [0, 5, 7]


def test_a_silver_row_is_seen_in_gold_once_gold_has_counted_its_version(tmp_path):
    (tmp_path / "_delta_log").mkdir()
    for version, total in enumerate((2, 4)):
        pq.write_table(pa.table({"event_count": [total]}), tmp_path / f"{version}")
        added = {"add": {"path": f"{version}", "dataChange": True}}
        removed = [{"remove": {"path": f"{version - 1}"}}] if version else []
        (tmp_path / "_delta_log" / f"{version:020d}.json").write_text("\n".join(map(json.dumps, [added, *removed])))
    silver = Rows(due=np.zeros(5), seen=np.zeros(5), ends=np.array([2, 3, 5]))

    seen = gold_seen(silver, Watched(tmp_path, "event_count", seen=[7.0, 9.0]))

    assert seen.tolist() == [7.0, 7.0, 9.0, np.inf, np.inf]


def test_a_row_has_its_alerts_when_the_note_stands_behind_its_version(tmp_path):
    note = WatchedNote(tmp_path / "0", seen=[5.0])
    silver = Rows(due=np.zeros(4), seen=np.zeros(4), ends=np.array([1, 3, 4]))

    assert alerts_seen(silver, note.seen).tolist() == [5.0, np.inf, np.inf, np.inf]

    note.look()
    note.path.write_text('v1\n{"reservoirVersion": 3, "index": -1}\n')
    note.look()

    assert len(note.seen) == 3
    assert np.isfinite(alerts_seen(silver, note.seen)).all()


def test_the_rows_seen_at_a_time_are_those_of_the_versions_before_it():
    rows = Rows(due=np.zeros(3), seen=np.zeros(3), ends=np.array([2, 3]))

    assert rows_seen_by(rows, [10.0, 20.0], [9.0, 10.0, 25.0]).tolist() == [0, 2, 3]


def test_a_template_is_filled_with_number_due_time_and_dates():
    template = Template(b'256777\t{"transactionReference":"@REFERENCE@","creationDate":"@TIME@","x":"@TIME@"}')

    record = json.loads(template.value(7, 1_774_634_400_000_250))

    assert template.key == b"256777"
    assert record["transactionReference"] == "B0000000007-1774634400000250"
    assert record["creationDate"] == record["x"] == "2026-03-27T18:00:00.000250Z"


def test_a_table_of_a_report_is_markdown():
    assert markdown_table(("a", "b"), [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_a_batch_costs_the_median_of_each_query_and_batches_without_rows_do_not_count():
    reports = [SimpleNamespace(batchDuration=ms, numInputRows=rows) for ms, rows in ((900, 10), (5, 0), (1100, 30))]

    costs = batch_costs({"ingest": reports, "gold": reports[:1]}, cpu=3.0)

    assert costs["batch_p50_s"] == 1.9
    assert costs["cpu_s_per_batch"] == 1.5
    assert costs["queries"]["ingest"] == {"batch_p50_s": 1.0, "rows_p50": 20, "batches": 2}


def test_each_cost_is_told_as_so_many_times_the_first():
    costs = with_ratio([{"x": 2.0}, {"x": 3.0}], "x")

    assert [cost["times_first"] for cost in costs] == [1.0, 1.5]


def test_a_batch_of_new_keys_costs_its_median_a_row_without_what_settles_the_first_ones():
    sizes = [1000, *BATCH_ROWS, *BATCH_ROWS, *BATCH_ROWS]
    tables = [pa.table({"offset": np.arange(size)}) for size in sizes]
    taken = [Moment(99, 99)] * 3 + [Moment(wall=0.006, cpu=0.003), Moment(wall=0.024, cpu=0.012)] * 2

    cost = cost_of(1000, tables, taken)

    assert cost["us_per_row"] == 1.0
    assert cost["batches"][1] == {"rows": BATCH_ROWS[1], "cpu_us_per_row": 1.0, "wall_us_per_row": 2.0}


def test_the_keys_to_be_remembered_come_first_and_no_key_comes_twice():
    tables = list(new_keys(500))
    keys = pa.concat_tables(tables)

    assert tables[0].num_rows == 500
    assert {table.num_rows for table in tables[1:]} == set(BATCH_ROWS)
    assert len(set(zip(keys["hash_1"].to_pylist(), keys["hash_2"].to_pylist(), strict=True))) == keys.num_rows


def test_a_set_that_takes_a_new_key_for_a_repeat_has_no_cost(tmp_path):
    remembered, batch, *_ = new_keys(100)

    assert len(by_memory([remembered, batch], tmp_path / "new")) == 2
    with pytest.raises(AssertionError, match="3,000 of 3,000 new keys"):
        by_memory([batch, batch], tmp_path / "repeated")


@pytest.mark.parametrize("text", ["", "x", "0,5", "10,10", "20,10", "1.5"])
def test_marks_that_do_not_rise_are_refused(text):
    with pytest.raises(SettingsError, match="--commits is"):
        rising("--commits", text)


def test_the_report_of_growth_has_the_keys_that_others_read():
    state = {
        "momostream": [
            cost_of(10, [None] * 3 + [pa.table({"x": np.arange(n)}) for n in BATCH_ROWS], [Moment(1, 1)] * 5)
        ]
    }
    query = {"batch_p50_s": 0.5, "rows_p50": 3000, "batches": 28}
    queries = dict.fromkeys(("ingest", "gold"), query)
    at = {"commit": 100, "batch_p50_s": 1.5, "cpu_s_per_batch": 2.0, "queries": queries, "log_bytes": 7, "log_files": 2}

    report = growth_report([at], state)

    assert report.figures["commits"][0]["log_bytes"] == 7
    assert report.figures["state"][0]["keys"] == 10
    assert "| 100 | 1.50 | 1.00 |" in report.markdown


def test_tables_are_brought_forward_with_checkpoints_and_without_a_change_of_data(tmp_path):
    lake = Lake(tmp_path)
    lake.create()
    for table in FORWARDED:
        log = tmp_path / table.name / "_delta_log" / f"{1:020d}.json"
        days = dict.fromkeys(table.partitioned_by, DAY.isoformat())
        add = {"path": "part-0", "partitionValues": days, "size": 1, "modificationTime": 1, "dataChange": True}
        remove = [{"remove": {"path": "gone", "dataChange": True}}] if table.name.startswith("gold") else []
        log.write_text("\n".join(map(json.dumps, [{"commitInfo": {}}, {"add": add}, *remove])))
        # The one commit that is copied names a file that is not there.
        (tmp_path / table.name / "part-0").touch()

    fast_forward(lake, 101, seconds_a_batch=2)

    logs = {table.name: tmp_path / table.name / "_delta_log" for table in FORWARDED}
    assert all((log / f"{100:020d}.checkpoint.parquet").exists() for log in logs.values())
    assert [len(lake.open(table).file_uris()) for table in (BRONZE, PER_MINUTE)] == [101, 2]
    newest = [json.loads(line) for line in (logs[BRONZE.name] / f"{101:020d}.json").read_text().splitlines()]
    assert newest[1]["add"]["dataChange"] is False
    assert (tmp_path / BRONZE.name / newest[1]["add"]["path"]).exists()
    assert log_size(lake)["tables"][BRONZE.name]["log_files"] == 102 + 2


def test_the_producers_are_compared_round_by_round():
    ours, other = (
        Sender(name, [], [Cost(s, s, None, 0.0, None, 0.0) for s in seconds])
        for name, seconds in (("momo produce", (4.0, 8.0)), ("bare", (2.0, 4.0)))
    )

    first, second = producer_report(100, 2, [ours, other]).figures["contestants"]

    assert first["times_momo_produce"] == 1.0
    assert second["times_momo_produce"] == 2.0
    assert (second["rows_per_s"], second["cpu_s_per_million_rows"]) == (33, 30_000.0)


def test_two_workers_are_compared_with_one_and_with_nobody_who_does_not_take_part():
    report = report_of({"momostream_1_worker": 9.0, "momostream_2_workers": 6.0})

    two = report.figures["contestants"][1]
    assert (two["times_momostream_1_worker"], two["times_momostream"]) == (1.5, None)
    assert "× momostream_1_worker | of roofline" in report.markdown
    assert "× tutorial" not in report.markdown


def report_of(seconds):
    """The report of two rounds in which each contestant took these seconds."""
    truth = Truth("t", 900, 7, Decimal(1), 900, Decimal(1))
    standings = [Standing(contestant) for contestant in contestants_named(",".join(seconds))]
    for standing in standings:
        standing.rounds += [Cost(seconds[standing.name], 1.0, None, 1.0, None, 0.0)] * 2
    return drain_report(truth, standings, warm_ups=1, rounds=2, roofline=None)


def table_of(folder, *versions, seen, data_change=None):
    """A table whose versions each add one file of records with these due times, in microseconds."""
    (folder / "_delta_log").mkdir()
    for version, files in enumerate(versions):
        actions = []
        for name, micros in files.items():
            references = [f"B{i:010d}-{due:016d}" for i, due in enumerate(micros)]
            pq.write_table(pa.table({"transaction_reference": references}), folder / name)
            actions.append({"add": {"path": name, "dataChange": (data_change or [True] * len(versions))[version]}})
        (folder / "_delta_log" / f"{version:020d}.json").write_text("\n".join(map(json.dumps, actions)))
    return Watched(folder, "transaction_reference", seen=seen)
