"""Which reports are due, pure: from the desk's schedules, the topology, the contracts and the clock.

A schedule speaks of the month before the present one, in the zone of the customer's contract. It is due once that day
and hour have come; a monitor that was off then sends when it is back, as long as the next month has not begun. A
schedule written after its hour waits for the next month: nobody gets mail for having saved a file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from sereno.clock import SECOND_US, to_datetime
from sereno.compliance import month_window
from sereno.contract import Contract
from sereno.contract.calendar import local_us
from sereno.desk.reports import Reports, Schedule
from sereno.topology.model import Topology

_LANGUAGES = ("es", "en")
UNSEALED_US = 48 * 3_600 * SECOND_US  # a day that nobody seals for so long is not waited for


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One report to each of `to`; `ends_us` is where its month ended."""

    customer: str
    site: str | None
    month: str
    edition: str
    language: str
    formats: tuple[str, ...]
    to: tuple[str, ...]
    due_us: int
    ends_us: int

    @property
    def report(self) -> tuple[str, str | None, str, str, str]:
        """What is made once, whoever gets it."""
        return self.customer, self.site, self.month, self.edition, self.language

    def key(self, address: str) -> str:
        """What makes it one delivery, for ever."""
        return "/".join(
            ("report", self.customer, self.site or "-", self.month, self.edition, self.language,
             "+".join(self.formats), address.casefold())
        )  # fmt: skip


def dues(
    reports: Reports, topology: Topology, contracts: Mapping[str, Contract], now_us: int,
    since_us: Mapping[int, int] | None = None,
) -> list[Due]:  # fmt: skip
    """What is due at an instant; `since_us` says since when each schedule, by its place, has been in force."""
    found = []
    for place, schedule in enumerate(reports.schedules):
        begun_us = (since_us or {}).get(place, 0)
        found += [one for one in _of(schedule, topology, contracts, now_us) if begun_us <= one.due_us <= now_us]
    return found


def in_force_since(schedules: Sequence[Schedule], desks: Iterable[tuple[int, Sequence[Schedule]]]) -> dict[int, int]:
    """Since when each of the present schedules has been written so without a break.

    `desks` are the accepted ones with their from-times, the newest first.
    """
    found: dict[int, int] = {}
    open_ = dict(enumerate(schedules))
    for from_us, known in desks:
        open_ = {place: schedule for place, schedule in open_.items() if schedule in known}
        found |= dict.fromkeys(open_, from_us)
    return found


def _of(schedule: Schedule, topology: Topology, contracts: Mapping[str, Contract], now_us: int) -> Iterator[Due]:
    whole = schedule.customers or (() if schedule.sites else tuple(topology.customers))
    targets: list[tuple[str, str | None]] = [(name, None) for name in whole if name in topology.customers]
    targets += [(topology.sites[name].customer, name) for name in schedule.sites if name in topology.sites]
    for customer, site in targets:
        about = topology.customers[customer]
        contract = contracts[about.contract]
        zone = contract.at(now_us).timezone
        here = to_datetime(now_us).astimezone(ZoneInfo(zone))
        year, month = (here.year - 1, 12) if here.month == 1 else (here.year, here.month - 1)
        to = schedule.to or tuple(contact for contact in about.contacts if "@" in contact)
        locale = about.locale[:2]
        if to:
            yield Due(
                customer=customer, site=site, month=f"{year:04d}-{month:02d}", edition=schedule.edition,
                language=schedule.language or (locale if locale in _LANGUAGES else _LANGUAGES[0]),
                formats=schedule.formats, to=tuple(dict.fromkeys(to)),
                due_us=local_us(zone, datetime(here.year, here.month, schedule.day, schedule.hour, schedule.minute)),  # noqa: DTZ001  # local by design
                ends_us=month_window(contract, year, month)[1],
            )  # fmt: skip


def ready(due: Due, now_us: int, *, sealed: bool) -> bool:
    """Whether the month's record stands: its last day is sealed, or nobody will seal it any more."""
    return sealed or now_us >= due.due_us + UNSEALED_US


__all__ = ["Due", "dues", "in_force_since", "ready"]
