"""Notices of announced work to the customers that it touches; each with its delivery on the record."""

from typing import Any

from alerting.acts.words import local
from alerting.customers import Address
from alerting.desk import DeskMachine
from alerting.effects import Effect, MessageAdded, Notification
from alerting.lifecycle import RefusedError
from alerting.words import say
from sereno.desk.channels import message_id
from sereno.store.desk import Window
from sereno.topology.model import Topology


def touched(topology: Topology, kind: str, name: str) -> list[str]:
    """Customers with a site that uses what is worked on, in the topology's order."""
    if kind == "customer":
        return [name]
    sites = topology.sites
    if kind == "service":
        return list(topology.customers)
    if kind == "site":
        return [sites[name].customer]
    if kind == "core":
        sbcs = {one for one, sbc in topology.sbcs.items() if name in (sbc.primary, sbc.backup)}
    else:
        sbcs = {name.partition("/")[0]}
    found = {site.customer for site in sites.values() if sbcs & set(site.sbcs)}
    return [customer for customer in topology.customers if customer in found]


def announce(machine: DeskMachine, window: Window, what: str | None, now_us: int) -> list[Effect]:
    """One message to every contact; RefusedError where it would reach nobody."""
    letters, topology = machine.papers.letters, machine.topology
    if letters.channel is None:
        raise RefusedError("la mesa no tiene ningún canal de correo (channels: en desk.yaml): nadie recibiría el aviso")
    found = letters.of_customers(touched(topology, window.kind, window.name), now_us)
    if not found:
        raise RefusedError("ningún cliente de ese ámbito tiene contactos: nadie recibiría el aviso")
    return [effect for place, one in enumerate(found) for effect in _notice(machine, window, what, one, place, now_us)]


def _notice(
    machine: DeskMachine, window: Window, what: str | None, one: Address, place: int, now_us: int
) -> tuple[Notification, MessageAdded]:
    """The message, and what is kept of it."""
    letters, topology = machine.papers.letters, machine.topology
    subject, body = _letter(topology, window, what, one.locale, one.zone)
    key = f"maintenance/{window.id}/{one.customer}/{place}"[:160]
    message = Notification(
        key=key, at_us=now_us, incident=None, what="customer_maintenance", page=False, to=str(one.customer),
        channel=str(letters.channel), address=one.address, locale=one.locale, subject=subject, body=body,
        priority="Baja", severity=None, kind=window.kind, name=window.name, service=topology.service,
        thread=f"maintenance.{window.id}", title=subject, short=subject,
    )  # fmt: skip
    kept = MessageAdded(
        maintenance=window.id, at_us=now_us, direction="out", kind="maintenance", customer=one.customer,
        address=one.address, who=window.who, subject=subject, body=body, outbox_key=key,
        message_id=message_id(key, letters.sender),
    )  # fmt: skip
    return message, kept


def _letter(topology: Topology, window: Window, what: str | None, locale: str, zone: str) -> tuple[str, str]:
    """(subject, body), with the local times of who reads it."""
    day = local(window.from_us, zone)[: len("2026-01-01")]
    subject = say(locale, "Maintenance of {service} on {day}", service=topology.service, day=day)
    scope = say(locale, "the whole service") if window.kind == "service" else f"{window.kind} {window.name}"
    lines: list[Any] = [
        say(locale, "We shall work on the service. During this time it may fail or be interrupted."),
        "",
        say(locale, "From: {begin}", begin=local(window.from_us, zone)),
        say(locale, "To: {end}", end=local(window.to_us, zone)),
        say(locale, "What: {what}", what=f"{scope}: {what}" if what else scope),
    ]
    if window.critical_fix:
        lines.append(say(locale, "It mends a critical fault of the platform."))
    return subject, "\n".join(lines)


__all__ = ["announce", "touched"]
