"""The whole system as an operator runs it: a broker, a producer and the stream, each a process that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from kafka import KafkaProducer

from infra.broker import create_topic, start_broker, stop_broker
from infra.ports import free_port_pair
from infra.topics import end_offsets
from jobs.settings import ROOT, Settings, load_settings

SUBMIT = Path(sys.prefix) / "bin" / "spark-submit"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK", "PYSPARK", "MOMO__"))}
QUERIES = ("ingest", "gold")


@dataclass
class Rig:
    """Processes and folders of one system; the broker is up when it is made."""

    settings: Settings
    folder: Path
    stream: "subprocess.Popen[bytes] | None" = None
    producer: "subprocess.Popen[bytes] | None" = None
    stream_environment: Mapping[str, str] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    _chunk: Path | None = None

    @property
    def lake(self) -> Path:
        """Where the tables are."""
        return self.folder / "lake"

    @property
    def _where(self) -> list[str]:
        return ["--bootstrap", self.settings.kafka.bootstrap, "--topic", self.settings.kafka.topic]

    @classmethod
    def started(cls, folder: Path, stream_environment: Mapping[str, str] | None = None) -> "Rig":
        """A running broker with an empty topic, and nothing else yet; the stream will have this environment, too."""
        settings = load_settings(
            environment={},
            kafka__bootstrap=f"127.0.0.1:{free_port_pair()}",
            broker__folder=str(folder / "broker"),
            broker__heap="384m",
        )
        start_broker(settings)
        create_topic(settings)
        return cls(settings, folder, stream_environment=stream_environment or {})

    def end(self) -> None:
        """Leave no process behind."""
        if self.stream is not None and self.stream.poll() is None:
            self.kill_stream()
        if self.producer is not None:
            self.producer.kill()
        stop_broker(self.settings)

    def start_stream(self) -> None:
        """As `spark-submit jobs/stream_transactions.py`, in a process group of its own; a running one is left alone."""
        if self.stream is None or self.stream.poll() is not None:
            program = str(ROOT / "jobs" / "stream_transactions.py")
            command = [str(SUBMIT), program, *self._where, "--lake", str(self.lake)]
            self.stream = self._spawned("stream", command, self.stream_environment)

    def signal_stream(self, number: signal.Signals) -> None:
        """To both of its processes at once, Java's and Python's."""
        assert self.stream is not None
        os.killpg(self.stream.pid, number)

    def kill_stream(self) -> None:
        """Without a chance to say anything."""
        self.signal_stream(signal.SIGKILL)
        assert self.stream is not None
        self.stream.wait()

    def stream_children(self) -> list[int]:
        """Process ids of the stream's Python, whose parent is Java."""
        assert self.stream is not None
        listed = Path(f"/proc/{self.stream.pid}/task/{self.stream.pid}/children")
        threads = Path(f"/proc/{self.stream.pid}/task").glob("*/children")
        return [int(pid) for path in {listed, *threads} for pid in path.read_text().split()]

    def produce(self, lines: Sequence[bytes], rate: int) -> None:
        """Begin to replay these lines, as a file of their own."""
        assert self.producer is None, "the last chunk is not delivered yet"
        self._chunk = self.folder / f"chunk-{len(self.lines)}.ndjson"
        self._chunk.write_bytes(b"\n".join(lines) + b"\n")
        self.lines += lines
        self._start_producer("--rate", str(rate))

    def _start_producer(self, *flags: str) -> None:
        program = [sys.executable, "-m", "producers.produce_transactions", "--source", str(self._chunk), "--resume"]
        self.producer = self._spawned("producer", [*program, *self._where, *flags])

    def deliver(self) -> None:
        """Wait until the chunk is acknowledged to its last line; a producer that gave up or was killed is resumed."""
        deadline = time.monotonic() + 120
        while self.producer is not None:
            assert time.monotonic() < deadline, "the producer does not come to an end"
            if self.producer.wait(timeout=120) == 0:
                self.producer = None
            else:
                self._start_producer()

    def send_raw(self, records: Sequence[bytes | None]) -> None:
        """Records that `momo produce` would refuse."""
        with KafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap) as producer:
            for record in records:
                producer.send(self.settings.kafka.topic, record, key=b"raw")
            producer.flush()

    def broker_pid(self) -> int:
        """Of the broker's process."""
        return int((self.settings.broker_path / "broker.pid").read_text())

    def start_broker(self) -> None:
        """Start it, or leave it as it is, and wait until it answers."""
        start_broker(self.settings)

    def await_caught_up(self, seconds: float) -> None:
        """Wait until every record of the topic is in all tables and no batch is at work; restart a stream that ended."""
        self.wait_for(self.is_caught_up, seconds, "the tables do not catch up with the topic")

    def is_caught_up(self) -> bool:
        """By counts alone; whether the rows are right is for others to say."""
        if not (self.lake / "gold_corridor_hourly" / "_delta_log").exists() or any(map(self.is_at_work, QUERIES)):
            return False
        ends = {str(partition): end for partition, (_, end) in end_offsets(self.settings).items()}
        if self.read_offsets("ingest") != {self.settings.kafka.topic: ends} and any(ends.values()):
            return False
        return self._rows_of_silver() == self._counted_in_gold() and not any(map(self.is_at_work, QUERIES))

    def _rows_of_silver(self) -> int:
        files = DeltaTable(str(self.lake / "silver_transactions")).get_add_actions(flatten=True)
        return sum(pa.table(files)["num_records"].to_pylist())

    def _counted_in_gold(self) -> int:
        name = "gold_transactions_per_minute"
        query = QueryBuilder().register(name, DeltaTable(str(self.lake / name)))
        rows = query.execute(f"SELECT coalesce(sum(event_count), 0) AS n FROM {name}").read_all()
        return int(pa.table(rows)["n"][0].as_py())

    def is_at_work(self, query: str) -> bool:
        """Whether a batch is planned and not recorded as done."""
        return self.newest(query, "offsets") != self.newest(query, "commits")

    def newest(self, query: str, log: str) -> int:
        """Number of the newest batch in a checkpoint's log of offsets or commits, -1 for none."""
        folder = self.lake / "_checkpoints" / query / log
        return max((int(name) for name in os.listdir(folder) if name.isdigit()), default=-1) if folder.exists() else -1

    def read_offsets(self, query: str) -> object:
        """What the newest batch of a query reads up to."""
        newest = self.newest(query, "offsets")
        if newest < 0:
            return None
        path = self.lake / "_checkpoints" / query / "offsets" / str(newest)
        return json.loads(path.read_text().splitlines()[2])

    def wait_for(self, condition: Callable[[], bool], seconds: float, problem: str) -> None:
        """Wait for a condition while the stream runs; start the stream anew when it ends, as a supervisor does."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{problem} within {seconds:.0f} s: see {self.folder}"
            self.start_stream()
            time.sleep(0.1)

    def _spawned(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        variables = {**ENVIRONMENT, **(environment or {})}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
