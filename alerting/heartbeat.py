"""The dead man's switch: a sign of life goes out while the monitor sees, decides and delivers, else it stops.

Whether it may go out is decided by `fault`, pure; `Heartbeat` asks the store, speaks, and says why it fell silent.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, select

from alerting.channels.base import RejectedError, RetryError, one_line
from alerting.channels.http import get, post, settled
from alerting.channels.webhook import headers
from sereno.clock import SECOND_US, Clock, iso
from sereno.desk.notifications import Heartbeat as Config
from sereno.errors import StoreError
from sereno.store import Store
from sereno.store.changes import insert_changes
from sereno.store.tables import outbox, results, verdict_changes
from sereno.tasks import in_thread
from sereno.topology import resolve_secret
from sereno.topology.model import Topology
from sereno.verdict import Change

log = logging.getLogger(__name__)
HEARTBEAT = "heartbeat"
BLIND_US = 30 * SECOND_US  # as long as the alarm of a blind monitor takes
ROUND_US = 30 * SECOND_US
STUCK_US = 120 * SECOND_US
_LEAST_COMMIT_US = 60 * SECOND_US
_MISSED = 3  # of the shortest interval without a commit


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the monitor itself."""

    now_us: int
    blind_us: int | None  # since when no probe is a valid witness
    committed_us: int | None  # when the newest result was committed
    round_us: int | None  # when the desk last decided
    unreached_us: int | None  # the oldest page of whose incident nobody has heard
    commit_within_us: int


def fault(signs: Signs) -> str | None:
    """Why no sign of life may go out; None: all is well."""
    now_us = signs.now_us
    if signs.committed_us is None or now_us - signs.committed_us > signs.commit_within_us:
        return "no result is committed"
    if signs.blind_us is not None and now_us - signs.blind_us >= BLIND_US:
        return "no probe outside is a valid witness"
    if signs.round_us is None or now_us - signs.round_us > ROUND_US:
        return "the desk does not decide"
    if signs.unreached_us is not None and now_us - signs.unreached_us > STUCK_US:
        return "pages reach nobody"
    return None


class Heartbeat:
    """Speaks every so often, or is silent and says why."""

    def __init__(
        self, store: Store, config: Config, topology: Topology, clock: Clock, *,
        rounded_us: Callable[[], int | None], may_speak: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._store, self._config, self._clock = store, config, clock
        self._service, self._commit_within_us = topology.service, commit_within_us(topology)
        self._rounded_us, self._may_speak = rounded_us, may_speak
        self._said: str | None = None  # "", or the fault that was said last

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            begun = self._clock.monotonic()
            if self._may_speak():
                await self.beat()
            await asyncio.sleep(max(0.05, self._config.every_us / SECOND_US - (self._clock.monotonic() - begun)))

    async def beat(self) -> str | None:
        """One sign of life, or why there was none."""
        try:
            why = fault(await in_thread(self._signs))
        except StoreError as error:
            why = f"the store cannot be read: {one_line(error)}"
        await self._say(why)
        if why is None:
            why = await self._send()
            if why is not None:
                log.warning("heartbeat: %s", why)
        return why

    def _signs(self) -> Signs:
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            return Signs(
                now_us=now_us, blind_us=_blind_us(connection), committed_us=_committed_us(connection),
                round_us=self._rounded_us(), unreached_us=_unreached_us(connection),
                commit_within_us=self._commit_within_us,
            )  # fmt: skip

    async def _say(self, why: str | None) -> None:
        """In the log and in the record, when it changes."""
        if self._said == (why or ""):
            return
        first, self._said = self._said is None, why or ""
        if why is None:
            log.info("heartbeat: goes out")
        elif first:  # a start: nothing is committed yet
            log.warning("heartbeat: not yet: %s", why)
        else:
            log.error("heartbeat: stopped: %s", why)
        now_us = self._clock.now_us()
        change = Change(
            kind="monitor", name=self._service, what=HEARTBEAT, state="false" if why else "true", since_us=now_us,
            at_us=now_us, reason=why,
        )  # fmt: skip

        def write() -> None:
            with self._store.write() as connection:
                insert_changes(connection, [change])

        try:
            await asyncio.to_thread(write)
        except StoreError as error:
            log.warning("heartbeat: %s", one_line(error))

    async def _send(self) -> str | None:
        secret = resolve_secret(self._config.secret, HEARTBEAT) if self._config.secret is not None else None
        if self._config.secret is not None and secret is None:
            return "its secret is missing"
        url = self._config.url.replace("{secret}", secret or "")
        signing = None if "{secret}" in self._config.url else secret
        try:
            if self._config.method == "GET":
                settled(await get(url, {"User-Agent": "sereno"}, secret))
            else:
                at_us = self._clock.now_us()
                body = msgspec.json.encode({"v": 1, "service": self._service, "at": iso(at_us), "state": "ok"})
                settled(await post(url, body, headers(f"heartbeat/{at_us}", body, signing), secret))
        except (RetryError, RejectedError) as error:
            return f"not taken: {one_line(error, secret)}"
        return None


def commit_within_us(topology: Topology) -> int:
    """How long nothing may be committed before something is wrong: three of the shortest interval, or a minute."""
    checks = topology.checks
    every = [
        check.every_us for check in (checks.edge, checks.options, checks.natural, checks.register_, checks.call)
        if check is not None
    ]  # fmt: skip
    return max(_LEAST_COMMIT_US, _MISSED * min(every, default=_LEAST_COMMIT_US))


def _blind_us(connection: Connection) -> int | None:
    columns = verdict_changes.c
    newest = (
        select(columns.state, columns.at_us)
        .where(columns.kind == "monitor", columns.what == "monitor_blind")
        .order_by(columns.id.desc())
        .limit(1)
    )
    row = connection.execute(newest).first()
    return int(row.at_us) if row is not None and row.state == "true" else None


def _committed_us(connection: Connection) -> int | None:
    newest = select(results.c.arrived_us).order_by(results.c.at_us.desc()).limit(1)
    found = connection.execute(newest).scalar()
    return None if found is None else int(found)


def _unreached_us(connection: Connection) -> int | None:
    """The oldest waiting page without a receipt for whose incident no page has one."""
    columns, other = outbox.c, outbox.alias("other").c
    heard = select(other.id).where(other.incident == columns.incident, other.page == 1, other.state == "sent")
    waiting = select(columns.created_us).where(columns.state == "pending", columns.page == 1, ~heard.exists())
    found = connection.execute(waiting.order_by(columns.id).limit(1)).scalar()
    return None if found is None else int(found)


__all__ = ["HEARTBEAT", "Heartbeat", "Signs", "fault"]
