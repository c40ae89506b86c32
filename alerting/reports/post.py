"""Makes what is due and puts it into the outbox: one report, one row for each who gets it, whatever dies meanwhile.

The key of a delivery is in the outbox before anything is sent, in the transaction of the one writer; who takes over
finds it there. A report that cannot be made is tried again, told in the log, and said to be so for the doctor.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection, insert, select

from alerting import own
from alerting.effects import Attachment, Notification, Row
from alerting.reports.dues import Due, dues, in_force_since, ready
from sereno.clock import SECOND_US, Clock
from sereno.contract import Contract
from sereno.desk import Desk
from sereno.desk.reports import Schedule
from sereno.errors import StoreError
from sereno.press import Made, PressError
from sereno.store import Store
from sereno.store.lease import LeaseLostError
from sereno.store.queries import seals
from sereno.store.tables import outbox, topologies
from sereno.tasks import in_thread
from sereno.topology.model import Topology
from sereno.verdict import Change

log = logging.getLogger(__name__)
LOOK_SECONDS = 20.0
AGAIN_US = 600 * SECOND_US  # after a report that could not be made
DEADLINE_US = 3 * 86_400 * SECOND_US  # a mail server may be away over a weekend
FAILING = "report_failing"  # of the service, kind `monitor`; the doctor looks for it
MONITOR = "sereno"
_DAY_US = 86_400 * SECOND_US


class Maker(Protocol):
    """Who makes reports (sereno/press.py)."""

    async def issue(
        self, month: str, *, customer: str | None = None, site: str | None = None, edition: str = "full",
        language: str | None = None, who: str, how: str = "web",
    ) -> Made: ...  # fmt: skip


class ReportPost:
    """One task of the leader; nothing is looked at where nothing is scheduled."""

    def __init__(
        self, store: Store, topology: Topology, desk: Desk | None, contracts: Mapping[str, Contract], clock: Clock,
        maker: Maker, *, may_speak: Callable[[], bool] = lambda: True, wake: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self._store, self._topology, self._desk, self._contracts = store, topology, desk, contracts
        self._clock, self._maker, self._may_speak, self._wake = clock, maker, may_speak, wake
        self._channel = channel_of(desk)
        self._rest: dict[tuple[object, ...], int] = {}
        self._since: dict[int, int] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        if self._desk is None or not self._desk.reports.schedules or self._channel is None:
            await asyncio.Event().wait()
        while True:
            if self._may_speak():
                try:
                    await self.round()
                except LeaseLostError:
                    raise
                except StoreError as error:
                    log.warning("reports: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def round(self) -> int:
        """Makes what is due and not yet in the outbox; how many deliveries were added."""
        added = 0
        for due in await in_thread(self._wanted):
            if self._rest.get(due.report, 0) > self._clock.now_us():
                continue
            try:
                made = await self._maker.issue(
                    due.month, customer=due.customer, site=due.site, edition=due.edition, language=due.language,
                    who=MONITOR, how="cli",
                )  # fmt: skip
            except PressError as error:
                self._rest[due.report] = self._clock.now_us() + AGAIN_US
                log.error("report of %s for %s: %s; trying again", due.month, due.site or due.customer, error)  # noqa: TRY400  # one line
                await in_thread(self._say, str(error))
                continue
            added += await in_thread(self._put, due, made)
        if added:
            self._wake()
        return added

    # -- the store, in a thread ----------------------------------------------------------------------------------------

    def _wanted(self) -> list[Due]:
        """What is due, whose month stands, and that somebody does not have in the outbox."""
        assert self._desk is not None  # noqa: S101  # `run` waits for ever without one
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            if self._since is None:
                self._since = in_force_since(self._desk.reports.schedules, _desks(connection))
            found = dues(self._desk.reports, self._topology, self._contracts, now_us, self._since)
            return [
                one for one in found
                if _missing(connection, one) and ready(one, now_us, sealed=_sealed(connection, one))
            ]  # fmt: skip

    def _put(self, due: Due, made: Made) -> int:
        """The deliveries that are not there yet, and the word that all is well again, in one transaction."""
        now_us = self._clock.now_us()
        with self._store.write() as connection:
            addresses = _missing(connection, due)
            for address in addresses:
                told = self._letter(due, made, address, now_us)
                connection.execute(
                    insert(outbox).values(
                        key=told.key, incident=None, what=told.what, page=0, deadline_us=now_us + DEADLINE_US,
                        channel=told.channel, recipient=told.to, created_us=now_us, due_us=now_us, state="pending",
                        attempts=0, message=msgspec.json.encode(told).decode(),
                    )
                )  # fmt: skip
            own.say(connection, self._change("false", None, now_us))
        log.info("report of %s for %s: %d to send", due.month, due.site or due.customer, len(addresses))
        return len(addresses)

    def _say(self, why: str) -> None:
        with self._store.write() as connection:
            own.say(connection, self._change("true", why, self._clock.now_us()))

    def _change(self, state: str, why: str | None, now_us: int) -> Change:
        return Change(
            kind="monitor", name=self._topology.service, what=FAILING, state=state, since_us=now_us, at_us=now_us,
            reason=why,
        )  # fmt: skip

    def _letter(self, due: Due, made: Made, address: str, now_us: int) -> Notification:
        lines = [made.lead, "", *(f"{label}: {text}" for label, text in made.rows)]
        locale = made.locale if made.locale[:2] == made.language else made.language
        return Notification(
            key=due.key(address), at_us=now_us, incident=None, what="customer_report", page=False, to=due.customer,
            channel=self._channel or "", address=address, locale=locale, subject=made.subject,
            body="\n".join(lines), priority="Baja", severity=None, kind="customer", name=due.customer,
            service=self._topology.service, title=made.subject, short=made.subject,
            rows=tuple(Row(label, text) for label, text in made.rows),
            attachments=tuple(Attachment(issue=made.id, form=form, name=made.names[form]) for form in due.formats),
        )  # fmt: skip


def channel_of(desk: Desk | None) -> str | None:
    """By which channel reports are mailed; None: the desk sends no mail."""
    if desk is None:
        return None
    named = desk.reports.channel or desk.customers.channel
    return named or next((name for name, one in desk.channels.items() if one.kind == "smtp"), None)


def _desks(connection: Connection) -> list[tuple[int, Sequence[Schedule]]]:
    """Every accepted desk's schedules with its from-time, the newest first."""
    query = select(topologies.c.from_us, topologies.c.desk).order_by(topologies.c.id.desc())
    return [
        (int(row.from_us), Desk.model_validate_json(row.desk).reports.schedules if row.desk else ())
        for row in connection.execute(query)
    ]


def _missing(connection: Connection, due: Due) -> list[str]:
    """Who does not have a delivery in the outbox."""
    keys = {due.key(address): address for address in due.to}
    known = set(connection.execute(select(outbox.c.key).where(outbox.c.key.in_(keys))).scalars())
    return [address for key, address in keys.items() if key not in known]


def _sealed(connection: Connection, due: Due) -> bool:
    """The day in which the month ended is sealed."""
    last = (due.ends_us - 1) // _DAY_US * _DAY_US
    return last in seals.newest_by_day(connection, [last])


__all__ = ["DEADLINE_US", "FAILING", "LOOK_SECONDS", "Maker", "ReportPost", "channel_of"]
