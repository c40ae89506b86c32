"""References and rules of a desk; shapes were checked before."""

from collections.abc import Iterator

from babel import localedata

from sereno.contract import known_contract, load_contract
from sereno.desk.model import Desk
from sereno.desk.people import Person
from sereno.desk.validate_channels import channel_faults, heartbeat_faults
from sereno.desk.validate_customers import faults as customer_faults
from sereno.desk.validate_inbound import EMAIL as _EMAIL
from sereno.desk.validate_inbound import faults as inbound_faults
from sereno.desk.validate_levels import faults as level_faults
from sereno.desk.validate_reports import faults as report_faults
from sereno.desk.validate_web import faults as web_faults
from sereno.errors import ConfigError
from sereno.yamlfile import Document, Where


def check(document: Document, desk: Desk) -> None:
    """Raises the first fault by line."""
    document.refuse(_faults(document, desk))


def _faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    unknown = known_contract(desk.contract, beside=document.name)
    if unknown:
        yield document.fault(("contract",), *unknown)
    for name, channel in desk.channels.items():
        yield from channel_faults(document, ("channels", name), channel)
    for name, person in desk.people.items():
        yield from _person(document, ("people", name), person, desk)
    yield from level_faults(document, desk, None if unknown else _calendars(document, desk))
    yield from inbound_faults(document, desk)
    yield from customer_faults(document, desk)
    yield from web_faults(document, desk)
    yield from report_faults(document, desk)
    if desk.heartbeat is not None:
        yield from heartbeat_faults(document, ("heartbeat",), desk.heartbeat)


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
    if person.timezone is not None:
        yield from document.zone((*where, "timezone"), person.timezone)


def _calendars(document: Document, desk: Desk) -> list[str]:
    contract = load_contract(desk.contract, beside=document.name)
    return list(dict.fromkeys(name for version in contract.versions for name in version.calendars))
