"""Live updates: what a page shows is a topic, rendered once for all who watch it; each browser gets what changed."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec

from dashboards.web.access import Permission, Person
from dashboards.web.words import Words
from sereno.clock import Clock

_log = logging.getLogger("sereno.web")
PERIOD_SECONDS = 0.25
BEAT_EVERY = 4  # periods: a browser that hears none for some seconds says loudly that it is stale
PLOTS_EVERY = 20  # periods: the series go out every five seconds
QUEUE_LIMIT = 64

Snapshot = dict[str, str]  # id of an element of the page → its HTML
Event = dict[str, str]
Threaded = Callable[[Callable[[], Any]], Awaitable[Any]]


class Topic(Protocol):
    """What one page shows live; its argument says of what: `paths` of `sbc-1/core-a`. Called in any thread."""

    permission: Permission

    def allowed(self, person: Person, argument: str) -> bool:
        """Whether this is his business, beyond the permission."""

    def fragments(self, argument: str, words: Words) -> Snapshot:
        """Every live element of the page."""

    def plots(self, argument: str, words: Words) -> bytes:
        """The series of its plots as JSON `{plot: {"t": seconds, "v": {name: values}}}`; empty: it has none."""


class Channel(NamedTuple):
    """What some browsers watch alike."""

    topic: str
    argument: str
    language: str
    locale: str


class Broadcaster:
    """Renders while somebody watches; a browser that does not keep up is cut off and reconnects to a snapshot."""

    def __init__(
        self, topics: Mapping[str, Topic], words: Callable[[str, str], Words], marker: Callable[[], object],
        clock: Clock, threaded: Threaded,
    ) -> None:  # fmt: skip
        self._topics, self._words, self._marker, self._clock, self._threaded = topics, words, marker, clock, threaded
        self._marked: object = None
        self._queues: dict[asyncio.Queue[Event | None], Channel] = {}
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[Channel, Snapshot] = {}

    def topic(self, name: str) -> Topic | None:
        return self._topics.get(name)

    async def subscribe(self, channel: Channel) -> AsyncIterator[Event]:
        """Server-sent events for one browser: everything first, then each change."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_LIMIT)
        self._queues[queue] = channel  # before the snapshot: what changes meanwhile comes after it
        try:
            snapshot, plots = await self._threaded(lambda: (self._render(channel), self._plots(channel)))
            for event in [*_fragments({}, snapshot), *_plotted(plots), self._beat()]:
                yield event
            if self._task is None or self._task.done():
                self._sent = {}
                self._task = asyncio.create_task(self._run())
            while (coming := await queue.get()) is not None:
                yield coming
        finally:
            self._queues.pop(queue, None)

    async def close(self) -> None:
        """Ends every stream, so that the server can stop at once."""
        for queue in list(self._queues):
            _put(queue, None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        tick = 0
        while self._queues:
            await asyncio.sleep(PERIOD_SECONDS)
            tick += 1
            try:
                await self._push(with_beat=tick % BEAT_EVERY == 0, with_plots=tick % PLOTS_EVERY == 0)
            except Exception:  # noqa: BLE001 - a page that cannot be rendered must not stop the pages to come; it is logged whole
                _log.exception("a page could not be rendered")

    async def _push(self, *, with_beat: bool, with_plots: bool) -> None:
        """Sends what changed: at once when a verdict or an incident did, else with the beat."""
        marked = await self._threaded(self._marker)
        if marked == self._marked and not with_beat:
            return
        self._marked = marked
        watching: dict[Channel, list[asyncio.Queue[Event | None]]] = defaultdict(list)
        for queue, channel in self._queues.items():
            watching[channel].append(queue)
        for channel, queues in watching.items():
            snapshot = await self._threaded(partial(self._render, channel))
            events = _fragments(self._sent.get(channel, {}), snapshot)
            self._sent[channel] = snapshot
            if with_plots:
                events += _plotted(await self._threaded(partial(self._plots, channel)))
            for queue in queues:
                self._give(queue, events)
        for channel in set(self._sent) - set(watching):
            del self._sent[channel]
        if with_beat:  # last: a page is fresh when all of it was rendered
            for queue in list(self._queues):
                self._give(queue, [self._beat()])

    def _give(self, queue: asyncio.Queue[Event | None], events: list[Event]) -> None:
        for event in events:
            if not _put(queue, event):
                self._queues.pop(queue, None)
                return

    def _render(self, channel: Channel) -> Snapshot:
        return self._topics[channel.topic].fragments(channel.argument, self._words(channel.language, channel.locale))

    def _plots(self, channel: Channel) -> bytes:
        return self._topics[channel.topic].plots(channel.argument, self._words(channel.language, channel.locale))

    def _beat(self) -> Event:
        return {"event": "beat", "data": str(self._clock.now_us() // 1_000)}


def _put(queue: asyncio.Queue[Event | None], event: Event | None) -> bool:
    try:
        queue.put_nowait(event)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
        return False
    return True


def _fragments(before: Snapshot, now: Snapshot) -> list[Event]:
    return [
        {"event": "fragment", "data": msgspec.json.encode({"id": name, "html": html}).decode()}
        for name, html in now.items() if before.get(name) != html
    ]  # fmt: skip


def _plotted(series: bytes) -> list[Event]:
    return [{"event": "plots", "data": series.decode()}] if series else []
