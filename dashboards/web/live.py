"""Live updates: what a page shows is a topic, rendered once for all who watch it; each browser gets what changed.

A beat is one piece of bytes for everybody who watches the same: encoded once, however many walls there are.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from html import escape
from typing import Any, NamedTuple, Protocol

import msgspec

from dashboards.web.access import Permission, Person
from dashboards.web.words import Words
from sereno.clock import Clock
from sereno.errors import StoreError

_log = logging.getLogger("sereno.web")
PERIOD_SECONDS = 0.25
BEAT_EVERY = 4  # periods: a browser that hears none for some seconds says loudly that it is stale
PLOTS_EVERY = 20  # periods: the series go out every five seconds
QUEUE_LIMIT = 16  # beats that a browser may be behind
MOST_STREAMS = 1_000
MOST_CHANNELS = 200  # different pages rendered at every beat


class Rows(NamedTuple):
    """A table of which only the changed rows travel: `rows` are element ids and what stands in them.

    When another row comes, one goes, or the order is another one, all of it is sent.
    """

    head: str
    rows: Mapping[str, str]
    tail: str
    tag: str = "tr"

    def __str__(self) -> str:
        inside = "".join(
            f'<{self.tag} id="{escape(name)}" data-row>{html}</{self.tag}>' for name, html in self.rows.items()
        )
        return f"{self.head}{inside}{self.tail}"


Snapshot = Mapping[str, str | Rows]  # id of an element of the page → its HTML
Threaded = Callable[[Callable[[], Any]], Awaitable[Any]]
_Queue = asyncio.Queue[bytes | None]


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
        clock: Clock, threaded: Threaded, build: Callable[[], str] = str,
    ) -> None:  # fmt: skip
        self._topics, self._words, self._marker, self._clock, self._threaded = topics, words, marker, clock, threaded
        self._build = build  # what a page must have been made by: another one is loaded again
        self._marked: object = None
        self._told = ""
        self._watchers: dict[_Queue, Channel] = {}
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[Channel, Snapshot] = {}
        self._drawn: dict[Channel, bytes] = {}
        self._coming: dict[Channel, asyncio.Task[None]] = {}
        self._drawing: dict[Channel, asyncio.Task[None]] = {}

    def topic(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def full(self, channel: Channel) -> bool:
        """Whether nobody more can be served, or nothing else rendered."""
        if len(self._watchers) >= MOST_STREAMS:
            return True
        watched = set(self._watchers.values())
        return channel not in watched and len(watched) >= MOST_CHANNELS

    async def subscribe(self, channel: Channel) -> AsyncGenerator[bytes]:
        """Server-sent events for one browser: everything first, then each change."""
        queue: _Queue = asyncio.Queue(QUEUE_LIMIT)
        self._watchers[queue] = channel  # before the snapshot: what changes meanwhile comes after it
        try:
            try:
                await self._ready(channel)
            except StoreError as error:  # the browser comes back by itself
                self._tell(error)
                return
            yield changes({}, self._sent.get(channel, {})) + _plotted(self._drawn.get(channel, b"")) + self._beat()
            if channel not in self._drawn:
                self._draw(channel)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run())
            while (coming := await queue.get()) is not None:
                yield coming
        finally:
            self._watchers.pop(queue, None)

    async def close(self) -> None:
        """Ends every stream, so that the server can stop at once."""
        for queue in list(self._watchers):
            _put(queue, None)
        tasks = [*self._coming.values(), *self._drawing.values(), *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- going on ------------------------------------------------------------------------------------------------------

    async def _ready(self, channel: Channel) -> None:
        """What the channel shows is known: rendered once, however many come at the same time."""
        if channel in self._sent and self._task is not None and not self._task.done():
            return
        if channel not in self._coming:
            self._coming[channel] = asyncio.create_task(self._first(channel))
        await asyncio.shield(self._coming[channel])

    async def _first(self, channel: Channel) -> None:
        try:
            self._sent[channel] = await self._threaded(partial(self._render, channel))
        finally:
            del self._coming[channel]

    def _draw(self, channel: Channel) -> None:
        """The plots, beside everything else: a week of results takes its time, and no beat waits for it."""
        if channel not in self._drawing:
            self._drawing[channel] = asyncio.create_task(self._drawn_soon(channel))

    async def _drawn_soon(self, channel: Channel) -> None:
        try:
            self._drawn[channel] = await self._threaded(partial(self._plots, channel))
            news = _plotted(self._drawn[channel])
            if news:
                self._give([queue for queue, watched in self._watchers.items() if watched == channel], news)
        except StoreError as error:
            self._tell(error)
        except Exception:  # noqa: BLE001 - the page stays as it is without them; it is logged whole
            _log.exception("the plots of %s/%s could not be made", channel.topic, channel.argument)
        finally:
            del self._drawing[channel]

    async def _run(self) -> None:
        tick = 0
        while self._watchers:
            await asyncio.sleep(PERIOD_SECONDS)
            tick += 1
            try:
                await self._push(with_beat=tick % BEAT_EVERY == 0, with_plots=tick % PLOTS_EVERY == 0)
                self._told = ""
            except StoreError as error:
                self._tell(error)
            except Exception:  # noqa: BLE001 - a page that cannot be rendered must not stop the pages to come; it is logged whole
                _log.exception("a page could not be rendered")
        self._sent, self._drawn = {}, {}

    def _tell(self, error: StoreError) -> None:
        """A store that cannot be read is said once, and again when it was back meanwhile."""
        if self._told != str(error):
            self._told = str(error)
            _log.warning("no page can be rendered: %s", error)

    async def _push(self, *, with_beat: bool, with_plots: bool) -> None:
        """Sends what changed: at once when a verdict or an incident did, else with the beat.

        The beat comes last: a page is fresh when all of it was rendered. One that cannot be rendered gets none, and
        says so itself after some seconds; the others go on.
        """
        marked = await self._threaded(self._marker)
        if marked == self._marked and not with_beat:
            return
        self._marked = marked
        watching: dict[Channel, list[_Queue]] = defaultdict(list)
        for queue, channel in self._watchers.items():
            watching[channel].append(queue)
        for channel, queues in watching.items():
            try:
                news = await self._news(channel)
            except StoreError:
                raise
            except Exception:  # noqa: BLE001 - as above
                _log.exception("%s/%s could not be rendered", channel.topic, channel.argument)
                continue
            if with_plots:
                self._draw(channel)
            if news or with_beat:
                self._give(queues, news + self._beat() if with_beat else news)
        for channel in set(self._sent) - set(watching) - set(self._coming):
            self._sent.pop(channel)
            self._drawn.pop(channel, None)

    async def _news(self, channel: Channel) -> bytes:
        snapshot = await self._threaded(partial(self._render, channel))
        news = changes(self._sent.get(channel, {}), snapshot)
        self._sent[channel] = snapshot
        return news

    def _give(self, queues: list[_Queue], news: bytes) -> None:
        for queue in queues:
            if not _put(queue, news):
                self._watchers.pop(queue, None)

    def _render(self, channel: Channel) -> Snapshot:
        return self._topics[channel.topic].fragments(channel.argument, self._words(channel.language, channel.locale))

    def _plots(self, channel: Channel) -> bytes:
        return self._topics[channel.topic].plots(channel.argument, self._words(channel.language, channel.locale))

    def _beat(self) -> bytes:
        return _event("beat", msgspec.json.encode({"now": self._clock.now_us() // 1_000, "build": self._build()}))


def changes(before: Snapshot, now: Snapshot) -> bytes:
    """The event that makes of one snapshot the next; empty when they are alike."""
    news: list[tuple[str, str]] = []
    for name, html in now.items():
        known = before.get(name)
        if isinstance(html, Rows) and isinstance(known, Rows):
            if _same_shape(known, html):
                news += [(row, inside) for row, inside in html.rows.items() if known.rows[row] != inside]
            else:
                news.append((name, str(html)))
        elif known != html:
            news.append((name, str(html)))
    return _event("fragments", msgspec.json.encode(news)) if news else b""


def _same_shape(one: Rows, other: Rows) -> bool:
    return one.head == other.head and one.tail == other.tail and list(one.rows) == list(other.rows)


def _put(queue: _Queue, news: bytes | None) -> bool:
    try:
        queue.put_nowait(news)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
        return False
    return True


def _plotted(series: bytes) -> bytes:
    return _event("plots", series) if series else b""


def _event(name: str, data: bytes) -> bytes:
    """As on the wire (WHATWG HTML, section 9.2.6); JSON has no line of its own that could end it."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
