"""Kafka's own program: its version, its data folder, its settings file and its process."""

import base64
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from string import Template

from jobs.errors import DependencyMissing, SettingsError
from jobs.settings import ROOT

JARS = ROOT / ".local" / "jars" / "broker"
JAVA_HOME_FILE = ROOT / ".local" / "java-home"
CONF = ROOT / "conf" / "kafka"


def kafka_version() -> str:
    """Kafka's version, from the name of the broker's JAR; raises `DependencyMissing` when that is not there."""
    for jar in JARS.glob("kafka_2.13-*.jar"):
        return jar.stem.removeprefix("kafka_2.13-")
    raise DependencyMissing(f"The broker's JARs are not in {JARS}: run `make setup`.")


def data_folder(folder: Path) -> Path:
    """The formatted data folder, made when there is none. Its name tells version and cluster; it is whole or not there.

    Raises `SettingsError` for one of another Kafka version.
    """
    version = kafka_version()
    for data in folder.glob("kafka-*-*"):
        made_by = data.name.split("-")[1]
        if made_by != version:
            raise SettingsError(
                f"{data} was made by Kafka {made_by}, this is {version}: set broker.folder to a new folder, "
                "or delete this one and the records in it."
            )
        return data
    return _format(folder, version)


def write_properties(folder: Path, data: Path, host: str, port: int) -> str:
    """Write `server.properties` for this start and give its path."""
    template = Template((CONF / "server.properties").read_text())
    path = folder / "server.properties"
    values = {"data": _escaped(data), "host": host, "port": str(port), "controller_port": str(port + 1)}
    path.write_text(template.safe_substitute(values))
    return str(path)


def launch(folder: Path, heap: str, properties: str) -> int:
    """Start the JVM in a session of its own, as a child of nobody here: it neither ends nor lingers with us."""
    detach = 'log=$1; shift; "$@" > "$log" 2>&1 < /dev/null & echo $!'
    kafka = [*java_command(heap), "kafka.Kafka", properties]
    command = ["/bin/sh", "-c", detach, "sh", str(folder / "broker.log"), *kafka]
    # Working in its folder: Kafka resolves nothing against it, and a crash dump of the JVM lands there.
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, start_new_session=True, check=True)
    return int(run.stdout)


def _escaped(path: Path) -> str:
    """The path as a Java properties file spells it: such a file is Latin-1, and a backslash escapes."""
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in str(path).replace("\\", "\\\\"))


def _format(folder: Path, version: str) -> Path:
    # A fixed first letter, for Kafka takes no identifier that begins with a dash.
    cluster = "m" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    forming = folder / "forming"
    shutil.rmtree(forming, ignore_errors=True)
    properties = write_properties(folder, forming, "127.0.0.1", 19092)
    run = subprocess.run(
        [*java_command("256m"), "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", properties],
        capture_output=True, text=True,
    )  # fmt: skip
    if run.returncode != 0:
        reason = (run.stderr.strip() or run.stdout.strip() or f"exit code {run.returncode}").splitlines()[-1]
        raise DependencyMissing(f"Kafka could not format its data folder in {folder}: {reason}")
    return forming.rename(folder / f"kafka-{version}-{cluster}")


def java_command(heap: str) -> list[str]:
    """Java with Kafka's JARs; what it is to run comes behind."""
    return [
        java_program(), f"-Xmx{heap}", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={CONF / 'log4j2.properties'}", "-cp", f"{JARS}/*",
    ]  # fmt: skip


def java_program() -> str:
    """The `java` that the set-up chose; raises `DependencyMissing` when it does not run."""
    java = Path(JAVA_HOME_FILE.read_text().strip()) / "bin" / "java" if JAVA_HOME_FILE.exists() else None
    if java is None or not os.access(java, os.X_OK):
        raise DependencyMissing(f"No Java was found ({JAVA_HOME_FILE} names none that runs): run `make setup`.")
    return str(java)
