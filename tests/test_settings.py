import pytest

from jobs.errors import SettingsError
from jobs.settings import load_settings


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
    from jobs.settings import ROOT

    settings = load_settings(ROOT / "conf" / "production.toml", environment={})

    assert (settings.topic.replication, settings.topic.min_insync_replicas) == (3, 2)
