"""Write docs/tables.md from `schemas.tables`: python -m schemas.document_tables."""

from pathlib import Path

from schemas.tables import LEARNED, TABLES, Table

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
HEAD = """# Tables: the data dictionary

Made from `schemas/tables.py` by `python -m schemas.document_tables`; a test keeps it so. All times are UTC.
Ask them with `momo sql "SELECT …"`, read them with anything that reads Delta.
"""


def document() -> str:
    """All tables in Markdown: grain, key, columns with type and meaning."""
    return "\n".join([HEAD, *(_section(table) for table in (*TABLES, *LEARNED))])


def _section(table: Table) -> str:
    partitions = f" · partitioned by {', '.join(table.partitioned_by)}" if table.partitioned_by else ""
    rows = [f"| {c.name} | {c.type.simpleString()} | {c.comment} |" for c in table.columns]
    head = ["| column | type | meaning |", "|---|---|---|"]
    title = [f"## {table.name}", f"{table.grain}.", f"Key: {', '.join(table.key)}{partitions}."]
    return "\n\n".join([*title, "\n".join([*head, *rows])]) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
