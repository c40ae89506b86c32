"""References and rules of a desk; shapes were checked before."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from babel.core import localedata

from sereno.contract import known_contract, load_contract
from sereno.desk.model import Channel, Desk
from sereno.errors import ConfigError
from sereno.yamlfile import Document, Where, nearest

_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def check(document: Document, desk: Desk) -> None:
    """Raises the first fault by line."""
    faults = list(_faults(document, desk))
    if faults:
        raise min(faults, key=lambda fault: int(fault.where.rsplit(":", 1)[1]))


def _faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    unknown = known_contract(desk.contract, beside=document.name)
    if unknown:
        yield document.fault(("contract",), *unknown)
    for name, channel in desk.channels.items():
        yield from _channel(document, ("channels", name), channel)
    for name, person in desk.people.items():
        where = ("people", name)
        if not localedata.exists(person.locale):
            yield document.fault(
                (*where, "locale"), f"{person.locale!r} is not a locale", "write es_CO, es_CR, es_MX or en_US"
            )
        if person.email is not None and not _EMAIL.fullmatch(person.email):
            yield document.fault((*where, "email"), "is not an address", "write name@example.net")
        for index, channel_name in enumerate(person.channels):
            yield from _known(document, (*where, "channels", index), "channel", channel_name, desk.channels)
            channel = desk.channels.get(channel_name)
            if channel is not None and channel.smtp is not None and person.email is None:
                yield document.fault(where, f"is told by {channel_name} and has no e-mail", "add `email:`")
    calendars = None if unknown else _calendars(document, desk)
    for index, level in enumerate(desk.levels):
        for place, name in enumerate(level.people):
            yield from _known(document, ("levels", index, "people", place), "person", name, desk.people)
        if level.calendar is not None and calendars is not None:
            yield from _known(document, ("levels", index, "calendar"), "calendar", level.calendar, calendars)


def _calendars(document: Document, desk: Desk) -> set[str]:
    contract = load_contract(desk.contract, beside=document.name)
    return {name for version in contract.versions for name in version.calendars}


def _channel(document: Document, where: Where, channel: Channel) -> Iterator[ConfigError]:
    if channel.webhook is not None and not _is_url(channel.webhook, {"http", "https"}):
        yield document.fault((*where, "webhook"), "is not a web address", "write https://host/path")
    if channel.smtp is not None:
        if not _is_url(channel.smtp, {"smtp", "smtps"}):
            yield document.fault((*where, "smtp"), "is not a mail server", "write smtp://host:25 or smtps://host:465")
        if channel.from_ is None:
            yield document.fault(where, "has no sender", "add `from: sereno@example.net`")
    if channel.secret is not None and (channel.secret.file is None) == (channel.secret.env is None):
        yield document.fault((*where, "secret"), "is not one reference", "write {file: PATH} or {env: NAME}")


def _is_url(text: str, schemes: set[str]) -> bool:
    """A whole address with a host; what it holds is never shown: it may carry a token."""
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _known(document: Document, where: Where, kind: str, name: str, names: Iterable[str]) -> Iterator[ConfigError]:
    listed = list(names)
    if name not in listed:
        known = f"known: {', '.join(listed)}" if listed else f"there is no {kind} in this file"
        yield document.fault(where, f"no {kind} named {name}", f"name one that exists{nearest(name, listed)} ({known})")
