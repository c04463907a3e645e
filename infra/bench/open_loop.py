"""A producer on a schedule fixed beforehand: record i is due at start + i / rate, whatever became of those before it.

Run by the interpreter that has the faster Kafka client, so it needs nothing else:

    python open_loop.py --bootstrap HOST:PORT --topic NAME --rate N --seconds N --templates FILE --slips FILE

The sequence number and the due time, in microseconds of the epoch, travel in the reference: B<10 digits>-<16 digits>.
A record is sent late when the machine or Kafka's client holds us up; by how much, its slip, is written to `--slips` as
doubles, in seconds. At the end it prints `START <due time of the first record>`, and `SENT <records>` once all are
acknowledged.
"""

import argparse
import sys
import time
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

Send = Callable[[bytes, bytes], Any]
# What is due within one wait goes at once: a wait for each record would cost more than sending it.
WAIT_SECONDS = 0.002
START_SECONDS = 2.0
FINISH_SECONDS = 60
# As the producer of the project sends.
LINGER_MILLISECONDS, BATCH_BYTES = 20, 262_144
# Where a template takes the reference, once, and the event time, in each of its dates.
REFERENCE, TIME = b"@REFERENCE@", b"@TIME@"


class Template:
    """A record that was encoded beforehand, without its reference and times; its line is `key TAB value`."""

    def __init__(self, line: bytes) -> None:
        """Cut it where they go."""
        self.key, value = line.split(b"\t", 1)
        self._before, after = value.split(REFERENCE)
        self._between_times = after.split(TIME)

    def value(self, sequence: int, due_micros: int) -> bytes:
        """The record of this number and time."""
        time_text = b"%b.%06dZ" % (_second(due_micros // 1_000_000), due_micros % 1_000_000)
        return b"%bB%010d-%016d%b" % (self._before, sequence, due_micros, time_text.join(self._between_times))


@lru_cache(maxsize=2)
def _second(epoch: int) -> bytes:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def main() -> None:
    """Send everything, then say when it began and how much it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in {"bootstrap": str, "topic": str, "rate": float, "seconds": float}.items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--slips", type=Path, required=True)
    arguments = parser.parse_args()
    templates = [Template(line) for line in arguments.templates.read_bytes().splitlines()]
    send, finish = _client(arguments.bootstrap, arguments.topic)
    start = time.time() + START_SECONDS
    slips = send_on_schedule(send, templates, start, arguments.rate, round(arguments.rate * arguments.seconds))
    left = finish()
    if left:
        sys.exit(f"Kafka at {arguments.bootstrap} has not acknowledged {left:,} records after {FINISH_SECONDS} s.")
    arguments.slips.write_bytes(slips.tobytes())
    sys.stdout.write(f"START {start:.6f}\nSENT {len(slips)}\n")


def send_on_schedule(send: Send, templates: list[Template], start: float, rate: float, records: int) -> "array[float]":
    """Send so many records; the slip of each, in seconds."""
    slips, clock = array("d"), time.time
    while len(slips) < records:
        due_by_now = min(records, int((clock() - start) * rate) + 1)
        for sequence in range(len(slips), due_by_now):
            due = start + sequence / rate
            template = templates[sequence % len(templates)]
            send(template.key, template.value(sequence, int(due * 1_000_000)))
            slips.append(clock() - due)
        time.sleep(WAIT_SECONDS)
    return slips


def _client(bootstrap: str, topic: str) -> tuple[Send, Callable[[], object]]:
    """What sends a record, and what waits until all are acknowledged."""
    try:
        return librdkafka(bootstrap, topic)
    except ImportError:
        return kafka_python(bootstrap, topic)


def librdkafka(bootstrap: str, topic: str) -> tuple[Send, Callable[[], object]]:
    """By confluent-kafka; raises `ImportError` where it is not installed."""
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": LINGER_MILLISECONDS,
            "batch.size": BATCH_BYTES,
            "queue.buffering.max.messages": 2_000_000,
        }
    )

    def send(key: bytes, value: bytes) -> None:
        producer.produce(topic, value, key)
        # A record stays in the queue until its acknowledgement has been taken note of.
        producer.poll(0)

    return send, lambda: producer.flush(FINISH_SECONDS)


def kafka_python(bootstrap: str, topic: str) -> tuple[Send, Callable[[], object]]:
    """By kafka-python, the client of the project."""
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=LINGER_MILLISECONDS,
        batch_size=BATCH_BYTES,
    )

    def send(key: bytes, value: bytes) -> None:
        producer.send(topic, value, key)

    return send, lambda: producer.flush(FINISH_SECONDS)


if __name__ == "__main__":
    main()
