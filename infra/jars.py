"""Fetch the JARs of Spark's connectors, the broker and Kafka Streams, and check each against the committed list."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

LIST = "infra/jars.sha256"
# The configurations of infra/ivy.xml that the pipeline itself runs with.
RUN = ("spark", "broker")
STREAMS = ("streams",)
MIRROR_VARIABLE = "MOMO_MAVEN_URL"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "momostream" / "ivy"


class JarsError(Exception):
    """The JARs could not be fetched, or are not the ones the list names."""


def fetch_jars(root: Path, java_home: Path, configurations: Sequence[str]) -> None:
    """Resolve these configurations of `infra/ivy.xml` into `.local/jars/` by the Ivy that pyspark carries.

    Each has a folder and a call of its own, so that one leaves the others' JARs alone. Downloads are kept in the user's
    cache folder, as pip keeps its own, for the next clone. Raises `JarsError`.
    """
    for configuration in configurations:
        run = subprocess.run(_ivy(root, java_home, configuration), capture_output=True, text=True)
        if run.returncode != 0:
            log = root / ".local" / "ivy.log"
            log.write_text(run.stdout + run.stderr)
            raise JarsError(
                f"The JARs could not be fetched from {os.environ.get(MIRROR_VARIABLE, 'Maven Central')} (see {log}). "
                f"Behind a proxy set HTTPS_PROXY; with a company mirror set {MIRROR_VARIABLE} to its address."
            )
    check_jars(root, configurations)


def check_jars(root: Path, configurations: Sequence[str]) -> None:
    """Compare the JARs with their sha256 in `infra/jars.sha256`; raise `JarsError` naming those that differ.

    These configurations must be whole; of others, what is there must be on the list.
    """
    lines = (line.split() for line in (root / LIST).read_text().splitlines())
    listed = {name: checksum for checksum, name in lines}
    wanted = {name for name in listed if name.partition("/")[0] in configurations}
    found = {f"{jar.parent.name}/{jar.name}": _sha256(jar) for jar in (root / ".local" / "jars").glob("*/*.jar")}
    wrong = sorted(name for name in wanted | found.keys() if listed.get(name) != found.get(name))
    if wrong:
        raise JarsError(
            f"These JARs are missing, changed or not in {LIST}: {', '.join(wrong)}. "
            f"Delete .local/jars and {CACHE} and run `make setup` again; if it persists, do not use them."
        )


def _ivy(root: Path, java_home: Path, configuration: str) -> list[str]:
    ivy = next(root.glob(".venv/lib/python*/site-packages/pyspark/jars/ivy-*.jar"))
    return [
        str(java_home / "bin" / "java"), f"-Dcache.dir={CACHE}", *_proxy_flags(),
        "-cp", str(ivy), "org.apache.ivy.Main", "-settings", str(_settings(root)),
        "-ivy", str(root / "infra" / "ivy.xml"), "-confs", configuration, "-types", "jar", "bundle", "-warn", "-sync",
        "-retrieve", f"{root}/.local/jars/{configuration}/[artifact]-[revision](-[classifier]).[ext]",
    ]  # fmt: skip


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _settings(root: Path) -> Path:
    """The Ivy settings, pointed at the mirror when one is set."""
    plain = root / "infra" / "ivysettings.xml"
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return plain
    mirrored = root / ".local" / "ivysettings.xml"
    mirrored.write_text(plain.read_text().replace("<ibiblio ", f'<ibiblio root="{mirror}" '))
    return mirrored


def _proxy_flags() -> list[str]:
    """Java does not read HTTPS_PROXY; these flags say the same."""
    proxy = urlsplit(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or "")
    if not proxy.hostname:
        return []
    return [f"-Dhttps.proxyHost={proxy.hostname}", f"-Dhttps.proxyPort={proxy.port or 80}"]
