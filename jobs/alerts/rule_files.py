"""Reading the files of a folder of rules; what is wrong with one is a sentence that names file and field."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from jobs.errors import SettingsError

# Files of a folder of rules that hold no rules.
AMOUNTS, TYPOLOGIES = "amounts.yaml", "typologies.yaml"
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
# A number that YAML wrote as one, or as text.
Number = Annotated[Decimal, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]


class Strict(BaseModel):
    """What is written in a file; a field that is not known is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def files_of(folder: Path) -> Sequence[Path]:
    """The files of a folder, in order."""
    return sorted(folder.glob("*.yaml"))


def yaml_of(path: Path) -> Any:
    """What a file holds; raises `SettingsError` when it cannot be read or is no YAML."""
    try:
        return yaml.safe_load(path.read_text())
    except OSError as problem:
        raise SettingsError(f"The file {path} cannot be read: {problem.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise SettingsError(f"The file {path} is not YAML: {' '.join(str(problem).split())}.") from None


def sentence_of(where: str, invalid: ValidationError) -> str:
    """The first thing that is wrong."""
    error = invalid.errors()[0]
    name = ".".join(str(part) for part in error["loc"]) or "the rule as a whole"
    if error["type"] == "extra_forbidden":
        return f"In {where}, the field '{name}' is unknown: take it away, or correct its name."
    if error["type"] == "missing":
        return f"In {where}, the field '{name}' is missing: add it."
    return f"In {where}, '{name}' is wrong: {error['msg'].removeprefix('Value error, ')}."
