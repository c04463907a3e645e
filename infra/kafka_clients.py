"""How our Python clients reach Kafka: where it is, as whom, and what to raise when it refuses us."""

from collections.abc import Callable
from functools import partial
from typing import Any

from kafka.errors import AuthorizationError, KafkaConnectionError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from jobs import credentials
from jobs.errors import AccessDenied
from jobs.settings import KafkaSettings

# What Python's ssl calls a certificate that it cannot trace to one it trusts, or that names another host.
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """What any client of kafka-python is made with. Raises `SettingsError` when the password is not to be had."""
    where = {"bootstrap_servers": kafka.bootstrap.split(",")}
    if not credentials.is_needed(kafka):
        return where
    return {
        **where,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.username,
        "sasl_plain_password": credentials.password(kafka),
        "ssl_cafile": credentials.ca_file(kafka),
        "kafka_client": _client,
    }


def refusal(problem: BaseException, kafka: KafkaSettings) -> AccessDenied | None:
    """What to raise when Kafka does not know us, does not let us, or is not trusted by us; null for other failures."""
    at = f"Kafka at {kafka.bootstrap}"
    if isinstance(problem, SaslAuthenticationFailedError):
        return AccessDenied(
            f"{at} refuses the user '{kafka.username}' or its password: see 'kafka.username' and "
            f"'kafka.password_file' (or {credentials.PASSWORD_VARIABLE})."
        )
    if isinstance(problem, AuthorizationError):
        return AccessDenied(
            f"{at} does not let the user '{kafka.username}' do this with the topic '{kafka.topic}' "
            f"({type(problem).__name__}): have its rights granted with `momo access`, or use the user whose part it is."
        )
    if _UNTRUSTED in str(problem):
        return AccessDenied(
            f"{at} shows a certificate that is not trusted, or is another host's: set 'kafka.ca_file' to the "
            "authority that signed it."
        )
    return None


class _Connections(KafkaConnectionManager):  # type: ignore[misc]
    """Connections that give up when Kafka refuses them.

    kafka-python 3.0.12 means to, but notes the failure where it is never seen and tries until its time is up. It also
    throws a refusal away when it reads it together with the end of the connection, as a busy machine does.
    """

    def __init__(self, net: Any, **config: Any) -> None:
        super().__init__(net, **config)
        self._refusals: dict[Any, Exception] = {}

    def get_connection(self, node_id: Any, *arguments: Any, **options: Any) -> Any:
        """The connection to the node; raises what it was refused with before."""
        connection = super().get_connection(node_id, *arguments, **options)
        connection.init_future.add_errback(partial(self._note, node_id))
        return connection

    def maybe_raise_auth_failure(self, node_id: Any) -> None:
        """Called by `get_connection` before it connects. Once it has been let in, a client tries again as ever."""
        if node_id in self._refusals and not self.bootstrapped:
            raise self._refusals[node_id]

    async def _build_transport(self, *arguments: Any, **options: Any) -> Any:
        transport = await super()._build_transport(*arguments, **options)
        transport._sock_recv = partial(read_before_end, transport._sock_recv)
        return transport

    def _note(self, node_id: Any, problem: Exception) -> None:
        untrusted = isinstance(problem, KafkaConnectionError) and _UNTRUSTED in str(problem)
        if untrusted or isinstance(problem, SaslAuthenticationFailedError):
            self._refusals[node_id] = problem


def read_before_end(read: Callable[[], tuple[bytes, Exception | None]]) -> tuple[bytes, Exception | None]:
    """What `read` has got; that the connection ended comes with the next read when there was something before it."""
    received, end = read()
    return received, None if received else end


def _client(**config: Any) -> Any:
    net = NetworkSelector(**config)
    return KafkaNetClient(net=net, manager=_Connections(net, **config))
