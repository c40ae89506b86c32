"""The model of a report from the store: nothing is computed twice, every engine says its own part."""

import re

from sqlalchemy import Connection

from dashboards.reports import desk, figures
from dashboards.reports.canonical import sealed
from dashboards.reports.distribution import all_calls
from dashboards.reports.model import Check, Report, Seal, Topology
from dashboards.reports.own import Own
from sereno.answers.availability import Account, Asked, Availability, Progress
from sereno.clock import SECOND_US, iso
from sereno.compliance import Month, Scope, compliance_json, month_window, monthly
from sereno.errors import UsageError
from sereno.incident import IncidentRecord
from sereno.store import Store
from sereno.store.compliance import agreed_activities, concerning, tickets
from sereno.store.customers import Known, known_customer
from sereno.store.queries import seals
from sereno.store.queries.calls import calls
from sereno.store.queries.revisions import revision_json

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_YEARS = range(1971, 2199)
_VOICE = ("edge", "options", "natural", "register", "call")


def build(
    store: Store,
    answers: Availability,
    month: str,
    now_us: int,
    *,
    customer: str | None = None,
    site: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """A customer's month, or a site's; UsageError where there is no such customer, site or month."""
    numbers = _parsed(month)
    with store.read() as connection:
        known = known_customer(connection, customer, site)
    asked = f"site:{known.site}" if known.site else f"customer:{known.name}"
    account = answers.account(Asked(asked, month=month), now_us, progress)
    with store.read() as connection:
        return _Building(connection, known, account, numbers, now_us).report()


def _parsed(text: str) -> tuple[int, int]:
    found = _MONTH.fullmatch(text)
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    if year not in _YEARS or not 1 <= month <= 12:  # noqa: PLR2004
        raise UsageError(f"--month {text!r}: is not a month; write one such as 2026-10")
    return year, month


class _Building:
    """One report from one snapshot."""

    def __init__(
        self, connection: Connection, known: Known, account: Account, month: tuple[int, int], now_us: int
    ) -> None:
        self._connection, self._known, self._account, self._now_us = connection, known, account, now_us
        self._contract = known.contract()
        window = month_window(self._contract, *month)
        self._month: Month = monthly(
            tickets(connection, known.name, *window),
            self._contract,
            Scope(known.name, known.site),
            *month,
            now_us,
            agreed_activities(connection, known.name, *window),
        )
        found = concerning(connection, known.name, account.from_us, account.to_us)
        self._records: list[IncidentRecord] = [
            one for one in found if known.site is None or known.site in one.sites or _names(one, known.site)
        ]

    def report(self) -> Report:
        account, plan = self._account, self._account.plan
        names = [one.scope.name for one in account.sites] or ([self._known.site] if self._known.site else [])
        return sealed(
            Report(
                service=plan.service,
                customer=self._known.name,
                customer_name=self._known.customer.name,
                locale=self._known.customer.locale,
                site=self._known.site,
                month=self._month.month,
                timezone=account.zone,
                from_=iso(account.from_us),
                to=iso(account.to_us),
                ends=iso(account.ends_us),
                over=account.over,
                contract=self._contract.name,
                availability=figures.availability(account.figures, account.zone, account.budget_us),
                arithmetic=figures.arithmetic(account.figures),
                promised=figures.promises(account.promised),
                year=figures.availability(account.year, account.zone, None) if account.year else None,
                days=figures.days(account),
                outages=figures.outages(account, self._records),
                exclusions=figures.exclusions(account),
                notices=figures.notices(account),
                unknown=figures.unknown(account),
                sites=tuple(figures.site(one, self._records) for one in account.sites),
                revisions=tuple(revision_json(one) for one in account.revisions),
                topology=Topology(
                    read_by=iso(account.read_by_us),
                    changed=tuple(iso(at_us) for at_us in account.topologies),
                    other_sites=account.others,
                ),
                seal=self._seal(),
                compliance=compliance_json(self._month),
                clocks=desk.clock_rows(self._month),
                tickets=desk.tickets(
                    self._records, account.from_us, account.to_us, own=self._own(), contract=self._contract
                ),
                calls=all_calls(calls(self._connection, account.from_us, account.to_us), plan, names),
                checks=tuple(self._checks()),
            )
        )

    def _own(self) -> Own:
        account, customer = self._account, self._known.name
        sites = {name for name, one in account.plan.sites.items() if one.customer == customer}
        return Own(customer, sites | {one.scope.name for one in account.sites} | set(account.others))

    def _seal(self) -> Seal | None:
        days = [one for one in seals.newest_by_day(self._connection).values() if one.day_us < self._account.ends_us]
        newest = max(days, key=lambda one: (one.day_us, one.id), default=None)
        return newest and Seal(number=newest.id, day=iso(newest.day_us), hash=newest.hash)

    def _checks(self) -> list[Check]:
        """How often and how patiently voice is asked after."""
        checks = self._account.plan.checks
        found = {"register": checks.register_} | {
            name: getattr(checks, name) for name in ("edge", "options", "natural", "call")
        }
        return [
            Check(name=name, every_seconds=one.every_us / SECOND_US, timeout_seconds=one.timeout_us / SECOND_US)
            for name in _VOICE
            if (one := found[name]) is not None
        ]


def _names(record: IncidentRecord, site: str) -> bool:
    return site == record.cause.name or any(part.name == site for part in record.symptoms)
