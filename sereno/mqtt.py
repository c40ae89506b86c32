"""The one way to a broker: its URL, its credentials, and a fresh client per connection (aiomqtt never reconnects)."""

import ipaddress
import logging
import os
import random
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import msgspec

from sereno.errors import UsageError

PASSWORD_ENV = "SERENO_BROKER_PASSWORD"  # noqa: S105  # the name of a variable, not a password
PASSWORD_FILE_ENV = "SERENO_BROKER_PASSWORD_FILE"  # noqa: S105
CA_ENV = "SERENO_BROKER_CA"
_TIMEOUT_SECONDS = 5.0
_KEEPALIVE_SECONDS = 10  # a silent broker is noticed within 15 s
_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 5.0)
_TELL_AGAIN_SECONDS = 600.0
_LIBRARY = logging.getLogger("sereno.mqtt.library")
_LIBRARY.setLevel(logging.CRITICAL)  # what it logs as an error is raised to us as well, and said once
_REFUSED = {4, 5, 134, 135}  # CONNACK: bad user name or password, not authorized; of MQTT 3.1.1 and 5


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where a broker is and who we are to it."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = None
    ca: str | None = None

    @property
    def shown(self) -> str:
        """The URL without secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{host}:{self.port}"


def parse_broker(url: str) -> Broker:
    """`mqtt://user@127.0.0.1:1883` or `mqtts://user@broker.example:8883`; UsageError, in one line, otherwise.

    The password comes from $SERENO_BROKER_PASSWORD or the file named by $SERENO_BROKER_PASSWORD_FILE; $SERENO_BROKER_CA
    names the file of the certificate authority where it is not one of the system's.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--broker {url}: {error}; write mqtts://USER@HOST:8883") from None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise UsageError(f"--broker {url}: not a broker's address; write mqtts://USER@HOST:8883")
    if parts.password is not None:
        raise UsageError(f"--broker: a password in the URL is seen by everybody (ps); put it in ${PASSWORD_FILE_ENV}")
    tls = parts.scheme == "mqtts"
    if not tls and not _is_loopback(parts.hostname):
        raise UsageError(
            f"--broker {url}: results would travel in the clear; use mqtts:// (only loopback may be mqtt://)"
        )
    return Broker(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        username=parts.username,
        password=_password() if parts.username else None,
        ca=_authority() if tls else None,
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
        logger=_LIBRARY,
        tls_context=ssl.create_default_context(cafile=broker.ca) if broker.tls else None,
    )


def retry_pause(failures: int) -> float:
    """Seconds to wait after so many connections in a row that did not come about (0: one was lost)."""
    return _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)] * random.uniform(0.6, 1.2)  # noqa: S311  # spreads load


def words(error: BaseException) -> str:
    """The reason of what ended a connection, in one line, with what to mend where a person can."""
    cause = error.__cause__ or error.__context__ or error
    said = " ".join((str(cause) or type(cause).__name__).split())
    code = getattr(error, "rc", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = f"its certificate is not trusted ({cause.verify_message}); name your authority's file in ${CA_ENV}"
    elif isinstance(cause, ssl.SSLError):
        said = f"no TLS there ({cause.reason or said}); look at the port and at mqtt:// or mqtts://"
    elif isinstance(cause, socket.gaierror):
        said = f"there is no such host ({cause.strerror}); look at --broker"
    elif isinstance(cause, ConnectionRefusedError):
        said = "nobody listens there; start the broker, or look at --broker"
    elif isinstance(cause, TimeoutError):
        said = "no broker's answer in time; look at the port and at mqtt:// or mqtts://"
    elif getattr(code, "value", code) in _REFUSED:
        said = f"it refuses the account; look at the user in --broker and at ${PASSWORD_FILE_ENV}"
    return said


class Complaints:
    """Says why a broker cannot be had: a reason once, and again every ten minutes, not at every attempt."""

    def __init__(self, log: logging.Logger, where: str) -> None:
        self._log, self._where = log, where
        self._said, self._at, self._times = "", 0.0, 0

    def failed(self, error: BaseException) -> None:
        """One more attempt, or a connection, came to nothing."""
        self._times += 1
        reason, now = words(error), time.monotonic()
        if reason != self._said or now - self._at >= _TELL_AGAIN_SECONDS:
            self._log.warning("%s: %s; connecting again (%d times so far)", self._where, reason, self._times)
            self._said, self._at = reason, now

    def mended(self) -> None:
        """It can be had."""
        self._said, self._times = "", 0


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _authority() -> str | None:
    path = os.environ.get(CA_ENV)
    if not path:
        return None
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"${CA_ENV}: {path}: no certificate in it; name a PEM file of the authority") from None
    except OSError as error:
        raise UsageError(f"${CA_ENV}: {path}: {error.strerror}; name a PEM file of the authority") from None
    return path


def _password() -> str | None:
    if PASSWORD_FILE_ENV not in os.environ:
        return os.environ.get(PASSWORD_ENV)
    path = Path(os.environ[PASSWORD_FILE_ENV])
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"${PASSWORD_FILE_ENV}: {path}: {error.strerror}; name a file that can be read") from None
