"""Settings: `conf/pipeline.toml`, then an own file, then the environment, then the command line.

Read once, by the verbs; unknown keys and values of the wrong kind are refused by name.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from jobs import soundness
from jobs.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS_FILE = ROOT / "conf" / "pipeline.toml"
ENVIRONMENT_PREFIX = "MOMO__"

Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]* (seconds?|minutes?|hours?|days?)$")]
Positive = Annotated[int, Field(gt=0)]


def _host_and_port(value: str) -> str:
    for address in value.split(","):
        found = re.fullmatch(r"[A-Za-z0-9._-]+:(\d{1,5})", address.strip())
        if not found or not 0 < int(found.group(1)) < 65536:
            raise ValueError(f"'{address}' is not HOST:PORT")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"'{value}' is not a time zone such as Africa/Kampala")
    return value


def _instant(value: str) -> str:
    try:
        has_zone = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        raise ValueError(f"'{value}' is no instant such as 2025-01-01T00:00:00Z")
    return value


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class KafkaSettings(_Group):
    """Where the topic is, and who we are there. The password itself is no setting: `jobs.credentials` reads it."""

    bootstrap: Annotated[str, AfterValidator(_host_and_port)]
    security_protocol: Literal["PLAINTEXT", "SASL_SSL"]
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"]
    # Both go into texts of Kafka's Java clients, where a quote or a brace would mean something.
    username: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]*$")]
    password_file: Annotated[str, StringConstraints(pattern=r'^[^:{}"\\]*$')]
    ca_file: str
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    max_offsets_per_trigger: Positive


class TopicSettings(_Group):
    """How the topic is made."""

    partitions: Positive
    replication: Positive
    min_insync_replicas: Positive
    retention_days: Positive
    max_message_bytes: Positive


class LakeSettings(_Group):
    """Where the tables are."""

    path: str


class PrivacySettings(_Group):
    """Where the secrets are that phone numbers are made tokens with."""

    key_file: str
    create_missing_key: bool


class StreamSettings(_Group):
    """Pace and time limits of the stream."""

    trigger: Duration
    dedup_keys: Positive
    lateness: Duration
    future_tolerance: Duration
    alerts: bool


class AlertSettings(_Group):
    """Where the rules are, and where alerts go to besides their table."""

    rules: str
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class KafkaStreamsSettings(_Group):
    """The application that computes windows without Spark."""

    dedup_horizon: Duration


class DummySettings(_Group):
    """What the dummy record does not say."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    time_zone: Annotated[str, AfterValidator(_time_zone)]
    type: str
    status: str


Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
# The environment gives digits as a number.
Digits = Annotated[str, BeforeValidator(str), StringConstraints(pattern=r"^[0-9]*$")]


class DarajaSettings(_Group):
    """What records of M-Pesa Daraja do not say."""

    time_zone: TimeZone
    currency: Currency
    calling_code: Digits
    short_code: Digits


class MtnSettings(_Group):
    """What records of MTN MoMo do not say."""

    organisation: str


class AirtelSettings(_Group):
    """What records of Airtel Money do not say."""

    organisation: str
    country: str
    currency: str


class PaysimSettings(_Group):
    """What rows of PaySim do not say."""

    currency: Currency
    start: Annotated[str, AfterValidator(_instant)]


class ApiSettings(_Group):
    """How long an API is waited for, and how often it is asked again."""

    tries: Positive
    first_wait_ms: Positive
    longest_wait_seconds: Positive
    answer_seconds: Positive


class ProducerSettings(_Group):
    """Limits of the producer."""

    max_in_flight: Positive
    delivery_timeout_seconds: Positive


class MaintainSettings(_Group):
    """What maintenance joins, and what it keeps."""

    target_file_mb: Positive
    vacuum_retention_hours: Positive
    log_retention_hours: Positive
    payload_retention_days: Annotated[int, Field(ge=0)]


class BrokerSettings(_Group):
    """The local broker."""

    folder: str
    heap: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[mg]$")]


class ProductionSettings(_Group):
    """Whether what is fit for one machine alone is refused."""

    strict: bool


class Settings(_Group):
    """All settings, checked."""

    kafka: KafkaSettings
    topic: TopicSettings
    lake: LakeSettings
    privacy: PrivacySettings
    stream: StreamSettings
    alerts: AlertSettings
    kafka_streams: KafkaStreamsSettings
    maintain: MaintainSettings
    dummy: DummySettings
    daraja: DarajaSettings
    mtn: MtnSettings
    airtel: AirtelSettings
    paysim: PaysimSettings
    api: ApiSettings
    producer: ProducerSettings
    broker: BrokerSettings
    production: ProductionSettings

    @property
    def lake_path(self) -> Path:
        """The lake's folder, absolute."""
        return ROOT / self.lake.path

    @property
    def rules_path(self) -> Path:
        """The folder of the rules, absolute."""
        return ROOT / self.alerts.rules

    @property
    def broker_path(self) -> Path:
        """The local broker's folder, absolute."""
        return ROOT / self.broker.folder


def load_settings(
    conf_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    **overrides: str | None,
) -> Settings:
    """Read the settings; `overrides` are `group__key=value` from the command line, None where not given.

    Raises `SettingsError` that names every wrong key.
    """
    values = _read_toml(DEFAULTS_FILE)
    if conf_file is not None:
        values = _merged(values, _read_toml(conf_file))
    values = _merged(values, _from_environment(environment))
    values = _merged(values, _nested({key: value for key, value in overrides.items() if value is not None}))
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        raise SettingsError("; ".join(_sentence(error) for error in invalid.errors())) from None
    soundness.require(settings)
    return settings


def duration_seconds(duration: str) -> int:
    """Seconds of a setting such as "10 minutes"."""
    number, unit = duration.split()
    return int(number) * {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[unit.rstrip("s")]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as problem:
        raise SettingsError(f"The settings file {path} cannot be read: {problem.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"The settings file {path} is not TOML: {problem}.") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    ours = {name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}
    return _nested({name.removeprefix(ENVIRONMENT_PREFIX).lower(): value for name, value in ours.items()})


def _nested(flat: Mapping[str, str]) -> dict[str, Any]:
    """`{"kafka__bootstrap": …}` as `{"kafka": {"bootstrap": …}}`, whole numbers and true and false as such."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        group, _, key = name.partition("__")
        nested.setdefault(group, {})[key] = _typed(value)
    return nested


def _typed(text: str) -> str | int | bool:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {**over, **base}
    for group, values in over.items():
        known = base.get(group)
        merged[group] = {**known, **values} if isinstance(known, dict) and isinstance(values, dict) else values
    return merged


def _sentence(error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        meant = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}."
        return f"The setting '{name}' is unknown: {meant}"
    if error["type"] == "missing":
        return f"The setting '{name}' is missing."
    return f"The setting '{name}' is {error['input']!r}: {error['msg'].removeprefix('Value error, ')}."


def _known_keys(path: list[str]) -> list[str]:
    model: Any = Settings
    for part in path:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
