"""Faults of `reports:` in `desk.yaml`, alone and against the topology."""

from collections.abc import Iterator
from pathlib import Path

from sereno.desk.model import Desk
from sereno.desk.validate_inbound import EMAIL
from sereno.errors import ConfigError
from sereno.topology.model import Topology
from sereno.yamlfile import Document, nearest


def faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    """There is a way to mail them, and every address is one."""
    name = desk.reports.channel
    if name is not None:
        yield from document.named(("reports", "channel"), "channel", "channels", name, desk.channels)
        if name in desk.channels and desk.channels[name].kind != "smtp":
            yield document.fault(("reports", "channel"), f"{name} sends no mail", "name a channel that has `smtp:`")
    if desk.reports.schedules and all(one.kind != "smtp" for one in desk.channels.values()):
        yield document.fault(("reports", "schedules"), "nothing here sends mail", "add a channel with `smtp:`")
    for place, schedule in enumerate(desk.reports.schedules):
        for index, address in enumerate(schedule.to):
            if not EMAIL.fullmatch(address):
                where = ("reports", "schedules", place, "to", index)
                yield document.fault(where, f"{address!r} is no e-mail address", "write name@example.net")


def refuse_strangers(path: Path, desk: Desk, topology: Topology) -> None:
    """ConfigError where a schedule names what the topology does not have, or nobody gets what it makes."""
    for place, schedule in enumerate(desk.reports.schedules):
        where = f"reports.schedules[{place}]"
        for kind, names, known in (
            ("customer", schedule.customers, list(topology.customers)), ("site", schedule.sites, list(topology.sites)),
        ):  # fmt: skip
            for name in names:
                if name not in known:
                    mend = f"name one: {', '.join(known) or 'there are none'}{nearest(name, known)}"
                    raise ConfigError(str(path), f"{where}.{kind}s: no {kind} {name} in the topology", mend)
        if schedule.to:
            continue
        for name in schedule.customers or [topology.sites[site].customer for site in schedule.sites]:
            if not any("@" in contact for contact in topology.customers[name].contacts):
                raise ConfigError(
                    str(path), f"{where}: customer {name} has no mail address among its contacts",
                    "add `to:`, or `contacts:` in the topology",
                )  # fmt: skip
