"""The stream is killed between any two of its writes, and every record is in its one place afterwards."""

import pytest
from deltalake import DeltaTable

from tests.system.faults.points import BRONZE, POINTS, kill_stream_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600), pytest.mark.xdist_group("points")]


@pytest.fixture(scope="module", autouse=True)
def log_checkpoints_come_often(system):
    """Else one of the points would come after a hundred commits."""
    system.send(100)
    system.heal()
    DeltaTable(str(system.rig.lake / BRONZE)).alter.set_table_properties({"delta.checkpointInterval": "1"})


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_this_point_loses_and_doubles_nothing(system, point):
    # Twenty seconds: some points are brief, and not every batch shows them.
    system.send(1200, rate=60)

    kill_stream_at(system.rig, point)

    system.heal()
