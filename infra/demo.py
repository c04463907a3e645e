"""Everything once on dummy data: a broker, a producer with faults on purpose, the stream, the checks, a summary."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rich.console import Console

from infra.broker import create_topic, end_offsets, start_broker, stop_broker
from infra.demo_summary import Summary, print_summary
from infra.detection.evaluate_rules import evaluation_of
from infra.ports import free_port_pair
from jobs.errors import DataCheckFailed, DependencyMissing
from jobs.lake import Lake
from jobs.lake_keys import ring_of
from jobs.reconciliation import Reconciliation, quarantine_reasons, reconcile, record_conflicts
from jobs.settings import ROOT, Settings, load_settings
from producers.progress import progress
from producers.replay import ReplayCounts, ReplayOptions, replay
from schemas.tables import DAILY, GOLD, TABLES

DATA = ROOT / "data" / "transactions.json"
PLANTED = ROOT / "data" / "planted_fraud.ndjson"
FAULTS = ROOT / "conf" / "faults.toml"
FOLDER = ROOT / ".local" / "demo"
CONF_FILE, MANIFEST, PID_FILE = FOLDER / "pipeline.toml", FOLDER / "manifest.json", FOLDER / "stream.pid"

RECORDS_PER_SECOND = 500
PAUSE_AFTER_RECORDS = 2_500
# A cold start of Spark on a busy machine of two cores.
LONGEST_WAIT_SECONDS = 150

console = Console(stderr=True, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every record is accounted for and every check passed, 65 when not."""
    parser = argparse.ArgumentParser(prog="momo demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave broker and stream running, and say how to use them")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object; money as text")
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    summary = _run(arguments.keep)
    if arguments.json:
        print(json.dumps({**summary.as_dict(), "seconds": round(time.monotonic() - started)}))
    else:
        print_summary(summary, time.monotonic() - started)
    if summary.problems:
        raise DataCheckFailed(f"The demo does not add up: {'; '.join(summary.problems)}.")
    return 0


def _run(keep: bool) -> Summary:
    settings = _fresh_settings()
    lake = Lake(settings.lake_path)
    with ExitStack() as running:
        _say(f"starting a Kafka broker at {settings.kafka.bootstrap}")
        running.callback(stop_broker, settings)
        start_broker(settings)
        create_topic(settings)
        _say("starting the stream: spark-submit jobs/stream_transactions.py")
        with _stream() as stream:
            counts = _produce(settings, lambda: _await_tables(settings, lake, stream))
            _await_tables(settings, lake, stream)
        _say("checking the tables: spark-submit jobs/validate_tables.py")
        with lake.locked("momo demo"):
            record_conflicts(lake, ring_of(lake, settings.privacy))
        checks_passed = _submit("validate_tables.py", FOLDER / "checks.log").wait() == 0
        summary = Summary(
            counts=counts,
            manifest=json.loads(MANIFEST.read_text()),
            reconciliation=_proof(settings, lake),
            quarantine=quarantine_reasons(lake),
            tables=_rows_per_table(lake),
            alerts=_alerts_by_rule(lake),
            planted=_planted_and_suspected(lake, settings),
            corrected_windows=sum(lake.value(f"SELECT count(*) FROM {t.name} WHERE revision > 0") for t in GOLD),
            checks_passed=checks_passed,
            lake=lake.path,
        )
        if keep:
            running.pop_all()
            _keep_streaming(settings)
    return summary


def _fresh_settings() -> Settings:
    """Settings of a lake and a broker of the demo's own, on a free port; what an earlier demo left is taken away."""
    if CONF_FILE.exists():
        _end_earlier(load_settings(CONF_FILE))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    CONF_FILE.write_text(
        f'[kafka]\nbootstrap = "127.0.0.1:{free_port_pair()}"\n\n'
        '[lake]\npath = ".local/demo/lake"\n\n[broker]\nfolder = ".local/demo/kafka"\n\n'
        '[privacy]\nkey_file = ".local/demo/keys.json"\n'
    )
    return load_settings(CONF_FILE)


def _end_earlier(settings: Settings) -> None:
    """Stop what `--keep` left running; the stream ends by itself when its pid is another process by now."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(PID_FILE.read_text())
        if "stream_transactions" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGTERM)
    stop_broker(settings)


@contextmanager
def _stream() -> Iterator[subprocess.Popen[bytes]]:
    """The stream, until the block ends; then it is stopped as an operator would stop it."""
    log = FOLDER / "stream.log"
    stream = _submit("stream_transactions.py", log)
    try:
        _await(lambda: "streaming" in log.read_text(), stream)
        yield stream
    finally:
        stream.send_signal(signal.SIGTERM)
        try:
            stream.wait(timeout=60)
        except subprocess.TimeoutExpired:
            stream.kill()
    if stream.returncode != 0:
        raise DependencyMissing(f"The stream ended with exit code {stream.returncode}: read {log}.")


def _submit(program: str, log: Path) -> subprocess.Popen[bytes]:
    """spark-submit of a program on the demo's lake, in a session of its own: a Ctrl-C here is passed on by us."""
    submit = str(Path(sys.prefix) / "bin" / "spark-submit")
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_HOME"}
    command = [submit, str(ROOT / "jobs" / program), "--conf-file", str(CONF_FILE)]
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)


def _produce(settings: Settings, await_tables: Callable[[], None]) -> ReplayCounts:
    """Replay with a pause in the middle, so that late records of the second half find their windows closed."""
    _say(f"replaying {DATA.relative_to(ROOT)} with the faults of {FAULTS.relative_to(ROOT)}")
    options = ReplayOptions(source=str(DATA), rate=RECORDS_PER_SECOND, faults=FAULTS, manifest=MANIFEST)
    pauses = [await_tables]
    with progress() as show:

        def report(counts: ReplayCounts) -> None:
            show(counts)
            if counts.acknowledged >= PAUSE_AFTER_RECORDS and pauses:
                pauses.pop()()

        return replay(options, settings, report=report)


def _await_tables(settings: Settings, lake: Lake, stream: subprocess.Popen[bytes]) -> None:
    """Wait until every record that was sent is through all tables."""
    _say("waiting until every record so far is in gold")
    _await(lambda: _proof(settings, lake).is_clean, stream)


def _proof(settings: Settings, lake: Lake) -> Reconciliation:
    return reconcile(lake, settings.kafka.topic, end_offsets(settings), ring_of(lake, settings.privacy))


def _await(condition: Callable[[], bool], stream: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not condition():
        if stream.poll() is not None or time.monotonic() > deadline:
            what = "ended" if stream.poll() is not None else f"is not done after {LONGEST_WAIT_SECONDS} s"
            raise DependencyMissing(f"The stream {what}: read {FOLDER / 'stream.log'}; `momo doctor` may tell why.")
        time.sleep(1)


def _alerts_by_rule(lake: Lake) -> dict[str, int]:
    """How often each active rule has found something, the busiest first."""
    counts = "count(*) AS n FROM alerts WHERE state = 'active' GROUP BY rule_id ORDER BY n DESC, rule_id"
    return {row["rule_id"]: row["n"] for row in lake.query(f"SELECT rule_id, {counts}").to_pylist()}


def _planted_and_suspected(lake: Lake, settings: Settings) -> dict[str, tuple[int, int]]:
    """Cases of fraud in the data by typology, and how many of them the rules together suspect."""
    found = evaluation_of(lake, PLANTED, settings.rules_path).typologies
    return {one.suspected.rule_id: (one.recall.count, one.recall.hits) for one in found if one.recall.count}


def _rows_per_table(lake: Lake) -> dict[str, int]:
    return {table.name: int(lake.value(f"SELECT count(*) FROM {table.name}")) for table in TABLES if table not in DAILY}


def _keep_streaming(settings: Settings) -> None:
    stream = _submit("stream_transactions.py", FOLDER / "stream.log")
    PID_FILE.write_text(str(stream.pid))
    conf = CONF_FILE.relative_to(ROOT)
    _say(
        f"broker and stream go on; give --conf-file {conf} to momo produce, sql, reconcile; "
        f"stop them with: kill {stream.pid}; momo broker stop --conf-file {conf}"
    )


def _say(what: str) -> None:
    console.print(f"[bold]demo[/] {what} …")
