"""Reads the calendar feeds of rotas, by file or http(s), and keeps the last good copy of each in the store."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from msgspec.structs import replace

from alerting import own
from sereno.clock import SECOND_US, Clock
from sereno.desk import Rota
from sereno.errors import StoreError
from sereno.oncall import Roster
from sereno.oncall.feed import LIMIT_BYTES, FeedError, shifts, window
from sereno.store import Store
from sereno.store.oncall import FeedRow, feeds, keep_feed, place_of
from sereno.tasks import in_thread
from sereno.verdict import Change

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 20.0
SILENT_SECONDS = 0.5
RETRY_US = 60 * SECOND_US  # after a failure sooner than the feed's own time


class Feeds:
    """One task of the leader; nothing is read where no rota has a feed."""

    def __init__(
        self, store: Store, roster: Roster, clock: Clock, may_speak: Callable[[], bool] = lambda: True
    ) -> None:
        self._store, self._zone, self._clock, self._may_speak = store, roster.zone, clock, may_speak
        rotas = roster.desk.rotas if roster.desk is not None else {}
        self._rotas = {name: rota for name, rota in rotas.items() if rota.icalendar is not None}
        self._due = dict.fromkeys(self._rotas, 0)

    async def run(self) -> None:
        """Until cancelled."""
        if not self._rotas:
            await asyncio.Event().wait()
        while True:
            if self._may_speak():
                for name in [name for name, due_us in self._due.items() if due_us <= self._clock.now_us()]:
                    await self.read(name)
            await asyncio.sleep(SILENT_SECONDS)

    async def read(self, name: str) -> None:
        """One try: the copy is replaced only by one that can be read."""
        rota, now_us = self._rotas[name], self._clock.now_us()
        copy, error = None, None
        try:
            copy = await fetched(rota.icalendar or "")
            await asyncio.to_thread(shifts, copy, rota.timezone or self._zone, *window(now_us))
        except FeedError as fault:
            copy, error = None, str(fault)
            log.warning("rota %s: its calendar %s", name, error)
        self._due[name] = now_us + (rota.refresh_us if error is None else min(rota.refresh_us, RETRY_US))
        try:
            await in_thread(self._keep, name, rota, copy, error, now_us)
        except StoreError as fault:
            log.warning("rota %s: %s", name, fault)

    def _keep(self, name: str, rota: Rota, copy: bytes | None, error: str | None, now_us: int) -> None:
        place = place_of(rota.icalendar or "")
        with self._store.write() as connection:
            known = feeds(connection).get(name)
            if known is None or known.place != place:
                known = FeedRow(rota=name, place=place, tried_us=now_us)
            row = replace(known, tried_us=now_us, error=error)
            if copy is not None:
                row = replace(row, copy=copy, read_us=now_us)
            keep_feed(connection, row)
            own.say(
                connection,
                Change(
                    kind="monitor", name=name, what="rota_feed", state="false" if error is None else "true",
                    since_us=now_us, at_us=now_us, reason=error,
                ),
            )  # fmt: skip


async def fetched(place: str) -> bytes:
    """The bytes of a file or an address; FeedError without the address, which may hold a secret."""
    if "://" not in place:
        return await asyncio.to_thread(_of_file, Path(place))
    host = urlsplit(place).hostname
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=True, max_redirects=5) as client,
            client.stream("GET", place) as answer,
        ):
            if not answer.is_success:
                raise FeedError(f"cannot be read: {host} says HTTP {answer.status_code}")
            found = bytearray()
            async for part in answer.aiter_bytes():
                found += part
                if len(found) > LIMIT_BYTES:
                    raise FeedError(f"is larger than {LIMIT_BYTES} bytes")
            return bytes(found)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
        raise FeedError(f"cannot be read: {host}: {type(error).__name__}") from None


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise FeedError(f"cannot be read: {(error.strerror or 'no such file').lower()}") from None
