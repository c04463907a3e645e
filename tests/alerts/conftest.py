from pathlib import Path

import pytest

from jobs.lake import Lake
from tests.alerts.lakes import Followed


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    """An empty lake and a few rules."""
    return Followed(Lake(tmp_path / "lake"), tmp_path / "rules")
