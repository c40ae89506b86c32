"""Time zones that the files name are known to this machine: months and calendars are counted in them."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok
from sereno.doctor.patient import Patient
from sereno.errors import ConfigError


class Zones(msgspec.Struct, frozen=True, kw_only=True):
    named: tuple[str, ...]
    missing: tuple[str, ...]


def look(patient: Patient) -> Zones:
    """The zones of topology, desk and contracts."""
    from sereno.contract import load_contract

    topology, desk = patient.topology(), patient.desk()
    named = {topology.timezone}
    contracts = {customer.contract for customer in topology.customers.values()}
    if desk is not None:
        named |= {person.timezone for person in desk.people.values() if person.timezone is not None}
        named |= {rota.timezone for rota in desk.rotas.values() if rota.timezone is not None}
        contracts.add(desk.contract)
    for name in contracts:
        try:
            contract = load_contract(name, patient.beside())
        except ConfigError:
            continue  # a finding of its own
        named |= {version.timezone for version in contract.versions}
    return zones(named)


def zones(named: set[str]) -> Zones:
    """Which of them this machine knows."""
    return Zones(named=tuple(sorted(named)), missing=tuple(name for name in sorted(named) if not _known(name)))


def _known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def judge(found: Zones) -> Iterator[Finding]:
    """Without its zone no month begins or ends."""
    for name in found.missing:
        yield broken("this machine does not know the time zone {name}", "pip install tzdata, or apt-get install "
                     "tzdata", name=name)  # fmt: skip
    if not found.missing:
        yield ok("known: {names}", names=", ".join(found.named))


QUESTION = Question(name="timezones", title="Time zones", look=look, judge=judge)
