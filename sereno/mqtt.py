"""The one way to a broker: its URL, its credentials, and a fresh client per connection (aiomqtt never reconnects)."""

import ipaddress
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
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
_LASTING_SECONDS = 15.0  # more than the longest pause between attempts: two that take turns never last so long
_ELSE = "does another client use this name? Look at the broker's log"
_FLEETING = 3  # connections in a row that did not last: it is no restart of the broker
_LIBRARY = logging.getLogger("sereno.mqtt.library")
_LIBRARY.setLevel(logging.CRITICAL)  # what it logs as an error is raised to us as well, and said once
_REFUSED = {134, 135}  # bad user name or password, not authorized (MQTT 5, 2.4); paho's own codes lie below 128
_LOST_WORDS = "the connection was lost"
_LOST = 128  # what paho calls a connection that ended without a word
_OUT_OF_DATE = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, …_HAS_EXPIRED
TAKEN_OVER = 142
TOO_LARGE = 149


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


class Client(aiomqtt.Client):
    """One connection, which also remembers what the broker said beside its yes: aiomqtt drops it."""

    maximum_packet: int | None = None  # octets that the broker takes at once (MQTT 5, 3.2.2.3.6); None: it named none
    refused: int | None = None  # the reason code with which it took a publication and threw it away (MQTT 5, 3.4.2.1)

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None) -> None:
        self.maximum_packet = getattr(properties, "MaximumPacketSize", None)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(self, client: Any, userdata: Any, *rest: Any) -> None:
        """A broker that answers after we gave up and then hangs up: nobody waits for that word any more."""
        super()._on_disconnect(client, userdata, *rest)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()  # taken note of: asyncio does not complain of it in the log

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        if reason_code.is_failure:
            self.refused = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publishes; NotTakenError when the broker acknowledges it and throws it away all the same."""
        await self.publish(topic, payload, qos=1, retain=retain)
        if self.refused is not None:
            code, self.refused = self.refused, None
            raise NotTakenError(code, topic)


class NotTakenError(aiomqtt.MqttError):
    """The broker does not pass on what this account publishes."""

    def __init__(self, code: int, topic: str) -> None:
        super().__init__(f"it does not take what is said on {topic} (reason code {code})")
        self.rc, self.topic = code, topic


def connect(broker: Broker, identifier: str, will: aiomqtt.Will | None = None) -> Client:
    """A client for one connection. The identifier is fixed per role, so that the broker drops our own stale session."""
    return Client(
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
        tls_context=_trust(broker.ca) if broker.tls else None,
    )


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # there when we began, and changed since; ssl.SSLError is one too
        why = getattr(error, "reason", None) or error.strerror
    raise aiomqtt.MqttError(f"the authority's file {ca} is unfit ({why}); look at ${CA_ENV}")


def retry_pause(failures: int) -> float:
    """Seconds to wait after so many connections in a row that did not come about (0: one was lost)."""
    return _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)] * random.uniform(0.6, 1.2)  # noqa: S311  # spreads load


def code_of(error: BaseException) -> int | None:
    """The reason code of MQTT 5 that ended a connection, where there is one."""
    for each in (error, error.__cause__, error.__context__):
        code = getattr(each, "rc", None)
        code = getattr(code, "value", code)
        if isinstance(code, int):
            return code
    return None


def words(error: BaseException) -> str:
    """The reason of what ended a connection, in one line, with what to mend where a person can."""
    cause = error if isinstance(error, TimeoutError) else error.__cause__ or error.__context__ or error
    said = _of_the_network(cause) or _of_the_broker(error)
    return said or " ".join((str(cause) or type(cause).__name__).split())


def refused(error: BaseException) -> bool:
    """The broker does not know this account, or not by this password."""
    return code_of(error) in _REFUSED


def _of_the_network(cause: BaseException) -> str | None:
    if isinstance(cause, ssl.SSLError):
        return _of_tls(cause)
    if isinstance(cause, socket.gaierror):
        return f"there is no such host ({cause.strerror}); look at --broker"
    if isinstance(cause, ConnectionRefusedError):
        return "nobody listens there; start the broker, or look at --broker"
    if isinstance(cause, TimeoutError):
        return "no broker's answer in time; look at the port and at mqtt:// or mqtts://"
    return None


def _of_tls(cause: ssl.SSLError) -> str:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return f"no TLS there ({cause.reason or cause}); look at the port and at mqtt:// or mqtts://"
    if cause.verify_code in _OUT_OF_DATE:
        return f"its certificate is not in force ({cause.verify_message}); renew it, or look at this machine's clock"
    return f"its certificate is not trusted ({cause.verify_message}); name your authority's file in ${CA_ENV}"


def _of_the_broker(error: BaseException) -> str | None:
    code = code_of(error)
    if isinstance(error, NotTakenError) and code in _REFUSED:
        return f"it does not let this account speak on {error.topic}; the user in --broker must be the probe's name"
    if code in _REFUSED:
        return f"it refuses the account; look at the user in --broker and at ${PASSWORD_FILE_ENV}"
    if code == TAKEN_OVER:
        return "another client took this one's place; give every probe a name of its own"
    if code == TOO_LARGE:
        return "it takes no message of that size; raise its max_packet_size or message_size_limit"
    if code is not None and code <= _LOST:
        return _LOST_WORDS
    return None


class Complaints:
    """Says why a broker cannot be had, or is lost again and again; and how long to wait before the next attempt.

    A reason once, and again every ten minutes, not at every attempt. A connection is a mended one only when it lasts:
    what takes it away within seconds (another client of the same name, a message that the broker does not stand) would
    fill the log otherwise, and the network.
    """

    def __init__(self, log: logging.Logger, where: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._log, self._where, self._now = log, where, now
        self._said, self._at, self._times = "", 0.0, 0
        self._failures = 0  # attempts in a row that came to nothing
        self._fleeting = 0  # connections in a row that did not last
        self._since: float | None = None
        self.trouble: str | None = None  # what takes every connection away, for whoever looks

    def connected(self) -> None:
        """It can be had; whether it can be kept shows later."""
        self._since, self._failures = self._now(), 0
        if self._fleeting < _FLEETING:
            self._log.info("connected to %s", self._where)

    def lasting(self) -> None:
        """To be called now and then while connected: one that lasts is a mended one."""
        if self._since is None or self._now() - self._since < _LASTING_SECONDS:
            return
        if self.trouble is not None:
            self._log.info("connected to %s, and still after %.0f s", self._where, self._now() - self._since)
        self._said, self._times, self._fleeting, self.trouble = "", 0, 0, None

    def failed(self, error: BaseException) -> float:
        """One more attempt, or a connection, came to nothing; seconds to wait before the next."""
        reason = words(error)
        if self._since is None:
            self._failures, self._fleeting = self._failures + 1, 0
        else:
            lasted = self._now() - self._since >= _LASTING_SECONDS
            self.lasting()
            self._since, self._fleeting = None, 0 if lasted else self._fleeting + 1
        self._times += 1
        if self._fleeting >= _FLEETING:
            if self.trouble is None or reason != _LOST_WORDS:  # others tell more
                more = f"; {_ELSE}" if reason == _LOST_WORDS else ""
                self.trouble = f"it ends every connection within seconds: {reason}{more}"
            reason = self.trouble
        now = self._now()
        if reason != self._said or now - self._at >= _TELL_AGAIN_SECONDS:
            times = f" ({self._times} times so far)" if self._times > 1 else ""
            self._log.warning("broker %s: %s; connecting again%s", self._where, reason, times)
            self._said, self._at = reason, now
        return retry_pause(max(self._failures, self._fleeting - 1))


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
