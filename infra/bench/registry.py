"""Who can take part: the program of each contestant, and where its tables are to be looked for."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from infra.bench.answers import Tables
from infra.bench.peers import peers_python
from jobs.errors import SettingsError
from jobs.settings import ROOT
from schemas.tables import BRONZE, PER_MINUTE, SILVER

PROGRAMS = ROOT / "infra" / "bench" / "contestants"
_LAYERS = {layer: layer for layer in ("bronze", "silver", "gold")}
_OUR_TABLES = Tables("delta", {"bronze": BRONZE.name, "silver": SILVER.name, "gold": PER_MINUTE.name})


@dataclass(frozen=True)
class Contestant:
    """A program that drains the topic; `says_written` when it writes its tables only after it has said it is done.

    `command` is a call, for it may first fetch what the program needs; it raises `DependencyMissing` when it cannot.
    """

    name: str
    command: Callable[[], list[str]]
    tables: Tables
    says_written: bool = False


def _ours(module: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", f"infra.bench.contestants.{module}"]


def _without_alerts(name: str, module: str) -> Contestant:
    return Contestant(name, lambda: ["env", "MOMO__STREAM__ALERTS=false", *_ours(module)()], _OUR_TABLES)


def _workers(number: int) -> Contestant:
    """The pipeline with executors of one core each, as processes of their own beside the driver's."""
    # PySpark reads the master from here when it starts the JVM; with a session it would be too late.
    arguments = f"PYSPARK_SUBMIT_ARGS=--master local-cluster[{number},1,2048] pyspark-shell"
    name = f"momostream_{number}_worker{'s' * (number > 1)}"
    return Contestant(name, lambda: ["env", arguments, *_ours("momostream")()], _OUR_TABLES)


def _peer(program: str) -> Callable[[], list[str]]:
    """A program of the peers' environment, which is made when it is first asked for."""
    return lambda: [str(peers_python()), str(PROGRAMS / program)]


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant("momostream", _ours("momostream"), _OUR_TABLES),
        _without_alerts("momostream_without_alerts", "momostream"),
        _without_alerts("momostream_bare", "momostream_bare"),
        Contestant("tutorial", _ours("tutorial"), Tables("delta", _LAYERS)),
        Contestant("polars", _peer("polars_loop.py"), Tables("delta", _LAYERS)),
        Contestant("pyflink", _peer("pyflink_sql.py"), Tables("parquet", _LAYERS)),
        Contestant(
            "kafka_streams", _ours("kafka_streams"), Tables("parquet", {"gold": "gold.parquet"}), says_written=True
        ),
        _workers(1),
        _workers(2),
    )
}


def contestants_named(names: str) -> list[Contestant]:
    """The contestants of a comma-separated list; raises `SettingsError` for a name that nobody has."""
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",")))
    unknown = [name for name in wanted if name not in CONTESTANTS]
    if unknown:
        raise SettingsError(f"--contestants names '{unknown[0]}': choose from {', '.join(CONTESTANTS)}.")
    return [CONTESTANTS[name] for name in wanted]
