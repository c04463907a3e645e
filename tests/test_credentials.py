import pytest

from infra.doctor import examine
from jobs.credentials import java_client_options, password
from jobs.errors import SettingsError
from jobs.settings import load_settings

SECRET = "a-secret-7d1f"


def kafka(**changes):
    given = {"security_protocol": "SASL_SSL", "username": "momo-stream"} | changes
    return load_settings(environment={}, **{f"kafka__{name}": str(value) for name, value in given.items()}).kafka


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "kafka password"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def test_the_password_is_that_of_the_file_or_else_of_the_environment(password_file, monkeypatch):
    monkeypatch.setenv("MOMO_KAFKA_PASSWORD", "of-the-environment")

    assert password(kafka(password_file=password_file)) == SECRET
    assert password(kafka()) == "of-the-environment"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_password_that_others_may_read_is_refused(password_file, mode):
    password_file.chmod(mode)

    with pytest.raises(SettingsError, match=rf"may be read by others \(mode {mode:04o}\): `chmod 600` it"):
        password(kafka(password_file=password_file))


@pytest.mark.parametrize("text", ["line\n", "two words", 'quo"te', "back\\slash", "geheim\u00df", "\udcff"])
def test_a_password_that_javas_client_would_read_otherwise_is_refused_and_not_shown(password_file, text):
    password_file.write_text(text, errors="surrogateescape")

    with pytest.raises(SettingsError, match="must hold printable ASCII") as refused:
        password(kafka(password_file=password_file))
    assert text not in str(refused.value)


def test_no_password_is_said(password_file, monkeypatch):
    monkeypatch.delenv("MOMO_KAFKA_PASSWORD", raising=False)
    password_file.write_text("")

    with pytest.raises(SettingsError, match="holds no password for Kafka's user 'momo-stream'"):
        password(kafka(password_file=password_file))
    with pytest.raises(SettingsError, match="variable MOMO_KAFKA_PASSWORD holds no password"):
        password(kafka())
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        password(kafka(password_file=password_file.with_name("none")))


def test_javas_client_is_told_where_the_password_is_and_not_the_password(password_file, monkeypatch):
    monkeypatch.setenv("MOMO_KAFKA_PASSWORD", SECRET)
    for settings in (kafka(password_file=password_file), kafka()):
        options = java_client_options(settings)

        assert options["security.protocol"] == "SASL_SSL"
        assert 'username="momo-stream"' in options["sasl.jaas.config"]
        assert SECRET not in str(options)
    assert java_client_options(load_settings(environment={}).kafka) == {}


def test_an_authority_that_is_no_certificate_is_refused(password_file):
    with pytest.raises(SettingsError, match="of 'kafka.ca_file' cannot be used"):
        java_client_options(kafka(password_file=password_file, ca_file=password_file))


def test_the_doctor_says_what_the_password_lacks_and_shows_none(password_file):
    own = {"security_protocol": "SASL_SSL", "username": "momo-stream", "password_file": str(password_file)}
    settings = load_settings(environment={}, **{f"kafka__{name}": value for name, value in own.items()})
    sound = {finding.subject: finding for finding in examine(settings)}["user"]
    password_file.chmod(0o644)
    readable = {finding.subject: finding for finding in examine(settings)}["user"]

    assert (sound.ok, readable.ok) == (True, False)
    assert "may be read by others" in readable.sentence
    assert SECRET not in f"{sound}{readable}{settings}"
