"""Why every write of a table holds a lock: the log store of Spark's Delta looks, and then renames."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from infra.java import find_java
from jobs.settings import ROOT

VERSIONS = 40
ROUNDS = 6

# Hadoop runs `readlink` on the commit's name just before it looks whether that is taken. This one tells a name that
# is no link, as the real one does, once both writers have come as far (or one will not come): so they look and rename
# within the same moment, and one version in five to twelve is overwritten, on a busy machine too.
READLINK = """\
#!/bin/sh
case $1 in */0*.json)
  gate=$GATE/${1##*/}
  turn=1; [ -e $gate.$WRITER.1 ] && turn=2
  : > $gate.$WRITER.$turn
  tries=0
  until [ -e $gate.a.$turn ] && [ -e $gate.b.$turn ] || [ $tries -gt 20000 ]; do tries=$((tries + 1)); done
esac
exit 1
"""

# Two processes that do what Spark's Delta does to commit, each in a Java of its own, as two drivers would.
WRITER = """
import contextlib, json, sys
from pathlib import Path
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError
from jobs.lake import Lake
from schemas.tables import SILVER

lake, name, java, jars, is_locked, versions = sys.argv[1:]
port = launch_gateway(java_path=java, classpath=jars, die_on_exit=True)
jvm = JavaGateway(gateway_parameters=GatewayParameters(port=port)).jvm
configuration = jvm.org.apache.hadoop.conf.Configuration()
store = jvm.io.delta.storage.HDFSLogStore(configuration)

def committed(version):
    path = jvm.org.apache.hadoop.fs.Path(f"file://{lake}/{version:020d}.json")
    lines = jvm.java.util.List.of(f"{name} {version}").iterator()
    try:
        store.write(path, lines, False, configuration)
    except Py4JJavaError as taken:
        assert "FileAlreadyExists" in str(taken.java_exception), taken
        return False
    return True

committed(int(versions) + (1 if name == "a" else 2))
print("ready", flush=True)
sys.stdin.readline()
done = []
for version in range(int(versions)):
    with Lake(Path(lake)).writing(SILVER) if is_locked == "True" else contextlib.nullcontext():
        if committed(version):
            done.append(version)
print(json.dumps(done))
"""


def commits_of_two_writers(folder: Path, is_locked: bool) -> tuple[dict[str, list[int]], dict[int, str]]:
    """The versions each writer was told it had written, and who wrote what is there in the end."""
    gate = folder / "gate"
    gate.mkdir(parents=True)
    (gate / "readlink").write_text(READLINK)
    (gate / "readlink").chmod(0o755)
    writers = {name: _start(name, folder, gate, is_locked) for name in ("a", "b")}
    for writer in writers.values():
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers.values():
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = {name: json.loads(writer.communicate(timeout=120)[0]) for name, writer in writers.items()}
    return told, {version: (folder / f"{version:020d}.json").read_text().split()[0] for version in range(VERSIONS)}


def _start(name: str, folder: Path, gate: Path, is_locked: bool) -> subprocess.Popen[str]:
    found = find_java(ROOT)
    assert found is not None
    arguments = [str(folder), name, str(found.home / "bin" / "java"), _class_path(), str(is_locked), str(VERSIONS)]
    environment = os.environ | {"WRITER": name, "GATE": str(gate), "PATH": f"{gate}:{os.environ['PATH']}"}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _class_path() -> str:
    return ":".join([f"{Path(pyspark.__file__).parent}/jars/*", f"{ROOT}/.local/jars/spark/*"])


def lost(told: dict[str, list[int]], there: dict[int, str]) -> list[int]:
    """Versions that a writer had committed, and that hold the other one's commit."""
    return [version for name, versions in told.items() for version in versions if there[version] != name]


@pytest.mark.timeout(300)
def test_two_writers_without_the_lock_overwrite_each_other_and_with_it_they_do_not(tmp_path):
    assert any(lost(*commits_of_two_writers(tmp_path / f"bare_{n}", is_locked=False)) for n in range(ROUNDS))
    assert not lost(*commits_of_two_writers(tmp_path / "held", is_locked=True))
