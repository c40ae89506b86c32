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
    yield from _terms(document, where, version)
    if version.closing.after_resolved_us is None and not version.closing.confirmation:
        yield document.fault(
            (*where, "closing"), "never closes anything", "give `after_resolved` a time or set `confirmation: true`"
        )


def _terms(document: Document, where: Where, version: Version) -> Iterator[ConfigError]:
    for channel, intake in version.intake.items():
        if intake.calendar is not None:
            yield from _calendar(document, (*where, "intake", channel, "calendar"), version, intake.calendar)
    report = version.report
    if report.attention_from == "complete" and not report.incident:
        yield document.fault(
            (*where, "report", "attention_from"), "waits for a report that asks for nothing",
            "list what `incident` must hold, or write opened",
        )  # fmt: skip
    if version.billing is not None:
        yield from _calendar(document, (*where, "billing", "calendar"), version, version.billing.calendar)
    yield from _credits(document, (*where, "compliance", "credits"), version)


def _credits(document: Document, where: Where, version: Version) -> Iterator[ConfigError]:
    """A discount is of money or of the invoice, never both; money has a currency; a shortfall needs a target."""
    found = version.compliance.credits
    if found is None:
        return
    penalties = {"shortfall": found.shortfall, "late": found.late, "activities": found.activities}
    for name, penalty in penalties.items():
        if penalty is None:
            continue
        if penalty.amount is not None and penalty.percent is not None:
            yield document.fault((*where, name), "discounts twice", "keep `amount` or `percent`")
        if penalty.amount is not None and found.currency is None:
            yield document.fault(
                (*where, name, "amount"), "is money without a currency", "add `currency: USD` to credits"
            )
    if found.shortfall is not None and version.compliance.target_percent is None:
        yield document.fault(
            (*where, "shortfall"), "falls short of no target", "write `target_percent`, or leave it out"
        )


def _calendar(document: Document, where: Where, version: Version, name: str) -> Iterator[ConfigError]:
    yield from document.named(where, "calendar", "calendars", name, version.calendars)
