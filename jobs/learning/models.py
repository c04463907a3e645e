"""The models that were trained, in the lake's folder `_models/`: a file of joblib a version, and what is told of it.

joblib unpickles, and what is unpickled may run anything: who can write into that folder can act as who runs `momo
learn`. So it is open to its owner alone, and a file is loaded only when it is ours, nobody else may write it, and it is
the one that was written with the version. Never load a model that came from elsewhere.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import DataCheckFailed, DependencyMissing, NotFound
from jobs.lake import Lake
from jobs.learning.isolation import DayModel, require_library

# Of these a model is made: with the same ones it would be the same.
_MADE_OF = ("data_sha256", "parameters", "features", "scikit_learn")


@dataclass(frozen=True)
class Stored:
    """A version of a model; what is told of it: data, features, parameters, metrics, the version of scikit-learn."""

    name: str
    version: int
    about: dict[str, Any]
    is_new: bool


def save(lake: Lake, name: str, model: DayModel, about: dict[str, Any]) -> Stored:
    """Keep a model as the next version; the newest one stays when it was made of the very same."""
    newest = _newest(lake, name)
    if newest and all(newest.about[key] == about[key] for key in _MADE_OF):
        return newest
    import joblib

    version = newest.version + 1 if newest else 1
    folder = _folder(lake, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = folder / f".{version:04d}.joblib.tmp"
    joblib.dump(vars(model), unfinished)
    told = {"name": name, "version": version, **about, "file_sha256": _sha256(unfinished)}
    unfinished.chmod(0o600)
    unfinished.replace(folder / f"{version:04d}.joblib")
    # The last, so that what is told of is there.
    description = folder / f".{version:04d}.json.tmp"
    description.write_text(json.dumps(told, indent=2) + "\n")
    description.chmod(0o600)
    description.replace(folder / f"{version:04d}.json")
    return Stored(name, version, told, is_new=True)


def load(lake: Lake, name: str) -> tuple[Stored, DayModel]:
    """The newest version; raises `NotFound` without any, `DependencyMissing` for another scikit-learn's.

    Raises `DataCheckFailed` when the file is not the one that was written, or others may have written it.
    """
    newest = _newest(lake, name)
    if newest is None:
        raise NotFound(f"There is no model {name} in {lake.path}: run `momo train` first.")
    _refuse_other_library(newest)
    path = _folder(lake, name) / f"{newest.version:04d}.joblib"
    _refuse_foreign(path, newest)
    import joblib

    return newest, DayModel(**joblib.load(path))


def exists(lake: Lake, name: str) -> bool:
    """Whether a version is there."""
    return _newest(lake, name) is not None


def _folder(lake: Lake, name: str) -> Path:
    return lake.path / "_models" / name


def _newest(lake: Lake, name: str) -> Stored | None:
    folder = _folder(lake, name)
    versions = sorted(int(path.stem) for path in folder.glob("*.json") if re.fullmatch(r"\d+", path.stem))
    if not versions:
        return None
    about = json.loads((folder / f"{versions[-1]:04d}.json").read_text())
    return Stored(name, versions[-1], about, is_new=False)


def _refuse_other_library(stored: Stored) -> None:
    """What another version has pickled may be read and mean something else."""
    made, installed = stored.about["scikit_learn"], require_library()
    if made.split(".")[:2] != installed.split(".")[:2]:
        raise DependencyMissing(
            f"The model {stored.name} {stored.version} was made by scikit-learn {made}, and {installed} is installed: "
            "train it anew by `momo train`, or install that one."
        )


def _refuse_foreign(path: Path, stored: Stored) -> None:
    what = f"The model {path}"
    if not path.exists():
        raise DataCheckFailed(f"{what} is gone: train it anew by `momo train`.")
    state = path.stat()
    if state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise DataCheckFailed(f"{what} is another user's or may be written by others, so it is not loaded: train anew.")
    if _sha256(path) != stored.about["file_sha256"]:
        raise DataCheckFailed(f"{what} is not the file that was trained, so it is not loaded: train it anew.")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
