"""The environment of the other contestants, `.local/peers`: their packages, and the JARs of the Flink job.

Flink wants older libraries than this project and the whole takes a gigabyte, so none of it is in the project's own
environment.
"""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.jars import JarsError, check_jars, fetch_jars
from jobs.command_line import run
from jobs.errors import DependencyMissing
from jobs.settings import ROOT

FOLDER = ROOT / ".local" / "peers"
REQUIREMENTS = "requirements/peers.txt"
MADE_FROM = FOLDER / "made-from.sha256"


def main(argv: Sequence[str] | None = None) -> int:
    """Make the environment if it is not there yet."""
    say(f"set-up: the other contestants run with {peers_python()}")
    return 0


def peers_python() -> Path:
    """The interpreter of the environment, which is made first when it is missing or made from other requirements.

    Raises `DependencyMissing` when packages or JARs cannot be fetched.
    """
    if not is_installed():
        say("set-up: packages of the other contestants, some 500 MB to fetch …")
        _install()
        MADE_FROM.write_text(_fingerprint())
    _fetch_missing_jars()
    return _python()


def is_installed() -> bool:
    """Whether the packages are there, installed from the requirements as they are now, in this very folder."""
    return MADE_FROM.exists() and MADE_FROM.read_text() == _fingerprint()


def say(line: str) -> None:
    """A line of progress, on stderr: what asks for the interpreter may print data."""
    sys.stderr.write(f"{line}\n")


def _fetch_missing_jars() -> None:
    jars = ("flink",)
    try:
        check_jars(ROOT, jars)
    except JarsError:
        say("set-up: JARs of the Flink job …")
        try:
            fetch_jars(ROOT, Path((ROOT / ".local" / "java-home").read_text()), jars)
        except JarsError as problem:
            raise DependencyMissing(str(problem)) from None


def _install() -> None:
    """By uv, which is quick; by pip where uv fails, for pip.conf knows proxies and mirrors."""
    if _call(sys.executable, "-m", "venv", "--clear", "--without-pip", str(FOLDER)) != 0:
        raise DependencyMissing(
            "`python3 -m venv` failed: install the venv module (Debian: apt-get install python3-venv)."
        )
    environment = ("--python", str(_python()))
    what = ("--quiet", "--require-hashes", "-r", REQUIREMENTS)
    uv = (str(Path(sys.executable).with_name("uv")), "pip", "install", *environment)
    pip = (sys.executable, "-m", "pip", *environment, "install", "--disable-pip-version-check")
    if _call(*uv, *what) != 0:
        say("set-up: uv could not install them, trying pip")
        if _call(*pip, *what) != 0:
            raise DependencyMissing(
                f"The packages of {REQUIREMENTS} could not be installed on Python {sys.version.split()[0]}: "
                "see pip's message above; a mirror is set in pip.conf, and Flink wants Python 3.11 or 3.12."
            )


def _python() -> Path:
    return FOLDER / "bin" / "python"


def _fingerprint() -> str:
    return hashlib.sha256(f"{ROOT} ".encode() + (ROOT / REQUIREMENTS).read_bytes()).hexdigest()


def _call(*command: str) -> int:
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(run(main))
