"""`momo`: all commands of the platform under one name. Each is a program of its own with its own `--help`."""

import importlib
import os
import sys
from pathlib import Path

from jobs.command_line import run
from jobs.settings import ROOT

# Command → where its `main(argv)` is, and what it does.
COMMANDS = {
    "demo": ("infra.demo", "everything once on dummy data: broker, producer, stream, checks, summary"),
    "doctor": ("infra.doctor", "what is missing on this machine, and the settings in force"),
    "broker": ("infra.broker_commands", "start | stop | status of the local Kafka broker"),
    "topics": ("infra.broker_commands", "make the topic, and say what it holds"),
    "access": ("infra.access", "let producer, stream and operator do with the topic what each needs"),
    "produce": ("producers.produce_transactions", "replay a file, a database table or an API into Kafka"),
    "stream": ("jobs.stream_transactions", "Kafka → bronze → silver → gold and alerts, until stopped; --recover"),
    "backfill": ("jobs.backfill_transactions", "compute days anew: gold and alerts from silver, silver from bronze"),
    "insights": (
        "jobs.derive_insights",
        "daily gold: customers, key figures, revenue, agents, merchants, corridors, failures, pairs, balances",
    ),
    "alerts": ("jobs.list_alerts", "list | suspects: what the rules found, and on whom several of them agree"),
    "rules": ("jobs.manage_rules", "list | test | backtest: the rules of alerts, on their examples and on silver"),
    "validate": ("jobs.validate_tables", "check the tables with Great Expectations"),
    "reconcile": ("jobs.reconcile_tables", "prove rows and money: Kafka = bronze = silver + quarantine + repeats"),
    "quarantine": (
        "jobs.quarantine_events",
        "list | show | retry | close: records that were refused, and the way back",
    ),
    "trace": ("jobs.trace_transaction", "where one transaction is: momo trace ID"),
    "evaluate": ("infra.detection.evaluate_rules", "what the fraud rules are worth, by planted cases of fraud"),
    "maintain": ("jobs.maintain_tables", "keep the lake fast beside the stream: join small files, clear old ones away"),
    "keys": ("jobs.manage_keys", "create | list | rotate | token: the keys that phone numbers are made tokens with"),
    "erase": ("jobs.erase_person", "take persons out of the tables, the transactions stay; prints a certificate"),
    "windows": ("infra.window_commands", "per-minute windows by Kafka Streams, topic to topic, without Spark"),
    "bench": ("infra.bench.run_bench", "drain | roofline | freshness | growth | producer: benchmarks on this machine"),
    "train": ("jobs.train_anomaly_model", "train what scores the days of agents and customers"),
    "learn": ("jobs.learn_from_tables", "of a day: unusual windows, agents' liquidity, scores, customers' segments"),
    "sql": ("jobs.query_tables", 'ask the tables: momo sql "SELECT …"'),
}

# These need Spark, so they run under spark-submit.
SPARK_COMMANDS = ("stream", "backfill", "insights", "validate", "quarantine retry")


def main() -> int:
    """Run one command; its exit code."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(_help())
        return 0
    if name not in COMMANDS:
        print(f"momo: there is no command '{name}'; `momo --help` lists them.", file=sys.stderr)
        return 64
    if _needs_spark(name, arguments):
        return _submit(ROOT / (COMMANDS[name][0].replace(".", "/") + ".py"), arguments)
    if name == "topics":
        arguments = ["topics", *arguments]
    module = importlib.import_module(COMMANDS[name][0])
    return run(module.main, arguments)


def _needs_spark(name: str, arguments: list[str]) -> bool:
    """Help does not."""
    is_spark_command = name in SPARK_COMMANDS or " ".join([name, *arguments[:1]]) in SPARK_COMMANDS
    return is_spark_command and not {"--help", "-h"} & set(arguments)


def _help() -> str:
    lines = [f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join([f"{__doc__}\n", *lines, "\nmomo COMMAND --help tells more. Start with: momo doctor, momo demo"])


def _submit(program: Path, arguments: list[str]) -> int:
    """Become spark-submit, so that signals and the exit code are the program's own."""
    # A foreign SPARK_HOME would start another Spark, without our JARs.
    environment = {key: value for key, value in os.environ.items() if key != "SPARK_HOME"}
    submit = Path(sys.prefix) / "bin" / "spark-submit"
    os.execve(submit, [str(submit), str(program), *arguments], environment)


if __name__ == "__main__":
    sys.exit(main())
