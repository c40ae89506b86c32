"""Alertmanager's webhook: read strictly, kept once, answered when the desk has it.

What the desk knows already (the same fingerprint, startsAt and status) is answered without being written: Alertmanager
repeats what fires and, for minutes, what resolved.
"""

import hashlib
import logging

import msgspec
from sqlalchemy import select, tuple_

from dashboards.web.inbound.asking import Asker
from dashboards.web.refusal import Refused, overloaded
from sereno.alertmanager import Told, decode, told
from sereno.clock import SECOND_US, Clock
from sereno.errors import WireError
from sereno.store import Store
from sereno.store.tables import external_alerts

log = logging.getLogger(__name__)
MOST_BYTES = 16 * 1024 * 1024
FRESH_US = 600 * SECOND_US  # what fires and was heard within this is no news; later, that it still does is
SOURCE = "alertmanager"
_CHUNK = 300


class Alertmanager:
    """What is posted there."""

    def __init__(self, store: Store, clock: Clock, asker: Asker) -> None:
        self._store, self._clock, self._asker = store, clock, asker

    async def take(self, client: str, raw: bytes) -> dict[str, int]:
        """How much of it the desk took; Refused 4xx what will never do, 503 what will, later."""
        try:
            alerts = await self._asker.threaded(lambda: _read(raw))
            news = await self._asker.threaded(lambda: self._news(alerts))
            if news:
                await self._tell(client, news)
        except Refused as refused:
            log.warning("alertmanager: %s", refused)  # the far end may drop it without a word to anybody
            raise
        return {"taken": len(news), "known": len(alerts) - len(news)}

    def _news(self, alerts: list[Told]) -> list[Told]:
        """Those of which the desk does not know this status yet, or has not heard for a while."""
        now_us = self._clock.now_us()
        rows = external_alerts.c
        known: dict[tuple[str, int, str], int] = {}
        with self._store.read() as connection:
            for first in range(0, len(alerts), _CHUNK):
                wanted = [(one.fingerprint, one.starts_us, one.status) for one in alerts[first : first + _CHUNK]]
                found = connection.execute(
                    select(rows.fingerprint, rows.starts_us, rows.status, rows.received_us).where(
                        rows.source == SOURCE, tuple_(rows.fingerprint, rows.starts_us, rows.status).in_(wanted)
                    )
                )
                known |= {(row.fingerprint, int(row.starts_us), row.status): int(row.received_us) for row in found}
        return [
            one for one in alerts
            if (heard := known.get((one.fingerprint, one.starts_us, one.status))) is None
            or (one.status == "firing" and now_us - heard > FRESH_US)
        ]  # fmt: skip

    async def _tell(self, client: str, news: list[Told]) -> None:
        hour = self._clock.now_us() // FRESH_US  # a repetition much later is another order
        names = sorted(f"{one.fingerprint}/{one.starts_us}/{one.status}" for one in news)
        key = "alerts/" + hashlib.sha256("\n".join([client, str(hour), *names]).encode()).hexdigest()[:40]
        arguments = {"source": SOURCE, "alerts": msgspec.to_builtins(news)}
        outcome = await self._asker.ask("external.alerts", arguments, client, key)
        if outcome.state == "pending":
            raise overloaded("the desk did not answer in time")
        if outcome.state == "refused":
            raise Refused(400, outcome.text)


def _read(raw: bytes) -> list[Told]:
    try:
        return told(decode(raw))
    except WireError as error:
        raise Refused(400, str(error)) from None
