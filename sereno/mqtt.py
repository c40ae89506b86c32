"""The one way to a broker: its URL, its credentials, and a fresh client per connection (aiomqtt never reconnects)."""

import os
import random
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import msgspec

from sereno.errors import UsageError

PASSWORD_ENV = "SERENO_BROKER_PASSWORD"  # noqa: S105  # the name of a variable, not a password
PASSWORD_FILE_ENV = "SERENO_BROKER_PASSWORD_FILE"  # noqa: S105
_LOOPBACK = ("127.", "localhost", "::1")
_TIMEOUT_SECONDS = 5.0
_KEEPALIVE_SECONDS = 10  # a silent broker is noticed within 15 s
_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where a broker is and who we are to it."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = None

    @property
    def shown(self) -> str:
        """The URL without secrets."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def parse_broker(url: str) -> Broker:
    """`mqtt://user@127.0.0.1:1883` or `mqtts://user@broker.example:8883`; UsageError, in one line, otherwise.

    The password comes from $SERENO_BROKER_PASSWORD or the file named by $SERENO_BROKER_PASSWORD_FILE.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--broker {url}: {error}; write mqtts://USER@HOST:8883") from None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or parts.path not in {"", "/"}:
        raise UsageError(f"--broker {url}: not a broker's address; write mqtts://USER@HOST:8883")
    if parts.password is not None:
        raise UsageError(f"--broker: a password in the URL is seen by everybody (ps); put it in ${PASSWORD_FILE_ENV}")
    tls = parts.scheme == "mqtts"
    if not tls and not parts.hostname.startswith(_LOOPBACK):
        raise UsageError(
            f"--broker {url}: results would travel in the clear; use mqtts:// (only loopback may be mqtt://)"
        )
    return Broker(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        username=parts.username,
        password=_password() if parts.username else None,
    )


def connect(broker: Broker, identifier: str, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
    """A client for one connection. The identifier is fixed per role, so that the broker drops our own stale session."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=identifier,
        username=broker.username,
        password=broker.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=will,
        timeout=_TIMEOUT_SECONDS,
        keepalive=_KEEPALIVE_SECONDS,
        clean_start=True,
        tls_context=ssl.create_default_context() if broker.tls else None,
    )


def retry_pause(failures: int) -> float:
    """Seconds to wait after so many connections in a row that did not come about (0: one was lost)."""
    return _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311  # spreads load


def words(error: BaseException) -> str:
    """The reason of what ended a connection, in one line."""
    return str(error.__cause__ or error) or type(error).__name__


def _password() -> str | None:
    if PASSWORD_FILE_ENV not in os.environ:
        return os.environ.get(PASSWORD_ENV)
    path = Path(os.environ[PASSWORD_FILE_ENV])
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"${PASSWORD_FILE_ENV}: {path}: {error.strerror}; name a file that can be read") from None
