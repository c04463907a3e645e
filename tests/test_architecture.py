"""The import rules that keep the tree readable: pure modules touch neither tables nor Kafka."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PURE = [
    "jobs/bronze.py",
    "jobs/parsing.py",
    "jobs/silver.py",
    "jobs/gold.py",
    "jobs/insights/charges.py",
    "jobs/insights/customers.py",
    "jobs/insights/daily.py",
    "jobs/insights/kpis.py",
    "jobs/rules.py",
    "jobs/msisdn.py",
    "jobs/tokens.py",
    "jobs/persons.py",
    "jobs/alerts/movements.py",
    "jobs/alerts/vocabulary.py",
    "jobs/alerts/totals.py",
    "jobs/alerts/rulebook.py",
    "jobs/alerts/evaluation.py",
    "jobs/alerts/evidence.py",
    "jobs/alerts/examples.py",
    "jobs/learning/measures.py",
    "jobs/learning/anomalies.py",
    "jobs/learning/liquidity.py",
    "jobs/learning/isolation.py",
    "jobs/learning/segments.py",
    "jobs/learning/arrow.py",
    "producers/faults.py",
    "producers/simulation.py",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "producers" / "adapters").glob("*.py"))),
]
WORLD = {"kafka", "deltalake", "delta", "jobs.lake", "jobs.sources", "jobs.session", "jobs.pipeline", "infra"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_touches_nothing_of_the_world(module):
    touched = {
        name for name in imported(ROOT / module) for world in WORLD if name == world or name.startswith(f"{world}.")
    }

    assert touched == set()


def test_the_rule_sees_an_import_when_there_is_one():
    assert "jobs.lake" in imported(ROOT / "jobs" / "pipeline.py")


def test_no_module_is_named_after_a_library():
    """spark-submit puts jobs/ itself on the path, where a kafka.py would hide the library."""
    libraries = sys.stdlib_module_names | {
        "kafka",
        "delta",
        "deltalake",
        "pyspark",
        "pyarrow",
        "rich",
        "pydantic",
        "numpy",
    }
    named = {path.stem for folder in ("jobs", "producers") for path in (ROOT / folder).glob("*.py")}

    assert named & libraries == set()


def test_the_set_up_needs_nothing_that_it_installs():
    ours = {"infra", "infra.jars", "infra.java"}
    for module in ("set_up", "jars", "java"):
        needed = {name.partition(".")[0] for name in imported(ROOT / "infra" / f"{module}.py") - ours}
        assert needed - {"infra"} <= sys.stdlib_module_names
