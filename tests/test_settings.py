import pytest

from jobs.errors import SettingsError
from jobs.settings import ROOT, load_settings


def test_the_command_line_wins_over_the_environment_and_the_environment_over_the_file(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[kafka]\nbootstrap = "file:1"\ntopic = "of.file"\n[lake]\npath = "of-file"\n')
    environment = {"MOMO__KAFKA__BOOTSTRAP": "environment:2", "MOMO__KAFKA__TOPIC": "of.environment"}

    settings = load_settings(own, environment, kafka__bootstrap="line:3")

    assert (settings.kafka.bootstrap, settings.kafka.topic, settings.lake.path) == (
        "line:3",
        "of.environment",
        "of-file",
    )


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ('[kafka]\nbotstrap = "a:1"', "The setting 'kafka.botstrap' is unknown: did you mean 'bootstrap'?"),
        ("[nonsense]\na = 1", "The setting 'nonsense' is unknown"),
        ('[kafka]\nbootstrap = "localhost"', "'localhost' is not HOST:PORT"),
        ('[kafka]\nbootstrap = "a:99999"', "'a:99999' is not HOST:PORT"),
        ("[topic]\npartitions = -2", "The setting 'topic.partitions' is -2"),
        ('[topic]\npartitions = "two"', "The setting 'topic.partitions' is 'two'"),
        ('[stream]\ntrigger = "soon"', "The setting 'stream.trigger' is 'soon'"),
        ("[stream]\ndedup_keys = 999_999", "'stream.dedup_keys' is 999,999, at least two batches of"),
        ('[dummy]\ntime_zone = "Kampala"', "'Kampala' is not a time zone"),
        ('[kafka]\nsecurity_protocol = "SSL"', "Input should be 'PLAINTEXT' or 'SASL_SSL'"),
        ('[kafka]\nsecurity_protocol = "SASL_SSL"', "is SASL_SSL, but 'kafka.username' is empty"),
        ("[kafka]\nusername = 'a\"b'", "The setting 'kafka.username' is 'a\"b'"),
        ('[kafka]\npassword = "p"', "The setting 'kafka.password' is unknown: did you mean 'password_file'?"),
        ("[kafka", "is not TOML"),
    ],
)
def test_a_wrong_setting_is_named_in_a_sentence(tmp_path, written, sentence):
    own = tmp_path / "own.toml"
    own.write_text(written)

    with pytest.raises(SettingsError, match="setting") as refused:
        load_settings(own, environment={})

    assert sentence in str(refused.value)
    assert refused.value.exit_code == 64


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_settings(tmp_path / "none.toml", environment={})


def test_the_production_settings_are_sound():
    settings = load_settings(ROOT / "conf" / "production.toml", environment={})

    assert (settings.topic.replication, settings.topic.min_insync_replicas) == (3, 2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kafka__security_protocol": "PLAINTEXT"}, "'kafka.security_protocol' must not be PLAINTEXT"),
        ({"topic__replication": "2"}, "'topic.replication' must be at least 3, it is 2"),
        ({"topic__min_insync_replicas": "1"}, "'topic.min_insync_replicas' must be at least 2, it is 1"),
        ({"lake__path": "/tmp/lake"}, "'lake.path' must not be in a temporary folder, it is /tmp/lake"),
        ({"lake__path": "/var/tmp/../tmp/lake"}, "must not be in a temporary folder"),
        ({"lake__path": "/dev/shm/lake"}, "must not be in a temporary folder"),
    ],
    ids=str,
)
def test_production_refuses_what_is_fit_for_one_machine_alone(changes, sentence):
    with pytest.raises(SettingsError) as refused:
        load_settings(ROOT / "conf" / "production.toml", environment={}, **changes)

    assert sentence in str(refused.value)
    assert str(refused.value).count("In production") == 1


def test_what_production_refuses_is_otherwise_allowed():
    loose = {"MOMO__PRODUCTION__STRICT": "false"}

    settings = load_settings(ROOT / "conf" / "production.toml", loose, lake__path="/tmp/lake")

    assert settings.production.strict is False


def test_all_that_production_refuses_is_named_at_once():
    environment = {"MOMO__PRODUCTION__STRICT": "true"}

    with pytest.raises(SettingsError) as refused:
        load_settings(environment=environment, lake__path="/tmp/lake")

    assert str(refused.value).count("In production") == 4
