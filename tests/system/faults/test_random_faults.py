"""A seeded schedule of faults; after each one everything is carried within a minute and every invariant holds.

Seeds and cycles: make test-faults SEEDS=1,2,3 CYCLES=40. A failure is repeated by its seed, as far as the machine's own
timing allows.
"""

import json
import os
import random
import statistics
import time
from collections import Counter

import pytest

from tests.system.faults.blows import Blows
from tests.system.faults.cycles import Cycles
from tests.system.faults.invariants import Witness, logs_of
from tests.system.faults.rig import Rig
from tests.system.faults.traffic import Traffic

SEEDS = [int(seed) for seed in os.environ.get("MOMO_FAULT_SEEDS", "1").split(",")]
CYCLES = int(os.environ.get("MOMO_FAULT_CYCLES", "6"))
RECOVERY_SECONDS = 60
# One that takes longer is waited for, so that what was lost is told apart from what was late.
PATIENCE_SECONDS = 180

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_faults_lose_and_double_nothing(seed, tmp_path, capsys):
    chance, rig = random.Random(seed), Rig.started(tmp_path)
    system, blows = Cycles(rig, Witness(rig), Traffic(seed)), Blows(rig, chance)
    recoveries: list[float] = []
    struck: Counter[str] = Counter()
    try:
        for cycle in range(1, CYCLES + 1):
            system.send()
            what = chance.choice(blows.all())()
            began = time.monotonic()
            system.heal(PATIENCE_SECONDS)
            recoveries.append(time.monotonic() - began)
            struck[what] += 1
            with capsys.disabled():
                print(f"seed {seed}, cycle {cycle} of {CYCLES}: {what}; well after {recoveries[-1]:.1f} s", flush=True)
    except AssertionError as broken:
        raise AssertionError(f"seed {seed}, cycle {len(recoveries) + 1}: {broken}\n{logs_of(tmp_path)}") from broken
    finally:
        rig.end()
    with capsys.disabled():
        print(json.dumps(_figures(seed, blows.kills, system, recoveries, struck)), flush=True)
    assert max(recoveries) <= RECOVERY_SECONDS, (
        f"seed {seed}: nothing is lost, but a recovery took longer than a minute"
    )


def _figures(
    seed: int, kills: int, system: Cycles, recoveries: list[float], struck: "Counter[str]"
) -> dict[str, object]:
    return {
        "seed": seed,
        "cycles": len(recoveries),
        "kills": kills,
        "records": len(system.witness.records),
        "recovery_p50_s": round(statistics.median(recoveries), 1),
        "recovery_max_s": round(max(recoveries), 1),
        "faults": dict(struck),
    }
