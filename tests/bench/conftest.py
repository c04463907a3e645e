"""A broker whose topic holds the GSMA events of the dummy data, and what a drain of it must find."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from infra.bench.bench_topic import Truth
from infra.ports import free_port_pair
from jobs.settings import ROOT, Settings, load_settings

DATA = ROOT / "data" / "transactions.json"


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python be imported: 3.0.12 reads its own files in a way that Python 3.11 calls deprecated."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def events() -> list[dict]:
    return [record for record in json.loads(DATA.read_text()) if "transactionReference" in record]


@pytest.fixture(scope="session")
def truth(events: list[dict]) -> Truth:
    completed = [Decimal(event["amount"]) for event in events if event["transactionStatus"] == "completed"]
    total = sum(Decimal(event["amount"]) for event in events)
    return Truth("events", len(events), 0, total, len(completed), sum(completed))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, truth: Truth) -> Iterator[Settings]:
    """Settings of a running broker whose topic holds the events, each once."""
    from infra.broker import create_topic, start_broker, stop_broker
    from producers.replay import ReplayOptions, replay

    folder = tmp_path_factory.mktemp("broker")
    settings = load_settings(
        environment={},
        kafka__bootstrap=f"127.0.0.1:{free_port_pair()}",
        kafka__topic=truth.topic,
        broker__folder=str(folder),
        broker__heap="384m",
    )
    start_broker(settings)
    try:
        create_topic(settings)
        options = ReplayOptions(str(DATA), record_format="gsma", positions=folder / "positions")
        assert replay(options, settings).acknowledged == truth.records
        yield settings
    finally:
        stop_broker(settings)
