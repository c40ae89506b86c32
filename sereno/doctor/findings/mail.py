"""Mail servers take our mail (only with --network): a conversation that ends before any message is sent."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import msgspec

from sereno.desk import ChannelConfig, Desk
from sereno.doctor.model import Finding, Question, broken, ok, unknown
from sereno.doctor.patient import Patient

_SECONDS = 4.0
_BAD = 400  # RFC 5321 §4.2.1: 4yz and 5yz are refusals
_PORTS = {"smtp": 25, "smtps": 465}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`fault`: what it said at which step; None: it would take the mail. `asked`: it was spoken to at all."""

    channel: str
    where: str
    asked: bool = True
    fault: str | None = None


def look(patient: Patient) -> list[Server] | None:
    """Every mail channel of the desk; None where there is none."""
    desk = patient.desk()
    ways = {name: one for name, one in desk.channels.items() if one.smtp is not None} if desk is not None else {}
    if desk is None or not ways:
        return None
    return [
        converse(name, way, _somebody(desk, name)) if patient.asked.network
        else Server(channel=name, where=_shown(way), asked=False)
        for name, way in ways.items()
    ]  # fmt: skip


def _somebody(desk: Desk, channel: str) -> str | None:
    return next((one.email for one in desk.people.values() if one.email is not None and channel in one.channels), None)


def _shown(way: ChannelConfig) -> str:
    url = urlsplit(way.smtp or "")
    return f"{url.scheme}://{url.hostname}:{url.port or _PORTS.get(url.scheme, 25)}"


def converse(name: str, way: ChannelConfig, to: str | None) -> Server:
    """HELO, TLS, login, sender and a recipient; then RSET: nothing is sent."""
    from sereno.topology import resolve_secret

    url, where = urlsplit(way.smtp or ""), _shown(way)
    user = way.user or (unquote(url.username) if url.username else None)
    password = resolve_secret(way.secret, name) if way.secret is not None else None
    if way.secret is not None and password is None:
        return Server(channel=name, where=where, fault="its secret is missing")
    step = "connecting"
    try:
        with _connected(url.scheme, url.hostname or "", url.port or _PORTS[url.scheme]) as client:
            step = "STARTTLS"
            _secure(client, way, url.scheme)
            step = "login"
            if user is not None and password is not None:
                client.login(user, password)
            for step, talk in (("MAIL FROM", client.mail), ("RCPT TO", client.rcpt)):
                address = _bare(way.from_ or "") if step == "MAIL FROM" else to
                code, words = talk(address) if address is not None else (250, b"")
                if code >= _BAD:
                    return Server(channel=name, where=where, fault=f"{step}: {code} {words.decode('utf-8', 'replace')}")
            with suppress(smtplib.SMTPException):
                client.rset()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        return Server(channel=name, where=where, fault=f"{step}: {said.replace(password, '…') if password else said}")
    return Server(channel=name, where=where)


def _bare(sender: str) -> str:
    return sender.rpartition("<")[2].rstrip("> ")


def _connected(scheme: str, host: str, port: int) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=_SECONDS)


def _secure(client: smtplib.SMTP, way: ChannelConfig, scheme: str) -> None:
    """As the channel does it: opportunistic by default, with whatever certificate."""
    client.ehlo()
    if scheme == "smtps" or way.starttls == "never":
        return
    if not client.has_extn("starttls"):
        if way.starttls == "required":
            raise ValueError("the server offers none, and `starttls: required` wants it")
        return
    context = ssl.create_default_context(cafile=way.ca)
    if way.ca is None and way.starttls != "required" and way.user is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    client.starttls(context=context)
    client.ehlo()


def judge(servers: list[Server] | None) -> Iterator[Finding]:
    """What it refuses now it will refuse at night."""
    for one in servers or ():
        if not one.asked:
            yield unknown("the mail server was not spoken to", "ask again with --network", f"channel {one.channel}",
                          optional=True)  # fmt: skip
        elif one.fault is not None:
            yield broken("the mail server refuses at {why}", "let this host and sender send there (relay, user, "
                         "certificate), or name another server", f"channel {one.channel}", why=one.fault)  # fmt: skip
        else:
            yield ok("would take our mail", one.where)


QUESTION = Question(name="mail", title="Mail server", look=look, judge=judge)
