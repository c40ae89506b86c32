"""Mail by SMTP: `smtp://` with STARTTLS where the server offers it, `smtps://` with TLS from the start."""

from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import aiosmtplib

from alerting.channels.base import TIMEOUT_SECONDS, Channel, RejectedError, RetryError, one_line
from alerting.effects import Notification
from sereno.clock import SECOND_US
from sereno.desk import ChannelConfig
from sereno.topology import resolve_secret

_PERMANENT = 500  # RFC 5321 §4.2.1: 5yz, a permanent negative completion
_PORTS = {"smtp": 25, "smtps": 465}


def smtp_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends through the configured server."""
    url = urlsplit(config.smtp or "")
    sender = config.from_ or "sereno@localhost"

    async def send(message: Notification) -> str:
        if message.address is None:
            raise RejectedError(f"{message.to} has no e-mail address")
        user = config.user or (unquote(url.username) if url.username else None)
        password = resolve_secret(config.secret, name) if config.secret is not None else None
        if config.secret is not None and password is None:
            raise RetryError("the channel's secret is missing")
        client = aiosmtplib.SMTP(
            hostname=url.hostname,
            port=url.port or _PORTS[url.scheme],
            use_tls=url.scheme == "smtps",
            start_tls=None if url.scheme == "smtp" else False,
            timeout=TIMEOUT_SECONDS,
        )
        try:
            async with client:
                if user is not None and password is not None:
                    await client.login(user, password)
                refused, said = await client.send_message(mail(message, sender))
        except aiosmtplib.SMTPRecipientsRefused as error:
            worst = max(one.code for one in error.recipients)
            _raise(worst, "; ".join(f"{one.recipient}: {one.code} {one.message}" for one in error.recipients))
        except aiosmtplib.SMTPResponseException as error:
            _raise(error.code, f"{error.code} {error.message}")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise RetryError(f"{type(error).__name__}: {one_line(error)}") from None
        if refused:
            raise RejectedError(f"refused: {', '.join(refused)}")
        return " ".join(str(said).split())

    return send


def mail(message: Notification, sender: str) -> EmailMessage:
    """The message; its Message-ID is its key, so that a second delivery is recognised as the same."""
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = str(message.address)
    letter["Subject"] = " ".join(message.subject.split())
    letter["Date"] = formatdate(message.at_us / SECOND_US)
    domain = sender.rpartition("@")[2].rstrip(">") or "localhost"
    letter["Message-ID"] = f"<sereno.{message.key.replace('/', '.')}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834
    letter["X-Priority"] = "1" if message.page else "3"
    letter.set_content(message.body)
    return letter


def _raise(code: int, what: str) -> None:
    words = " ".join(what.split())[:300]
    if code >= _PERMANENT:
        raise RejectedError(words) from None
    raise RetryError(words) from None
