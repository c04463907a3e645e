"""Kafka's client, with a way of its own to put records into batches.

`KafkaProducer.send` keeps a future, a lock and two callbacks for each record and hashes each key in Python: more than
half of what a record cost. Here a record is its bytes in the client's open batch, and the batch's future answers for
all of them. Batching, retries, order and idempotence stay the client's: this touches the places where it appends, which
`tests/producers/test_batches.py` holds to the client's own bytes. They are no public interface: the version is pinned.
"""

import random
import time
from functools import lru_cache
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError
from kafka.partitioner import murmur2
from kafka.producer.future import FutureProduceResult
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import encode_varint

HEADER_BYTES = DefaultRecordBatchBuilder.HEADER_STRUCT.size
_NULL, _NO_HEADERS = b"\x01", b"\x00"
# Attributes, and the time as its distance from the batch's own time.
_NO_ATTRIBUTES_NO_DELAY = b"\x00\x00"


class BatchProducer(KafkaProducer):  # type: ignore[misc]
    """A `KafkaProducer` of one topic whose `put` is given a record and gives the future of its batch."""

    def __init__(self, topic: str, **config: Any) -> None:
        """Connect, and learn the topic's partitions, which stay those for keys; raises a `KafkaError`."""
        super().__init__(**config)
        self._places = [TopicPartition(topic, number) for number in sorted(self.partitions_for(topic))]
        # Payers come back: their numbers are hashed once.
        self._place_of = lru_cache(maxsize=1 << 17)(self._hashed)

    def put(self, key: bytes | None, value: bytes | None) -> FutureProduceResult:
        """Put a record behind the others of its key; `failure_of` tells what became of it when the future is done.

        Raises `MessageSizeTooLargeError` for one that Kafka would refuse even alone.
        """
        place = random.choice(self._places) if key is None else self._place_of(key)
        accumulator = self._accumulator
        with accumulator._tp_lock(place):
            batches = accumulator._batches[place]
            newest = batches[-1] if batches else None
            # The parts of a batch that Kafka found too large are kafka-python's own, and take no more.
            if newest and isinstance(newest.records, Records) and newest.records.put(key, value):
                return newest.produce_future
            batch = self._new_batch(place, key, value)
            batches.append(batch)
            accumulator._incomplete.add(batch)
        self._sender.wakeup()
        return batch.produce_future

    def _new_batch(self, place: TopicPartition, key: bytes | None, value: bytes | None) -> ProducerBatch:
        batch = ProducerBatch(place, Records(self.config["compression_attrs"], self.config["batch_size"]))
        batch.records.put(key, value)
        if batch.records.size_in_bytes() > self.config["max_request_size"]:
            raise MessageSizeTooLargeError(f"{batch.records.size_in_bytes()} bytes in a batch of its own")
        return batch

    def _hashed(self, key: bytes) -> TopicPartition:
        """As Kafka's Java client and `KafkaProducer.send` choose it."""
        return self._places[(murmur2(key) & 0x7FFFFFFF) % len(self._places)]


class Records(MemoryRecordsBuilder):  # type: ignore[misc]
    """The records of a batch (format 2), all of the moment at which the batch was begun."""

    def __init__(self, compression: int, batch_bytes: int) -> None:
        super().__init__(2, compression, batch_bytes)
        self._next_offset: int = 0
        self._builder._first_timestamp = self._builder._max_timestamp = int(time.time() * 1000)

    def put(self, key: bytes | None, value: bytes | None) -> bool:
        """Add a record; false when the batch is on its way already, or full. The first one always fits."""
        builder, number = self._builder, self._next_offset
        if self._closed:
            return False
        parts = (
            *(_NO_ATTRIBUTES_NO_DELAY, varint(number)),
            *((_NULL,) if key is None else (varint(len(key)), key)),
            *((_NULL,) if value is None else (varint(len(value)), value)),
            _NO_HEADERS,
        )
        record = b"".join(parts)
        length = varint(len(record))
        if number and len(builder._buffer) + len(length) + len(record) > self._batch_size:
            return False
        builder._buffer += length + record
        builder._last_offset, builder._num_records = number, number + 1
        self._next_offset = number + 1
        return True


@lru_cache(maxsize=1 << 16)
def varint(number: int) -> bytes:
    """The number as Kafka writes lengths: zigzag, seven bits a byte."""
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)


def failure_of(future: FutureProduceResult) -> Exception | None:
    """Why the batch of a future that is done was not taken; null when it was."""
    _, _, exception_of = future.value
    return None if exception_of is None else exception_of(0)
