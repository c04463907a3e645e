"""Columns that a table of an earlier version of ours lacks: they are added at its end, and its rows have null there."""

from pathlib import Path

from deltalake import DeltaTable, Field, Schema

from jobs.checksums import write_checksum
from jobs.errors import SettingsError
from schemas.tables import Table


def new_columns(existing: DeltaTable, table: Table) -> list[Field]:
    """What is to be added; raises `SettingsError` when the columns before are not those of ours."""
    wanted = Schema.from_json(table.schema.json()).fields
    there = [(field.name, field.type) for field in existing.schema().fields]
    if there != [(field.name, field.type) for field in wanted[: len(there)]]:
        raise SettingsError(
            f"The table {table.name} has other columns than this version writes: "
            "choose another --lake, or move the old one away and rebuild it."
        )
    return wanted[len(there) :]


def add_new_columns(folder: Path, table: Table) -> None:
    """Add them to the table in this folder. Who calls it holds the table."""
    existing = DeltaTable(folder)
    # None, when another process was quicker.
    if missing := new_columns(existing, table):
        existing.alter.add_columns(missing)
        write_checksum(folder)
