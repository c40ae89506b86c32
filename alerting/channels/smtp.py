"""Mail by SMTP: `smtp://` with STARTTLS as configured, `smtps://` with TLS from the start."""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import aiosmtplib

from alerting.channels.base import TIMEOUT_SECONDS, Channel, DoubtError, RejectedError, RetryError, one_line, said
from alerting.channels.mail import envelope, mail, recipients
from alerting.effects import Notification
from sereno.desk import ChannelConfig
from sereno.topology import resolve_secret

_PERMANENT = 500  # RFC 5321 §4.2.1: 5yz, a permanent negative completion
_PORTS = {"smtp": 25, "smtps": 465}
_WHOLE_SECONDS = 30.0  # all the commands of one mail; each alone has ten
_LEAVE_SECONDS = 1.0
_STARTTLS = {"opportunistic": None, "required": True, "never": False}


def smtp_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends through the configured server."""
    url = urlsplit(config.smtp or "")
    sender = config.from_ or "sereno@localhost"

    async def send(message: Notification) -> str:
        to, letter = recipients(message), mail(message, sender, config.reply_to)
        user = config.user or (unquote(url.username) if url.username else None)
        password = resolve_secret(config.secret, name) if config.secret is not None else None
        if config.secret is not None and password is None:
            raise RetryError(said("the channel's secret is missing"))
        client = _client(config, login=user is not None)
        spoken = False
        try:
            async with asyncio.timeout(_WHOLE_SECONDS):
                await client.connect()
                if user is not None and password is not None:
                    _private(client, url.hostname or "")
                    await client.login(user, password)
                await client.mail(envelope(sender))
                refused = await _address(client, to)
                spoken = True
                answer = await client.data(letter.as_bytes())
            return _receipt(answer, refused)
        except aiosmtplib.SMTPResponseException as error:
            raise _answered(error.code, f"{error.code} {one_line(error.message, password)}") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            words = f"{type(error).__name__}: {one_line(error, password)}"
            raise (DoubtError(words) if spoken else RetryError(words)) from None
        finally:
            await _leave(client)

    return send


def _client(config: ChannelConfig, *, login: bool) -> aiosmtplib.SMTP:
    url = urlsplit(config.smtp or "")
    implicit = url.scheme == "smtps"
    try:
        context = ssl.create_default_context(cafile=config.ca)
    except (OSError, ssl.SSLError) as error:
        raise RetryError(f"{config.ca}: {one_line(error)}") from None
    if not (implicit or login or config.ca is not None or config.starttls == "required"):
        context.check_hostname = False  # opportunistic (RFC 7435): without it the mail would go in the clear
        context.verify_mode = ssl.CERT_NONE
    return aiosmtplib.SMTP(
        hostname=url.hostname,
        port=url.port or _PORTS[url.scheme],
        use_tls=implicit,
        start_tls=False if implicit else _STARTTLS[config.starttls or "opportunistic"],
        tls_context=context,
        timeout=TIMEOUT_SECONDS,
    )


def _private(client: aiosmtplib.SMTP, host: str) -> None:
    """A password goes out under TLS only, but within this machine."""
    if client.get_transport_info("sslcontext") is not None or host == "localhost":
        return
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    raise RetryError(said("the server offers no TLS: the password is not sent in the clear"))


async def _address(client: aiosmtplib.SMTP, to: list[str]) -> list[str]:
    """Who was refused, if anybody was taken; else the gravest refusal is raised."""
    faults: list[aiosmtplib.SMTPResponseException] = []
    for address in to:
        try:
            await client.rcpt(address)
        except aiosmtplib.SMTPResponseException as error:
            faults.append(error)
    if len(faults) < len(to):
        return [f"{fault.code} {one_line(fault.message)}" for fault in faults]
    words = "; ".join(f"{fault.code} {one_line(fault.message)}" for fault in faults)
    raise _answered(max(fault.code for fault in faults), words, whole=False)


def _answered(code: int, words: str, *, whole: bool = True) -> Exception:
    if code >= _PERMANENT:
        return RejectedError(words)
    return RetryError(words, whole=whole)


def _receipt(answer: aiosmtplib.SMTPResponse, refused: list[str]) -> str:
    receipt = one_line(f"{answer.code} {answer.message}")
    return f"{receipt} (not all: {'; '.join(refused)})" if refused else receipt


async def _leave(client: aiosmtplib.SMTP) -> None:
    """The mail is with them or not; a server that is slow to say goodbye changes nothing."""
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        if client.is_connected:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await client.quit()
    client.close()


__all__ = ["smtp_channel"]
