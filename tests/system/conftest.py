"""A real broker for the tests that need one: started once, on a free port, with its data in a temporary folder."""

import socket
import uuid
from collections.abc import Iterator

import pytest

from infra.broker import create_topic, start_broker, stop_broker
from jobs.settings import Settings, load_settings


def free_port_pair() -> int:
    """A free port of loopback whose next one up is free as well: the broker's and its controller's."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running broker. A test that stops or breaks a broker starts its own."""
    settings = load_settings(
        environment={},
        kafka__bootstrap=f"127.0.0.1:{free_port_pair()}",
        broker__folder=str(tmp_path_factory.mktemp("broker")),
        broker__heap="384m",
    )
    start_broker(settings)
    yield settings
    stop_broker(settings)


@pytest.fixture
def topic(broker: Settings) -> Settings:
    """Settings of the running broker with a topic that holds nothing yet."""
    name = f"test.{uuid.uuid4().hex[:12]}"
    settings = broker.model_copy(update={"kafka": broker.kafka.model_copy(update={"topic": name})})
    create_topic(settings)
    return settings
