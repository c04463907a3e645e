"""The contestant pyflink: the same drain as a Flink SQL job, from a Kafka table to Parquet files.

It runs in the environment of `infra.bench.peers`, with the JARs of the Ivy configuration `flink`. One streaming job a
round, on a mini cluster that lives as long as the process: bronze is the raw payload with its coordinates, silver the
typed rows that break none of the main rules, gold one row per minute of event time, type, currency and channel.

What it does NOT do, and momostream does:
- write Delta tables: the files of a round are there when it ends, without commits, history or updates;
- parse once: bronze is a second reading of the topic and has no typed columns, for the JSON format keeps no payload;
- refuse an event that is dated ahead of its arrival (it closes the windows before it), wrong numbers, fees or decimals,
  or a reversal of nothing;
- drop repeats, keep what it refuses (quarantine, reasons) or read the dummy format; a record that is not JSON ends it;
- read more than the first fee, the first three entries of metadata, or countries and operators of the numbers;
- count an event that comes more than an hour of event time late: its window is closed and it is in silver alone;
- survive a stop: there are no checkpoints, as a bounded job that starts anew needs none.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, TableEnvironment

ROOT = Path(__file__).resolve().parents[3]
PARALLELISM = 2
SETTINGS = {
    "parallelism.default": str(PARALLELISM),
    "pipeline.object-reuse": "true",
    "table.local-time-zone": "UTC",
}
CLUSTER = {
    "rest.bind-port": "0",
    "taskmanager.memory.managed.size": "128m",
    # A machine that is busy with the other contestants' broker is no dead task manager.
    "heartbeat.timeout": "600000",
}

_PAIRS = "ARRAY<ROW<`key` STRING, `value` STRING>>"
_COORDINATES = """
    `topic` STRING METADATA VIRTUAL, `partition` INT METADATA VIRTUAL, `offset` BIGINT METADATA VIRTUAL,
    kafka_timestamp TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL"""
# Flink reads a zone's offset in the text and forgets it: it has to be told the zone.
_EVENT_TIME = """TO_TIMESTAMP_LTZ(
    COALESCE(modificationDate, creationDate, requestDate), 'yyyy-MM-dd''T''HH:mm:ss[.SSS]XXX',
    CASE WHEN COALESCE(modificationDate, creationDate, requestDate) LIKE '%Z' THEN 'UTC'
    ELSE 'GMT' || RIGHT(COALESCE(modificationDate, creationDate, requestDate), 6) END)"""

EVENTS = f"""
    transactionReference STRING, originalTransactionReference STRING, transactionStatus STRING, `type` STRING,
    subType STRING, amount STRING, currency STRING, requestDate STRING, creationDate STRING, modificationDate STRING,
    metadata {_PAIRS}, debitParty {_PAIRS}, creditParty {_PAIRS}, fees ARRAY<ROW<feeAmount STRING, feeCurrency STRING>>,
    {_COORDINATES}, event_time AS {_EVENT_TIME}, WATERMARK FOR event_time AS event_time - INTERVAL '1' HOUR"""

TRANSACTIONS = """
SELECT
    `topic`, `partition`, `offset`, kafka_timestamp,
    transactionReference AS transaction_reference, originalTransactionReference AS original_transaction_reference,
    LOWER(transactionStatus) AS status, `type` AS transaction_type, subType AS sub_type,
    TRY_CAST(amount AS DECIMAL(22, 4)) AS amount, currency,
    CASE WHEN fees[1].feeCurrency = currency THEN TRY_CAST(fees[1].feeAmount AS DECIMAL(22, 4))
    ELSE CAST(0 AS DECIMAL(22, 4)) END AS fee_amount,
    debitParty[1].`key` || ':' || debitParty[1].`value` AS debit_party,
    creditParty[1].`key` || ':' || creditParty[1].`value` AS credit_party,
    CASE WHEN debitParty[1].`key` = 'msisdn' THEN debitParty[1].`value` END AS debit_msisdn,
    CASE WHEN creditParty[1].`key` = 'msisdn' THEN creditParty[1].`value` END AS credit_msisdn,
    CASE WHEN `type` = 'deposit' AND debitParty[1].`key` <> 'msisdn' THEN debitParty[1].`value`
    WHEN `type` = 'withdrawal' AND creditParty[1].`key` <> 'msisdn' THEN creditParty[1].`value` END AS agent_id,
    LOWER(CASE 'channel' WHEN metadata[1].`key` THEN metadata[1].`value` WHEN metadata[2].`key` THEN metadata[2].`value`
    WHEN metadata[3].`key` THEN metadata[3].`value` ELSE 'unknown' END) AS channel,
    event_time
FROM events"""

# Silver's and gold's branch compute these each, for the planner pushes them down: text put together would cost double.
RULES = """
transactionReference <> '' AND transactionStatus <> '' AND TRY_CAST(amount AS DECIMAL(22, 4)) > 0
AND CHAR_LENGTH(currency) = 3 AND debitParty[1].`value` <> creditParty[1].`value`
AND `type` IN ('adjustment', 'billpay', 'deposit', 'disbursement', 'inttransfer', 'merchantpay', 'reversal', 'transfer',
    'withdrawal')"""

GOLD = """
SELECT
    CAST(window_start AS TIMESTAMP_LTZ(3)), transaction_type, currency, channel, COUNT(*),
    COUNT(*) FILTER (WHERE status = 'completed'),
    COALESCE(SUM(amount) FILTER (WHERE status = 'completed'), 0)
FROM TABLE(TUMBLE(TABLE transactions, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, transaction_type, currency, channel"""

SINKS = {
    "bronze": (
        "`topic` STRING, `partition` INT, `offset` BIGINT, kafka_timestamp TIMESTAMP_LTZ(3), payload STRING",
        "SELECT `topic`, `partition`, `offset`, kafka_timestamp, payload FROM records",
    ),
    "silver": (
        """`topic` STRING, `partition` INT, `offset` BIGINT, kafka_timestamp TIMESTAMP_LTZ(3),
        transaction_reference STRING, original_transaction_reference STRING, status STRING, transaction_type STRING,
        sub_type STRING, amount DECIMAL(22, 4), currency STRING, fee_amount DECIMAL(22, 4), debit_party STRING,
        credit_party STRING, debit_msisdn STRING, credit_msisdn STRING, agent_id STRING, channel STRING,
        event_time TIMESTAMP_LTZ(3)""",
        "SELECT * FROM transactions",
    ),
    "gold": (
        """window_start TIMESTAMP_LTZ(3), transaction_type STRING, currency STRING, channel STRING,
        event_count BIGINT, transaction_count BIGINT, amount DECIMAL(38, 4)""",
        GOLD,
    ),
}


def main() -> None:
    """Drain the topic into each folder that standard input names, until it ends."""
    parser = argparse.ArgumentParser(prog="pyflink_sql.py", description=__doc__)
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--topic", required=True, metavar="NAME")
    arguments = parser.parse_args()
    cluster = _start_cluster()
    flink = _environment(cluster)
    for statement in _source(arguments.bootstrap, arguments.topic):
        flink.execute_sql(statement)
    _say("BENCH ready")
    for line in sys.stdin:
        drain(flink, Path(line.rstrip("\n")))
        _say("BENCH done")
    cluster.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def drain(flink: TableEnvironment, folder: Path) -> None:
    """Write what the topic holds now into Parquet files in the folder's bronze, silver and gold."""
    job = flink.create_statement_set()
    for name, (columns, rows) in SINKS.items():
        flink.execute_sql(f"""
            CREATE TEMPORARY TABLE {name} ({columns}) WITH (
                'connector' = 'filesystem', 'path' = '{(folder / name).as_uri()}', 'format' = 'parquet',
                'parquet.utc-timezone' = 'true', 'parquet.write.int64.timestamp' = 'true',
                'parquet.timestamp.time.unit' = 'micros')""")
        job.add_insert_sql(f"INSERT INTO {name} {rows}")
    job.execute().wait()
    for name in SINKS:
        flink.execute_sql(f"DROP TEMPORARY TABLE {name}")


def _source(bootstrap: str, topic: str) -> Iterator[str]:
    options = f"""
        'connector' = 'kafka', 'properties.bootstrap.servers' = '{bootstrap}', 'topic' = '{topic}',
        'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
        'properties.max.partition.fetch.bytes' = '{16 << 20}'"""
    yield f"CREATE TABLE records (payload STRING, {_COORDINATES}) WITH ({options}, 'format' = 'raw')"
    yield f"CREATE TABLE events ({EVENTS}) WITH ({options}, 'format' = 'json')"
    yield f"CREATE VIEW transactions AS {TRANSACTIONS} WHERE {RULES}"


def _start_cluster() -> Any:
    """A cluster inside the JVM, which starts here: PyFlink's own would be a new one for each job."""
    # JARs of the class path are loaded once, those of a job in every round.
    os.environ["HADOOP_CLASSPATH"] = f"{ROOT}/.local/jars/flink/*"
    os.environ["LOG4J_PROPERTIES"] = f"{ROOT}/conf/log4j2.properties"
    os.environ["JAVA_HOME"] = (ROOT / ".local" / "java-home").read_text()
    flink = get_gateway().jvm.org.apache.flink
    configuration = flink.configuration.Configuration()
    for name, value in CLUSTER.items():
        configuration.setString(name, value)
    builder = flink.runtime.minicluster.MiniClusterConfiguration.Builder()
    builder.setConfiguration(configuration).setNumTaskManagers(1).setNumSlotsPerTaskManager(PARALLELISM)
    cluster = flink.runtime.minicluster.MiniCluster(builder.build())
    cluster.start()
    return cluster


def _environment(cluster: Any) -> TableEnvironment:
    address = cluster.getRestAddress().get()
    flink = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    remote = {"execution.target": "remote", "rest.address": address.getHost(), "rest.port": str(address.getPort())}
    for name, value in {**SETTINGS, **remote}.items():
        flink.get_config().set(name, value)
    return flink


if __name__ == "__main__":
    main()
