"""A broker that asks everybody who he is: TLS, SCRAM and access rules, by conf/kafka/secured.properties."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from infra.kafka_server import CONF, java_command
from infra.ports import free_port_pair
from infra.topics import cluster_id
from jobs.settings import Settings, load_settings
from tests.system.certificates import write_authority, write_broker_certificate

CLUSTER = "mAAAAAAAAAAAAAAAAAAAAA"
USERS = ("admin", "broker", "momo-producer", "momo-stream", "momo-operator")


@dataclass(frozen=True)
class SecuredBroker:
    """Where it is, and what its users know."""

    folder: Path
    port: int
    passwords: dict[str, str]

    def conf_file(self, user: str, password: str | None = None, ca_file: Path | None = None) -> Path:
        """A settings file of this user, whose password is in a file beside it."""
        password_file = private(self.folder / f"{user}-{secrets.token_hex(4)}", password or self.passwords[user])
        conf_file = password_file.with_suffix(".toml")
        conf_file.write_text(
            f'[kafka]\nbootstrap = "127.0.0.1:{self.port}"\nsecurity_protocol = "SASL_SSL"\nusername = "{user}"\n'
            f'password_file = "{password_file}"\nca_file = "{ca_file or self.folder / "ca.pem"}"\n'
        )
        return conf_file

    def settings(self, user: str) -> Settings:
        """The settings of this user."""
        return load_settings(self.conf_file(user), environment={})


def private(path: Path, text: str) -> Path:
    """Write a file that its owner alone may read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@contextmanager
def secured_broker(folder: Path) -> Iterator[SecuredBroker]:
    """Format and run one; everybody but its administrator may do nothing yet."""
    broker = SecuredBroker(folder, free_port_pair(), {user: secrets.token_urlsafe(24) for user in USERS})
    authority = write_authority(folder / "ca.pem")
    write_broker_certificate(private(folder / "broker.pem", ""), authority)
    private(folder / "broker-password", broker.passwords["broker"])
    properties = _write_properties(broker)
    _format(broker, properties)
    with (folder / "broker.log").open("w") as log:
        command = [*java_command("384m"), "kafka.Kafka", str(properties)]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        administrator = broker.settings("admin")
        while cluster_id(administrator) != CLUSTER:
            assert process.poll() is None, (folder / "broker.log").read_text()
        yield broker
    finally:
        process.terminate()
        process.wait()


def _write_properties(broker: SecuredBroker) -> Path:
    values = {"host": "127.0.0.1", "port": broker.port, "controller_port": broker.port + 1}
    places = {"data": broker.folder / "data", "secrets": broker.folder}
    path = broker.folder / "server.properties"
    # The later of two lines with one name counts.
    text = "\n".join((CONF / name).read_text() for name in ("server.properties", "secured.properties"))
    path.write_text(Template(text).safe_substitute(values, **places))
    return path


def _format(broker: SecuredBroker, properties: Path) -> None:
    users = [f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in broker.passwords.items()]
    added = [part for user in users for part in ("--add-scram", user)]
    arguments = ["format", "--standalone", "-t", CLUSTER, "-c", str(properties), *added]
    file = private(broker.folder / "format.arguments", "\n".join(arguments))
    run = subprocess.run([*java_command("256m"), "kafka.tools.StorageTool", f"@{file}"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    file.unlink()
