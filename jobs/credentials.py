"""Who we are to Kafka. The password is read where it is used, and is in no setting, command line or Spark property.

Java's clients are told where it is and read it themselves, so executors need the same file at the same path, or the
same variable.
"""

import os
import re
import ssl
import stat
from pathlib import Path

from jobs.errors import SettingsError
from jobs.settings import ROOT, KafkaSettings

PASSWORD_VARIABLE = "MOMO_KAFKA_PASSWORD"

_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PROVIDERS = "org.apache.kafka.common.config.provider"
# Printable ASCII but blank, quote and backslash: Kafka puts the text between quotes as it is.
_PASSWORD = re.compile(r"[!#-\[\]-~]+")


def is_needed(kafka: KafkaSettings) -> bool:
    """Whether Kafka asks who we are."""
    return kafka.security_protocol == "SASL_SSL"


def ca_file(kafka: KafkaSettings) -> str | None:
    """The certificates that brokers' ones must come from; null for those of the machine. Raises `SettingsError`."""
    if not kafka.ca_file:
        return None
    path = ROOT / kafka.ca_file
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    # ssl.SSLError, of a file that is no PEM, is one of them.
    except OSError as problem:
        raise SettingsError(
            f"The file {path} of 'kafka.ca_file' cannot be used ({problem.strerror}): "
            "name a PEM file with the certificate of your brokers' authority."
        ) from None
    return str(path)


def password(kafka: KafkaSettings) -> str:
    """The password, from `kafka.password_file` or else from MOMO_KAFKA_PASSWORD.

    Raises `SettingsError` when there is none, when others than its owner may read the file, and for characters that
    Kafka's Java client would not take as they are.
    """
    if kafka.password_file:
        path = _private(ROOT / kafka.password_file)
        found, source = path.read_text(encoding="utf-8", errors="replace"), f"The file {path} of 'kafka.password_file'"
    else:
        found, source = os.environ.get(PASSWORD_VARIABLE, ""), f"The variable {PASSWORD_VARIABLE}"
    if not found:
        raise SettingsError(
            f"{source} holds no password for Kafka's user '{kafka.username}': "
            f"set 'kafka.password_file', or {PASSWORD_VARIABLE}."
        )
    if not _PASSWORD.fullmatch(found):
        raise SettingsError(
            f"{source} must hold printable ASCII without blanks, quotes, backslashes and a line's end: "
            "write it with `printf %s`, or choose another password."
        )
    return found


def java_client_options(kafka: KafkaSettings) -> dict[str, str]:
    """Settings of a Java client, none of them secret; none at all where Kafka asks for nothing.

    Raises `SettingsError` as `password` does, for Java's own errors come late and say little.
    """
    if not is_needed(kafka):
        return {}
    password(kafka)
    authority = ca_file(kafka)
    trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": authority} if authority else {}
    where, provider = _in_file(ROOT / kafka.password_file) if kafka.password_file else _in_environment()
    return {
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.jaas.config": f'{_LOGIN} required username="{kafka.username}" password="{where}";',
        **trust,
        **provider,
    }


def _in_file(path: Path) -> tuple[str, dict[str, str]]:
    return f"${{directory:{path.parent}:{path.name}}}", {
        "config.providers": "directory",
        "config.providers.directory.class": f"{_PROVIDERS}.DirectoryConfigProvider",
        "config.providers.directory.param.allowed.paths": str(path.parent),
    }


def _in_environment() -> tuple[str, dict[str, str]]:
    return f"${{environment:{PASSWORD_VARIABLE}}}", {
        "config.providers": "environment",
        "config.providers.environment.class": f"{_PROVIDERS}.EnvVarConfigProvider",
        "config.providers.environment.param.allowlist.pattern": PASSWORD_VARIABLE,
    }


def _private(path: Path) -> Path:
    """The file, which its owner alone may read, as ssh asks it of a key."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as problem:
        raise SettingsError(f"The file {path} of 'kafka.password_file' cannot be read: {problem.strerror}.") from None
    if mode & 0o077:
        raise SettingsError(
            f"The file {path} of 'kafka.password_file' may be read by others (mode {mode:04o}): `chmod 600` it."
        )
    return path
