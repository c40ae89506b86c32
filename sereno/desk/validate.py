"""References and rules of a desk; shapes were checked before."""

from collections.abc import Iterator

from babel import localedata

from sereno.contract import known_contract, load_contract
from sereno.desk.channels import ChannelConfig
from sereno.desk.model import Desk
from sereno.desk.people import Person
from sereno.desk.validate_inbound import EMAIL as _EMAIL
from sereno.desk.validate_inbound import faults as inbound_faults
from sereno.errors import ConfigError
from sereno.yamlfile import Document, Where, is_url


def check(document: Document, desk: Desk) -> None:
    """Raises the first fault by line."""
    document.refuse(_faults(document, desk))


def _faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    unknown = known_contract(desk.contract, beside=document.name)
    if unknown:
        yield document.fault(("contract",), *unknown)
    for name, channel in desk.channels.items():
        yield from _channel(document, ("channels", name), channel)
    for name, person in desk.people.items():
        yield from _person(document, ("people", name), person, desk)
    for index, level in enumerate(desk.levels):
        where = ("levels", index)
        for place, name in enumerate(level.people):
            yield from document.named((*where, "people", place), "person", "people", name, desk.people)
        if level.calendar is not None and not unknown:
            calendars = _calendars(document, desk)
            yield from document.named((*where, "calendar"), "calendar", "calendars", level.calendar, calendars)
    yield from inbound_faults(document, desk)


def _person(document: Document, where: Where, person: Person, desk: Desk) -> Iterator[ConfigError]:
    if not localedata.exists(person.locale):
        yield document.fault(
            (*where, "locale"), f"{person.locale!r} is no locale", "write es_CO, es_CR, es_MX or en_US"
        )
    if person.email is not None and not _EMAIL.fullmatch(person.email):
        yield document.fault((*where, "email"), f"{person.email!r} is no e-mail address", "write name@example.net")
    for index, name in enumerate(person.channels):
        yield from document.named((*where, "channels", index), "channel", "channels", name, desk.channels)
        channel = desk.channels.get(name)
        if channel is not None and channel.kind == "smtp" and person.email is None:
            yield document.fault(
                (*where, "channels", index), f"{name} sends mail and this person has no address", "add `email:`"
            )


def _calendars(document: Document, desk: Desk) -> list[str]:
    contract = load_contract(desk.contract, beside=document.name)
    return list(dict.fromkeys(name for version in contract.versions for name in version.calendars))


def _channel(document: Document, where: Where, channel: ChannelConfig) -> Iterator[ConfigError]:
    if channel.webhook is not None and not is_url(channel.webhook, {"http", "https"}):
        yield document.fault((*where, "webhook"), "is not a web address", "write https://host/path")
    if channel.smtp is not None:
        if not is_url(channel.smtp, {"smtp", "smtps"}):
            yield document.fault((*where, "smtp"), "is not a mail server", "write smtp://host:25 or smtps://host:465")
        if channel.from_ is None:
            yield document.fault(where, "has no sender", "add `from: sereno@example.net`")
    if channel.secret is not None and (channel.secret.file is None) == (channel.secret.env is None):
        yield document.fault((*where, "secret"), "is not one reference", "write {file: PATH} or {env: NAME}")
