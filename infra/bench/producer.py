"""`momo bench producer`: how fast `momo produce` replays a file into Kafka, beside bare clients with the same bytes.

momo produce goes its whole way: JSON lines are read, checked against the contract, keyed, sent, and every
acknowledgement is accounted for. kafka-python, the client it is built on, and confluent-kafka, where `make setup-bench`
has installed it, send ready keys and values by the same settings of the client. Rounds alternate after one to warm up,
and a time counts only when the topic has grown by exactly the records.
"""

import argparse
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kafka import KafkaAdminClient

from infra.bench.bench_broker import bench_broker
from infra.bench.bench_topic import simulated_records, with_topic
from infra.bench.peers import is_installed, peers_python
from infra.bench.producer_report import Sender, producer_report
from infra.bench.report import Report
from infra.bench.warm_process import Cost, WarmProcess
from infra.topics import create_topic, end_offsets
from jobs.command_line import settings_from
from jobs.errors import DataCheckFailed, SettingsError
from jobs.settings import Settings

# A bare client keeps what it has not sent in memory.
MOST_ROWS = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `producer` takes besides what all benchmarks take."""
    parser.add_argument("--rows", type=int, default=200_000, help="records a round (default: 200000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count, after one to warm up (default: 5)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default: 7)")


def run_producer(arguments: argparse.Namespace) -> Report:
    """Run the rounds; raises `SettingsError` for fewer than one round or row, or more rows than fit into memory."""
    if arguments.rounds < 1:
        raise SettingsError(f"--rounds is {arguments.rounds}: give 1 or more.")
    if not 1 <= arguments.rows <= MOST_ROWS:
        raise SettingsError(f"--rows is {arguments.rows}: give 1 to {MOST_ROWS:,}.")
    folder = arguments.folder.absolute()
    is_foreign = arguments.kafka__bootstrap is not None
    with (
        bench_broker(settings_from(arguments), folder, is_foreign) as (settings, broker_pid),
        _topic(settings) as settings,
        _fresh_folder(folder / "rounds" / "producer") as records,
    ):
        write_records(records, arguments.rows, arguments.seed)
        senders = _senders(settings, records)
        _Race(settings, arguments.rows, folder, broker_pid).run(senders, arguments.rounds)
    return producer_report(arguments.rows, arguments.rounds, senders)


def write_records(folder: Path, rows: int, seed: int) -> None:
    """The same simulated records twice: `records.jsonl`, and `records.tsv` with the key before each."""
    with (folder / "records.jsonl").open("wb") as lines, (folder / "records.tsv").open("wb") as keyed:
        for _, record in simulated_records(rows, seed):
            value = record.value or b""
            lines.write(value + b"\n")
            keyed.write(b"%b\t%b\n" % (record.key or b"", value))


def _senders(settings: Settings, folder: Path) -> list[Sender]:
    kafka = ["--bootstrap", settings.kafka.bootstrap, "--topic", settings.kafka.topic]

    def bare(python: Path, client: str) -> list[str]:
        module = "infra.bench.contestants.bare_producer"
        return [str(python), "-m", module, *kafka, "--client", client, "--records", str(folder / "records.tsv")]

    own = Path(sys.executable)
    ours = [str(own), "-m", "infra.bench.contestants.momo_produce", *kafka, "--records", str(folder / "records.jsonl")]
    senders = [Sender("momo produce", ours), Sender("kafka-python", bare(own, "kafka-python"))]
    if is_installed():
        senders.append(Sender("confluent-kafka", bare(peers_python(), "confluent-kafka")))
    return senders


class _Race:
    """Rounds of senders into one topic, one at a time, all of them warm."""

    def __init__(self, settings: Settings, rows: int, folder: Path, broker_pid: int | None) -> None:
        self._settings, self._rows, self._folder, self._broker_pid = settings, rows, folder, broker_pid

    def run(self, senders: list[Sender], rounds: int) -> None:
        """A round to warm up, which does not count, then the rounds, each beginning with another sender."""
        with ExitStack() as running:
            processes = {sender.name: self._start(running, sender) for sender in senders}
            for number in range(rounds + 1):
                first = number % len(senders)
                for sender in senders[first:] + senders[:first]:
                    cost = self._round(processes[sender.name])
                    sys.stderr.write(f"bench: round {number}: {sender.name} {self._rows / cost.seconds:,.0f} rows/s\n")
                    if number > 0:
                        sender.rounds.append(cost)

    def _start(self, running: ExitStack, sender: Sender) -> WarmProcess:
        process = WarmProcess(sender.name, sender.command, self._folder / f"{sender.name.replace(' ', '-')}.log")
        running.callback(process.close)
        process.wait_until_ready()
        return process

    def _round(self, process: WarmProcess) -> Cost:
        """Send, and only then believe it; raises `DataCheckFailed` when the topic has not grown by the records."""
        before = self._records()
        with _fresh_folder(self._folder / "rounds" / "producer-round") as empty:
            cost = process.drain(empty, self._broker_pid)
        if (grown := self._records() - before) != self._rows:
            raise DataCheckFailed(
                f"{process.name} has added {grown:,} records to the topic, {self._rows:,} expected: run it again."
            )
        return cost

    def _records(self) -> int:
        return sum(end for _, end in end_offsets(self._settings).values())


@contextmanager
def _topic(settings: Settings) -> Iterator[Settings]:
    """The settings with a topic that is there for the block."""
    settings = with_topic(settings, f"producer.{uuid.uuid4().hex[:12]}", retention_days=1)
    create_topic(settings)
    try:
        yield settings
    finally:
        with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap.split(",")) as admin:
            admin.delete_topics([settings.kafka.topic])


@contextmanager
def _fresh_folder(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
