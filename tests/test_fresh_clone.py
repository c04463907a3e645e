"""The README's first command, in a fresh clone of what is committed, twice."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [pytest.mark.fresh_clone, pytest.mark.timeout(1200)]

# A newcomer's environment: none of the settings, and no environment of Python activated.
PATH = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if "/.venv/" not in f"{part}/")
FOREIGN = ("MOMO", "SPARK", "PYSPARK", "PYTHON", "VIRTUAL_ENV")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | {"PATH": PATH}

# What must not differ between two demos; when a record arrived, and in which batch, may.
CONTENT = {
    "silver": "SELECT transaction_reference, status, amount, currency, event_time, debit_operator FROM silver_transactions ORDER BY 1, 2",
    "per_minute": "SELECT window_start, transaction_type, currency, channel, event_count, amount, fee_amount, distinct_payers "
    "FROM gold_transactions_per_minute ORDER BY 1, 2, 3, 4",
    "agents": "SELECT window_start, agent_id, currency, net_float, distinct_customers FROM gold_agent_activity_5m ORDER BY 1, 2, 3",
    "corridors": "SELECT * EXCEPT (is_final, revision, corrected_at) FROM gold_corridor_hourly ORDER BY 1, 3, 4, 5, 6, 7",
    "reasons": "SELECT broken_rules, count(*) AS n FROM quarantine_events GROUP BY 1 ORDER BY 1",
}


def run(clone: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=clone, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def content(clone: Path) -> dict[str, str]:
    return {
        name: run(clone, ".venv/bin/momo", "sql", "--lake", ".local/demo/lake", "--json", sql)
        for name, sql in CONTENT.items()
    }


def processes_of(clone: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(clone) in line]


def test_a_newcomer_sees_the_demo_add_up_twice_with_the_same_tables(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)

    first = run(clone, "make", "demo")
    assert "NOT CLEAN" not in first
    tables = content(clone)
    assert processes_of(clone) == []
    assert run(clone, "git", "status", "--porcelain") == ""

    started = time.monotonic()
    assert "set-up" not in run(clone, "make", "setup")
    assert time.monotonic() - started < 2

    summary = json.loads(run(clone, ".venv/bin/momo", "demo", "--json"))
    assert summary["problems"] == []
    assert summary["counts"]["sent"] == summary["counts"]["acknowledged"] == summary["reconciliation"]["bronze"]
    assert content(clone) == tables
    assert processes_of(clone) == []
