"""Two workers: what needs Kafka waits much and computes little, so it runs beside what needs Spark."""

import sys
from pathlib import Path

import pytest

# PySpark takes a process whose main module has no file for a run of its doctests, and ends it; a worker is such a one.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__

SYSTEM = Path(__file__).resolve().parent / "tests" / "system"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has the only broker, the other the only Spark session; xdist reads the groups right after this."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("kafka" if SYSTEM in item.path.parents else "spark"))
