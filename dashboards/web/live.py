"""Live updates: one task renders fragments once for everybody; each browser gets what changed over its SSE stream."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import msgspec

from sereno.clock import Clock

_log = logging.getLogger("sereno.web")
PERIOD_SECONDS = 0.25
BEAT_EVERY = 4  # periods: a browser that hears none for some seconds says loudly that it is stale
PLOTS_EVERY = 20  # periods: the series go out every five seconds
QUEUE_LIMIT = 64

Snapshot = dict[str, str]  # fragment id → HTML
Render = Callable[[str], Snapshot]
Plots = Callable[[], bytes]
Marker = Callable[[], tuple[int, int]]


class Broadcaster:
    """Renders while somebody watches; a browser that does not keep up is cut off and reconnects to a snapshot."""

    def __init__(self, render: Render, plots: Plots, marker: Marker, clock: Clock) -> None:
        self._render = render
        self._plots = plots
        self._marker = marker
        self._marked: tuple[int, int] | None = None
        self._clock = clock
        self._queues: dict[asyncio.Queue[dict[str, str] | None], str] = {}
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, Snapshot] = {}

    async def subscribe(self, language: str) -> AsyncIterator[dict[str, str]]:
        """Server-sent events for one browser: everything first, then each change."""
        queue: asyncio.Queue[dict[str, str] | None] = asyncio.Queue(QUEUE_LIMIT)
        for name, html in self._render(language).items():
            yield _fragment(name, html)
        yield {"event": "plots", "data": self._plots().decode()}
        self._queues[queue] = language
        if self._task is None or self._task.done():
            self._sent = {}
            self._task = asyncio.create_task(self._run())
        try:
            while (event := await queue.get()) is not None:
                yield event
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
                self._push(with_beat=tick % BEAT_EVERY == 0, with_plots=tick % PLOTS_EVERY == 0)
            except Exception:  # noqa: BLE001 - a page that cannot be rendered must not stop the pages to come; it is logged whole
                _log.exception("a page could not be rendered")

    def _push(self, *, with_beat: bool, with_plots: bool) -> None:
        """Sends what changed: at once when a verdict or an incident did, else with the beat."""
        marked = self._marker()
        if marked == self._marked and not with_beat:
            return
        self._marked = marked
        events: dict[str, list[dict[str, str]]] = {}
        for language in set(self._queues.values()):
            snapshot = self._render(language)
            before = self._sent.get(language, {})
            events[language] = [_fragment(k, html) for k, html in snapshot.items() if before.get(k) != html]
            self._sent[language] = snapshot
        shared: list[dict[str, str]] = []
        if with_beat:
            shared.append({"event": "beat", "data": str(self._clock.now_us() // 1_000)})
        if with_plots:
            shared.append({"event": "plots", "data": self._plots().decode()})
        for queue, language in list(self._queues.items()):
            for event in [*events[language], *shared]:
                if not _put(queue, event):
                    self._queues.pop(queue, None)
                    break


def _put(queue: asyncio.Queue[dict[str, str] | None], event: dict[str, str] | None) -> bool:
    try:
        queue.put_nowait(event)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
        return False
    return True


def _fragment(name: str, html: str) -> dict[str, str]:
    return {"event": "fragment", "data": msgspec.json.encode({"id": name, "html": html}).decode()}
