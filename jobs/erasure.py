"""Erase persons from the files of bronze, silver, gold and alerts, the replaced ones too, and say what was done.

Rows and money of bronze and silver, and the windows of gold, stay what they were, so `momo reconcile` proves them as
before; only what gold tells of a single person goes. Needs the lake's lock and the right to maintain it.
"""

import json
import shutil
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs import appending, retention
from jobs.compaction import data_files
from jobs.enrichment import read_prefixes
from jobs.errors import SettingsError, TryAgain
from jobs.key_ring import KeyRing
from jobs.lake import Lake
from jobs.money_proof import money_lines
from jobs.msisdn import digits_of, read_number_plan
from jobs.persons import SIDES, AlertsWithout, BronzeWithout, Persons, RowsWithout, SilverWithout, places_of
from jobs.reconciliation import same_record, uncarried
from jobs.rewriting import Without, rewrite, rows_with
from jobs.tokens import ERASED
from schemas.tables import (
    ALERTS,
    BALANCES_DAILY,
    BRONZE,
    CUSTOMER_DAY_SCORES,
    CUSTOMER_SEGMENTS,
    CUSTOMERS_DAILY,
    PAIRS_DAILY,
    SILVER,
    Table,
)


def find_persons(lake: Lake, ring: KeyRing, numbers: Iterable[str], tokens: Sequence[str]) -> Persons:
    """Whom these numbers, as digits, and these tokens of silver stand for.

    Raises `SettingsError` for a token of anything but a phone number.
    """
    prefixes = [prefix for table in read_prefixes() for prefix in table]
    return Persons.of([*numbers, *_numbers_of(lake, tokens)], ring, read_number_plan(), prefixes).and_of(tokens)


def _numbers_of(lake: Lake, tokens: Sequence[str]) -> list[str]:
    """The numbers that bronze has where silver has these tokens; none where they are erased already."""
    if not tokens:
        return []
    wanted = ", ".join(f"'{token}'" for token in tokens)
    each = " UNION ".join(
        f"SELECT b.{side}_party AS party FROM {SILVER.name} s JOIN {BRONZE.name} b ON {same_record('s', 'b')} "
        f"WHERE s.{side}_token IN ({wanted})"
        for side in SIDES
    )
    values = [digits_of(party.partition(":")[2]) for party in lake.query(each)["party"].to_pylist()]
    numbers = [value for value in values if value != ERASED]
    if not all(number.isdecimal() for number in numbers):
        raise SettingsError("A token is not that of a phone number: persons are erased by their numbers alone.")
    return numbers


def erase(lake: Lake, persons: Persons, topic_retention_days: int) -> dict[str, Any]:
    """Erase them; gives the certificate, which names them by their tokens and is kept in the lake. Safe to repeat.

    Raises `TryAgain` when rows are still on their way to silver or gold: the stream would look for them once more.
    """
    _refuse_unfinished(lake)
    _delete_noted(lake)
    # What a killed append has left.
    shutil.rmtree(lake.path / "_appending", ignore_errors=True)
    found, bronze = _erase_table(lake, BRONZE, BronzeWithout(persons))
    _, silver = _erase_table(lake, SILVER, SilverWithout(persons, _places(found, persons)))
    tables = {BRONZE.name: bronze, SILVER.name: silver}
    # A lake of an earlier version has no such tables.
    of_customers = RowsWithout(persons)
    others: list[tuple[Table, Without]] = [
        (CUSTOMERS_DAILY, of_customers),
        (CUSTOMER_DAY_SCORES, of_customers),
        (CUSTOMER_SEGMENTS, of_customers),
        (PAIRS_DAILY, RowsWithout(persons, ("payer_token", "payee_token"))),
        (BALANCES_DAILY, RowsWithout(persons, ("account",))),
        (ALERTS, AlertsWithout(persons)),
    ]
    for table, without in others:
        if lake.open(table):
            _, tables[table.name] = _erase_table(lake, table, without)
    deleted = _delete_noted(lake)
    now, arrivals = datetime.now(UTC), [pc.max(rows["kafka_timestamp"]).as_py() for rows in found]
    certificate = {
        "erased_at": now.isoformat(),
        "tokens": sorted(persons.names),
        "tables": tables,
        "files_deleted": deleted,
        # The topic is not ours to change.
        "in_kafka_until": str(max(arrivals) + timedelta(days=topic_retention_days)) if arrivals else None,
    }
    (lake.path / "_erasures" / f"{now:%Y%m%dT%H%M%S.%fZ}.json").write_text(json.dumps(certificate, indent=2) + "\n")
    return certificate


def _refuse_unfinished(lake: Lake) -> None:
    is_unfinished = retention.unfinished(Path(lake.checkpoint_path(""))) or uncarried(lake)["waiting"]
    if is_unfinished or not all(line.agrees for line in money_lines(lake)):
        raise TryAgain(
            "Not every record is through all tables yet: run `momo stream --available-now`, let `momo reconcile` tell "
            "that all is well, then erase."
        )


def _erase_table(lake: Lake, table: Table, without: Without) -> tuple[list[pa.Table], dict[str, int]]:
    """One commit, where there is something to erase; the rows as they were, file by file, and what was done.

    Files that hold a person are noted to be deleted: replaced ones too, and what nobody can read.
    """
    folder = lake.path / table.name
    with lake.writing(table):
        theirs = {path: rows_with(folder / path, without) for path in _files_on_disk(folder)}
        held = {path: rows for path, rows in theirs.items() if rows is None or rows.num_rows}
        _note(lake, table, list(held))
        active = [file for file in data_files(DeltaTable(folder)) if file.path in held]
        if active:
            scratch = lake.path / "_appending" / table.name
            appending.make_scratch(scratch)
            for file in active:
                rewrite(folder / file.path, (scratch / file.path).with_name(f"part-{uuid.uuid4()}.parquet"), without)
            appending.swap_erased(active, table, folder, scratch)
        version = lake.newest_version(table)
    count = sum(rows.num_rows for file in active if (rows := held[file.path]) is not None)
    done = {"version": version, "rows": count, "files": len(active)}
    return [rows for rows in held.values() if rows is not None], done


def _files_on_disk(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*.parquet"))
    return sorted(str(path) for path in paths if path.parts[0] != "_delta_log")


def _places(found: Sequence[pa.Table], persons: Persons) -> dict[str, pa.Array]:
    """Where in Kafka a person is the payer, and where the payee."""
    places: dict[str, list[str]] = {side: [] for side in SIDES}
    for rows in found:
        for side in SIDES:
            named = rows.filter(persons.are_named(rows[f"{side}_party"]))
            places[side] += places_of(named).to_pylist()
    return {side: pa.array(of_side, pa.string()) for side, of_side in places.items()}


def _noted(lake: Lake) -> Path:
    return lake.path / "_erasures" / "_to_delete.json"


def _note(lake: Lake, table: Table, paths: Sequence[str]) -> None:
    """Keep in mind what is to be deleted, whatever happens in between: afterwards nobody could tell."""
    path = _noted(lake)
    path.parent.mkdir(exist_ok=True)
    noted = json.loads(path.read_text()) if path.exists() else {}
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_text(json.dumps({**noted, table.name: paths}))
    unfinished.replace(path)


def _delete_noted(lake: Lake) -> int:
    """Delete the noted files that are no part of their table, with Spark's checksums of them; how many there were."""
    path, deleted = _noted(lake), 0
    for name, files in (json.loads(path.read_text()) if path.exists() else {}).items():
        folder = lake.path / name
        for gone in set(files) - {file.path for file in data_files(DeltaTable(folder))}:
            (folder / gone).unlink(missing_ok=True)
            (folder / gone).with_name(f".{Path(gone).name}.crc").unlink(missing_ok=True)
            deleted += 1
    path.unlink(missing_ok=True)
    return deleted
