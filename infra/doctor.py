"""Say what this machine lacks for the stream, one sentence each, and which settings are in force."""

import argparse
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console

from infra.broker import broker_status
from infra.jars import RUN, JarsError, check_jars
from infra.java import find_java
from infra.set_up import CONF_FILES
from jobs import credentials
from jobs.command_line import add_settings_arguments, settings_from
from jobs.errors import DependencyMissing, SettingsError
from jobs.key_ring import VARIABLE, find_ring, key_file
from jobs.settings import ROOT, KafkaSettings, PrivacySettings, Settings

# Environment, JARs, and a lake and broker with a day of dummy data.
NEEDED_GIGABYTES = 3

# Others of their kind do not go together: see docs/decisions.md.
PINNED = {"pyspark": "4.2.0", "delta-spark": "4.4.0", "kafka-python": "3.0.12", "great-expectations": "1.24.1"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is as it must be, and a sentence."""

    subject: str
    ok: bool
    sentence: str


def main(argv: Sequence[str] | None = None) -> int:
    """0 when nothing is missing, 69 otherwise."""
    parser = argparse.ArgumentParser(prog="momo doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object with all findings and the settings")
    add_settings_arguments(parser, "kafka", "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    findings = examine(settings)
    if arguments.json:
        print(json.dumps({"findings": [asdict(f) for f in findings], "settings": settings.model_dump()}))
    else:
        _print(findings, settings)
    return 0 if all(finding.ok for finding in findings) else DependencyMissing.exit_code


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; an examination never changes anything."""
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "Python": _python,
        "packages": _packages,
        "Java": _java,
        "JARs": _jars,
        "Spark": lambda: spark_settings(_spark_home() / "conf"),
        "keys": lambda: _keys(settings.privacy),
        "disk": lambda: _disk(settings.lake_path),
        "broker": lambda: _broker(settings),
        "user": lambda: _user(settings.kafka),
    }
    return [Finding(subject, *check()) for subject, check in checks.items()]


def _python() -> tuple[bool, str]:
    version = sys.version.split()[0]
    return sys.version_info >= (3, 11), f"Python {version}; 3.11 or newer is needed."


def _packages() -> tuple[bool, str]:
    wrong = []
    for name, wanted in PINNED.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(f"{name} is {found}, {wanted} is needed")
    if wrong:
        return False, f"{'; '.join(wrong)}: run `make setup`."
    return True, ", ".join(f"{name} {version}" for name, version in PINNED.items()) + "."


def _java() -> tuple[bool, str]:
    java = find_java(ROOT)
    if java is None:
        return False, "No Java 17 or 21 was found: run `make setup`, which brings one, or set JAVA_HOME."
    return True, f"Java {java.major} from {java.source} ({java.home})."


def _jars() -> tuple[bool, str]:
    try:
        check_jars(ROOT, RUN)
    except JarsError as problem:
        return False, str(problem)
    return True, "All JARs are the ones of infra/jars.sha256."


def spark_settings(folder: Path) -> tuple[bool, str]:
    """Whether what Spark reads in this folder is what stands in `conf/` today, and a sentence."""
    written = {name: (folder / name).read_text() if (folder / name).exists() else "" for name in CONF_FILES}
    if f"{ROOT}/.local/jars/spark/*" not in written["spark-defaults.conf"]:
        lacks = "spark-submit of this environment lacks our settings, or those of another folder are there"
        return False, f"{lacks}: run `make setup`."
    changed = [name for name, text in written.items() if not text.startswith((ROOT / "conf" / name).read_text())]
    if changed:
        return False, f"conf/{changed[0]} has changed since it was put where Spark looks: run `make setup`."
    return True, "spark-submit finds settings and JARs by itself."


def _spark_home() -> Path:
    return next(Path(sys.prefix).glob("lib/python*/site-packages/pyspark"), Path())


def _keys(privacy: PrivacySettings) -> tuple[bool, str]:
    try:
        ring = find_ring(privacy)
    except SettingsError as problem:
        return False, str(problem)
    if ring is not None:
        where = f"in {VARIABLE}" if VARIABLE in os.environ else f"at {key_file(privacy)}"
        return True, f"The key ring {where} has {', '.join(ring.keys)}; tokens are made with {ring.active}."
    missing = f"There is no key ring at {key_file(privacy)}: "
    return privacy.create_missing_key, missing + (
        "the first stream makes one." if privacy.create_missing_key else "make one with `momo keys create`."
    )


def _disk(lake: Path) -> tuple[bool, str]:
    existing = next(folder for folder in (lake, *lake.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return free >= NEEDED_GIGABYTES, f"{free:.1f} GB are free at {existing}; {NEEDED_GIGABYTES} are needed."


def _broker(settings: Settings) -> tuple[bool, str]:
    status = broker_status(settings)
    if status.running:
        return True, f"The local broker runs at {status.address} (pid {status.pid})."
    addresses = settings.kafka.bootstrap.split(",")
    answering = [address for address in addresses if _is_open(address)]
    if answering:
        return True, f"Something that is not our local broker listens at {answering[0]}; take it for a Kafka broker."
    return True, f"Nothing listens at {settings.kafka.bootstrap}: `momo broker start` can take it."


def _user(kafka: KafkaSettings) -> tuple[bool, str]:
    if not credentials.is_needed(kafka):
        return True, "Kafka is reached without a user (kafka.security_protocol is PLAINTEXT)."
    try:
        credentials.java_client_options(kafka)
    except SettingsError as problem:
        return False, str(problem)
    return True, f"The password of Kafka's user '{kafka.username}' is there; whether it is right, `momo topics` tells."


def _is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _print(findings: list[Finding], settings: Settings) -> None:
    console = Console(soft_wrap=True)
    for finding in findings:
        mark = "[green]ok     [/]" if finding.ok else "[red]missing[/]"
        console.print(f"{mark} {finding.subject:<9} {finding.sentence}", highlight=False)
    console.print("\nSettings in force:")
    for group, values in settings.model_dump().items():
        console.print(f"  {group:<9} " + " · ".join(f"{k}={v}" for k, v in values.items()), highlight=False)
