"""What agents have: a file of their floats at the end of a day, as the operator's own system tells them."""

import csv
import re
from decimal import Decimal
from pathlib import Path

from jobs.errors import SettingsError

COLUMNS = ["agent_id", "currency", "float_amount"]


def read_floats(path: Path) -> dict[tuple[str, str], Decimal]:
    """Float by agent and currency; raises `SettingsError` with the line that is wrong, never with what is in it."""
    floats: dict[tuple[str, str], Decimal] = {}
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            if rows.fieldnames != COLUMNS:
                raise SettingsError(f"The file {path} has other columns than {','.join(COLUMNS)}: write these.")
            for row in rows:
                key = (row["agent_id"], row["currency"])
                if key in floats:
                    raise SettingsError(f"Line {rows.line_num} of {path} has an agent and currency once more.")
                floats[key] = _amount(row["float_amount"], f"Line {rows.line_num} of {path}")
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"The file {path} cannot be read as text: {type(problem).__name__}.") from None
    return floats


def _amount(text: str | None, line: str) -> Decimal:
    if not re.fullmatch(r"\d{1,18}(\.\d{1,4})?", text or ""):
        raise SettingsError(f"{line} has no float_amount such as 250000 or 1200.50.")
    return Decimal(text or "")
