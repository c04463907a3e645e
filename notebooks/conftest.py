"""Notebooks are run by the suite, on a lake that the real pipeline makes of the demo's file."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.keys import KEYS

ROOT = Path(__file__).resolve().parent.parent


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make the lake once, before the first notebook."""
    if "MOMO__LAKE__PATH" not in os.environ:
        os.environ["MOMO_KEYS"] = KEYS
        os.environ["MOMO__LAKE__PATH"] = str(_make_lake(Path(tempfile.mkdtemp())))


def _make_lake(folder: Path) -> Path:
    from jobs.insights.days import Insights, plan_of
    from jobs.insights.reference import read_reference
    from jobs.lake import Lake
    from jobs.session import build_session
    from tests.pipeline.conftest import Stream

    lake = Lake(folder / "lake")
    lake.create()
    stream = Stream(build_session("notebooks"), lake, folder / "topic")
    lines = (ROOT / "data" / "transactions.json").read_bytes().splitlines()
    stream.run(*(line.rstrip(b",") for line in lines if line.startswith(b"{")))
    # The day of the file but for its first record.
    Insights(stream.spark, lake, read_reference()).run(plan_of(lake, "2026-03-27", None, None))
    return lake.path
