"""A real broker for the tests that need one: started once, on a free port, with its data in a temporary folder."""

import uuid
from collections.abc import Iterator

import pytest

from infra.ports import free_port_pair
from jobs.settings import Settings, load_settings


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python be imported: 3.0.12 reads its own files in a way that Python 3.11 calls deprecated."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture
def free_address() -> str:
    """Where a broker can be started and none is."""
    return f"127.0.0.1:{free_port_pair()}"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running broker. A test that stops or breaks a broker starts its own."""
    from infra.broker import start_broker, stop_broker

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
    from infra.broker import create_topic

    name = f"test.{uuid.uuid4().hex[:12]}"
    settings = broker.model_copy(update={"kafka": broker.kafka.model_copy(update={"topic": name})})
    create_topic(settings)
    return settings
