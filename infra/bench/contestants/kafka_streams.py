"""The contestant kafka_streams: the application of infra/kafka_streams, one warm JVM, a new application each round.

It computes the windows alone: there are no bronze and no silver tables, and nothing is kept of a single record. A round
is done when the windows of all records are committed (exactly-once) in the output topic, and is then written as
`gold.parquet`, outside the time: Kafka Streams itself writes no files.
"""

import argparse
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from kafka import KafkaAdminClient

from infra.bench.contestants.protocol import DONE, READY, WRITTEN
from infra.kafka_streams_app import running, windows_command
from infra.windows_topic import read_windows
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import DependencyMissing
from jobs.settings import Settings

# Events in the benchmark's topic come in the order of their time, but two partitions are not read in step.
GRACE_SECONDS = 365 * 86_400


def main(argv: Sequence[str] | None = None) -> int:
    """Serve rounds until the input ends."""
    parser = argparse.ArgumentParser(prog="kafka_streams.py", description=__doc__)
    add_settings_arguments(parser, "kafka")
    settings = settings_from(parser.parse_args(argv))
    with TemporaryDirectory() as state:
        command = windows_command(settings, GRACE_SECONDS, "--rounds", "true", "--state-dir", state)
        with running(command, sys.stderr) as application:
            _await(application, "ready")
            _serve(application, settings)
    return 0


def _serve(application: "Popen[str]", settings: Settings) -> None:
    _say(READY)
    for line in sys.stdin:
        name = f"bench.windows.{uuid.uuid4().hex[:12]}"
        _tell(application, name)
        _await(application, "done")
        _say(DONE)
        pq.write_table(read_windows(settings, name), Path(line.rstrip("\n")) / "gold.parquet")
        # Nothing of a round is left to be done, or to be kept by the broker, in the next one.
        _await(application, "closed")
        with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap.split(",")) as admin:
            admin.delete_topics([name])
        _say(WRITTEN)


def _tell(application: "Popen[str]", name: str) -> None:
    assert application.stdin
    application.stdin.write(f"{name}\n")
    application.stdin.flush()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _await(application: "Popen[str]", wanted: str) -> None:
    for line in application.stdout or ():
        if line.strip() == wanted:
            return
    raise DependencyMissing("The Kafka Streams application ended by itself: its log above says why.")


if __name__ == "__main__":
    sys.exit(run(main))
