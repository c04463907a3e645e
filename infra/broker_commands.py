"""Start, stop and look at the local Kafka broker, and make its topic."""

import argparse
import json
from collections.abc import Sequence

from infra.broker import broker_status, create_topic, end_offsets, start_broker, stop_broker
from jobs.command_line import add_settings_arguments, settings_from
from jobs.errors import DependencyMissing
from jobs.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """0, or 69 from `status` when no broker runs."""
    parser = argparse.ArgumentParser(prog="momo broker", description=__doc__)
    parser.add_argument("action", choices=("start", "stop", "status", "topics"), help="start makes the topic too")
    parser.add_argument("--json", action="store_true", help="status and topics as one JSON object")
    add_settings_arguments(parser, "kafka")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    actions = {"start": _start, "stop": _stop, "status": _status, "topics": _topics}
    return actions[arguments.action](settings, arguments.json)


def _start(settings: Settings, as_json: bool) -> int:
    pid = start_broker(settings)
    made = "made" if create_topic(settings) else "there"
    print(f"The broker runs at {settings.kafka.bootstrap} (pid {pid}); the topic {settings.kafka.topic} is {made}.")
    return 0


def _stop(settings: Settings, as_json: bool) -> int:
    print("The broker is stopped; its records stay on disk." if stop_broker(settings) else "No broker was running.")
    return 0


def _status(settings: Settings, as_json: bool) -> int:
    status = broker_status(settings)
    if as_json:
        print(json.dumps({**vars(status), "folder": str(status.folder)}))
    elif status.running:
        print(f"Kafka {status.version} runs at {status.address} (pid {status.pid}), data in {status.folder}.")
    else:
        print("No broker is running: start it with `momo broker start`.")
    return 0 if status.running else DependencyMissing.exit_code


def _topics(settings: Settings, as_json: bool) -> int:
    create_topic(settings)
    offsets = end_offsets(settings)
    if as_json:
        print(json.dumps({"topic": settings.kafka.topic, "partitions": offsets}))
        return 0
    records = sum(end - begin for begin, end in offsets.values())
    print(f"{settings.kafka.topic} at {settings.kafka.bootstrap}: {len(offsets)} partitions, {records:,} records.")
    return 0
