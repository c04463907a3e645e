"""Two workers: what needs Kafka waits much and computes little, so it runs beside what needs Spark."""

from pathlib import Path

import pytest

SYSTEM = Path(__file__).resolve().parent / "tests" / "system"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has the only broker, the other the only Spark session."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("kafka" if SYSTEM in item.path.parents else "spark"))
