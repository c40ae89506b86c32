"""References inside a contract; shapes were checked before."""

from collections.abc import Iterator
from itertools import pairwise

from sereno.contract.model import CLOCKS, KINDS, PRIORITIES, Contract, Version
from sereno.errors import ConfigError
from sereno.yamlfile import Document, Where


def check(document: Document, contract: Contract) -> None:
    """Raises the first fault by line."""
    document.refuse(_faults(document, contract))


def _faults(document: Document, contract: Contract) -> Iterator[ConfigError]:
    for index, version in enumerate(contract.versions):
        yield from _version(document, ("versions", index), version)
    for index, (earlier, later) in enumerate(pairwise(contract.versions), start=1):
        if later.effective <= earlier.effective:
            yield document.fault(
                ("versions", index, "effective"),
                f"{later.effective} does not come after {earlier.effective}",
                "write the oldest version first, each date once",
            )


def _version(document: Document, where: Where, version: Version) -> Iterator[ConfigError]:
    yield from document.zone((*where, "timezone"), version.timezone)
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
    if version.closing.after_resolved_us is None and not version.closing.confirmation:
        yield document.fault(
            (*where, "closing"), "never closes anything", "give `after_resolved` a time or set `confirmation: true`"
        )


def _calendar(document: Document, where: Where, version: Version, name: str) -> Iterator[ConfigError]:
    yield from document.named(where, "calendar", "calendars", name, version.calendars)
