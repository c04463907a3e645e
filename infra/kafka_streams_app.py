"""The Kafka Streams application of infra/kafka_streams: its command line, and what it says."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from infra.kafka_server import java_program
from jobs.credentials import java_client_options
from jobs.errors import DependencyMissing
from jobs.settings import ROOT, Settings, duration_seconds

CLASSES = ROOT / ".local" / "kafka_streams" / "classes"
JARS = ROOT / ".local" / "jars" / "streams"
STATE = ROOT / ".local" / "kafka_streams" / "state"
LOGGING = ROOT / "conf" / "kafka" / "streams-log4j2.properties"

# The stores keep to themselves outside the heap; this is for the records in flight.
HEAP = "512m"


@dataclass(frozen=True)
class Counts:
    """Records by their fate since the application's start; `late` ones came after their window was closed for good."""

    accepted: int
    refused: dict[str, int]
    repeated: int
    late: int

    def __str__(self) -> str:
        """The counts in one line."""
        return (
            f"accepted {self.accepted:,} · refused {sum(self.refused.values()):,} · repeated {self.repeated:,} · "
            f"too late {self.late:,}"
        )


def windows_command(settings: Settings, grace_seconds: int, *options: str) -> list[str]:
    """The application on the topic of the settings, ready to run; of an option that is there twice the last one counts.

    Raises `DependencyMissing` when it is not built.
    """
    if not any(CLASSES.glob("*/*.class")) or not any(JARS.glob("kafka-streams-*.jar")):
        raise DependencyMissing(
            f"The Kafka Streams application is not in {CLASSES.relative_to(ROOT)}: make it with "
            "`python3 -m infra.set_up dev`, which needs a JDK (javac) 17 or newer."
        )
    kafka, stream, dummy = settings.kafka, settings.stream, settings.dummy
    values = {
        "bootstrap": kafka.bootstrap,
        "topic": kafka.topic,
        "replication": settings.topic.replication,
        "state-dir": STATE,
        "grace-seconds": grace_seconds,
        "dedup-horizon-seconds": duration_seconds(settings.kafka_streams.dedup_horizon),
        "future-tolerance-seconds": duration_seconds(stream.future_tolerance),
        "dummy-currency": dummy.currency,
        "dummy-time-zone": dummy.time_zone,
        "dummy-type": dummy.type,
        "dummy-status": dummy.status,
        # They say where the password is, so a process list does not show it.
        **{f"kafka.{name}": value for name, value in java_client_options(kafka).items()},
    }
    java = [java_program(), f"-Xmx{HEAP}", f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{CLASSES}:{JARS}/*"]
    arguments = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return [*java, "momostream.Main", *arguments, *options]


@contextmanager
def running(command: list[str], log: TextIO) -> Iterator["subprocess.Popen[str]"]:
    """The application as a process of ours, with its standard input and output; it is ended when the block ends."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def counts_in(line: str) -> Counts | None:
    """The counts, when the line tells them."""
    word, _, text = line.partition(" ")
    if word != "counts":
        return None
    counts = json.loads(text)
    refused = {name.removeprefix("refused."): n for name, n in counts.items() if name.startswith("refused.")}
    return Counts(counts.get("accepted", 0), refused, counts.get("repeated", 0), counts["late"])


def ended_early(log: Path) -> DependencyMissing:
    """What to raise when the application ends before it is done."""
    return DependencyMissing(f"The Kafka Streams application ended by itself: read {log}.")
