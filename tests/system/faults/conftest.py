"""A system of its own for each module of faults: a broker that may be killed, an empty lake, a stream."""

from collections.abc import Iterator

import pytest

from tests.system.faults.cycles import Cycles
from tests.system.faults.invariants import Witness
from tests.system.faults.rig import Rig
from tests.system.faults.traffic import Traffic


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    """A system that goes from one test of the module to the next."""
    rig = Rig.started(tmp_path_factory.mktemp("system"))
    yield Cycles(rig, Witness(rig), Traffic(seed=1))
    rig.end()
