"""References inside a contract; shapes were checked before."""

from collections.abc import Iterator
from zoneinfo import available_timezones

from sereno.contract.model import CLOCKS, KINDS, PRIORITIES, Contract, Version
from sereno.errors import ConfigError
from sereno.yamlfile import Document, Where, nearest


def check(document: Document, contract: Contract) -> None:
    """Raises the first fault by line."""
    faults = [
        fault
        for index, version in enumerate(contract.versions)
        for fault in _version(document, ("versions", index), version)
    ]
    if faults:
        raise min(faults, key=lambda fault: int(fault.where.rsplit(":", 1)[1]))


def _version(document: Document, where: Where, version: Version) -> Iterator[ConfigError]:
    if version.timezone not in available_timezones():
        yield document.fault(
            (*where, "timezone"),
            f"{version.timezone!r} is not an IANA time zone",
            f"write America/Bogota{nearest(version.timezone, available_timezones())}",
        )
    for kind in KINDS:
        for name in CLOCKS:
            clock = getattr(getattr(version.clocks, kind), name)
            if clock is not None:
                place = (*where, "clocks", kind, name)
                yield from _calendar(document, (*place, "calendar"), version, clock.calendar)
                if all(clock.budget_us(priority) is None for priority in PRIORITIES):
                    yield document.fault(place, "promises nothing", "give a priority its time, or remove the clock")
    for index, level in enumerate(version.levels):
        if level.calendar is not None:
            yield from _calendar(document, (*where, "levels", index, "calendar"), version, level.calendar)


def _calendar(document: Document, where: Where, version: Version, name: str) -> Iterator[ConfigError]:
    if name not in version.calendars:
        known = list(version.calendars)
        yield document.fault(
            where, f"no calendar named {name}", f"name one of {', '.join(known)}{nearest(name, known)}"
        )
