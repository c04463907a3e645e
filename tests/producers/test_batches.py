"""What is put into Kafka's batches, held to what Kafka's own client makes of the same records."""

import pytest
from kafka import TopicPartition
from kafka.partitioner import DefaultPartitioner
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from producers.batches import BatchProducer, Records

LZ4 = 3
PLACE = TopicPartition("t", 0)


def closed(records: MemoryRecordsBuilder) -> bytes:
    """The batch's bytes, as they would go to Kafka, of a producer that has sent 40 records before."""
    records.set_producer_state(7, 1, 40, False)
    records.close()
    return bytes(records.buffer())


def by_the_client(records: list[tuple[bytes | None, bytes | None]], time: int, compression: int) -> bytes:
    builder = MemoryRecordsBuilder(2, compression, 1 << 30)
    for key, value in records:
        builder.append(time, key, value)
    return closed(builder)


@pytest.mark.parametrize("compression", [0, LZ4])
def test_a_batch_is_to_the_byte_the_one_that_the_client_makes(compression: int) -> None:
    sizes = [0, 1, 62, 63, 64, 65, 400, 8190, 8192, 70_000]
    records = [(b"256777123456", b"x" * size) for size in sizes] * 20 + [(None, b"v"), (b"k", None), (b"", b"")]
    ours = Records(compression, 1 << 30)
    for key, value in records:
        assert ours.put(key, value)

    time = ours._builder._first_timestamp
    assert ours.next_offset() == len(records)
    assert closed(ours) == by_the_client(records, time, compression)


def test_a_batch_takes_records_to_its_limit_and_always_the_first() -> None:
    records = Records(0, 300)
    assert records.put(b"k", b"v" * 1000)
    assert not records.put(b"k", b"v")

    records = Records(0, 300)
    taken = 0
    while records.put(b"k", b"v" * 20):
        taken += 1
    assert taken == (300 - DefaultRecordBatchBuilder.HEADER_STRUCT.size) // (20 + 1 + 7)
    assert len(closed(records)) <= 300


def test_a_batch_that_is_on_its_way_takes_no_more() -> None:
    records = Records(LZ4, 1 << 20)
    assert records.put(b"k", b"v")
    before = closed(records)
    assert not records.put(b"k", b"v")
    assert [(record.key, record.value) for batch in MemoryRecords(before) for record in batch] == [(b"k", b"v")]


def test_behind_the_parts_of_a_batch_that_was_too_large_a_new_one_begins(topic_of_one: BatchProducer) -> None:
    records = [(b"k", b"v" * 10), (b"k", b"w" * 10)]
    for key, value in records:
        topic_of_one.put(key, value)
    accumulator = topic_of_one._accumulator
    large = accumulator._batches[PLACE].pop()
    closed(large.records)
    assert accumulator.split_and_reenqueue(large) == 2

    topic_of_one.put(b"k", b"x")

    batches = [batch.records for batch in accumulator._batches[PLACE]]
    assert len(batches) == 3
    sent = [(r.key, r.value) for batch in batches for part in MemoryRecords(closed(batch)) for r in part]
    assert sent == [*records, (b"k", b"x")]


@pytest.fixture
def topic_of_one() -> BatchProducer:
    """A producer whose records wait for nobody to send them."""

    class NoSender:
        def wakeup(self) -> None:
            pass

    producer = BatchProducer.__new__(BatchProducer)
    producer._closed = True
    producer.config = {**BatchProducer.DEFAULT_CONFIG, "compression_attrs": 0, "batch_size": 1 << 20}
    producer._accumulator = RecordAccumulator(compression_attrs=0, batch_size=1 << 20)
    producer._sender = NoSender()
    producer._place_of = lambda key: PLACE
    return producer


def test_a_key_has_the_partition_that_kafka_gives_it(topic_of_seven: BatchProducer) -> None:
    class Cluster:
        def topics(self) -> set[str]:
            return {"t"}

        def partitions_for_topic(self, topic: str) -> set[int]:
            return set(range(7))

        available_partitions_for_topic = partitions_for_topic

    for number in range(500):
        key = b"2567770%05d" % number
        wanted = DefaultPartitioner().partition("t", key, key, None, None, Cluster())
        assert topic_of_seven._hashed(key).partition == wanted


@pytest.fixture
def topic_of_seven() -> BatchProducer:
    """A producer that knows its topic, connected to nothing."""
    producer = BatchProducer.__new__(BatchProducer)
    producer._closed = True
    producer._places = [TopicPartition("t", number) for number in range(7)]
    return producer


def test_a_batch_counts_as_the_clients_own() -> None:
    records = Records(LZ4, 1 << 20)
    batch = ProducerBatch(PLACE, records)
    for _ in range(3):
        records.put(b"k", b"v")
    closed(records)
    assert (batch.record_count, batch.producer_id, batch.base_sequence) == (3, 7, 40)
