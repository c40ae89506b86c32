"""The live stream: encoded once for all, only what changed, slow ones cut off, plots beside the beats."""

import asyncio
import threading
import time

import msgspec
import pytest

from dashboards.web import live as made
from dashboards.web.live import QUEUE_LIMIT, Broadcaster, Channel, Rows, changes
from sereno.clock import SystemClock

CHANNEL = Channel("page", "", "es", "")


@pytest.fixture(autouse=True)
def period(monkeypatch):
    """A fifth of what it is for people: the same steps, sooner."""
    monkeypatch.setattr(made, "PERIOD_SECONDS", 0.05)
    return 0.05


def news(sent):
    """What stands in an event of fragments."""
    assert sent.startswith(b"event: fragments\ndata: ")
    assert sent.endswith(b"\n\n")
    return dict(msgspec.json.decode(sent.removeprefix(b"event: fragments\ndata: ")))


def rows(head="<table>", **lines):
    return Rows(head, lines, "</table>")


def test_only_changed_rows_travel():
    before = {"banner": "x", "matrix": rows(a="1", b="2")}
    assert changes(before, before) == b""
    assert news(changes(before, {"banner": "y", "matrix": rows(a="1", b="3")})) == {"banner": "y", "b": "3"}


@pytest.mark.parametrize(
    "now", [rows(b="2", a="1"), rows(a="1"), rows(a="1", b="2", c="3"), rows(head="<i>", a="1", b="2")]
)
def test_another_order_or_shape_is_sent_whole(now):
    assert news(changes({"matrix": rows(a="1", b="2")}, {"matrix": now})) == {"matrix": str(now)}


def test_names_and_lines_cannot_break_out():
    assert '<tr id="&quot;&gt;x" data-row>' in str(Rows("", {'">x': "1"}, ""))
    assert b"\n\n" not in changes({}, {"a": "one\n\nevent: beat\ndata: 0\r\n\r\n"})[:-2]


class Page:
    """A topic that counts how often it is rendered."""

    permission = "read"

    def __init__(self):
        self.rendered = self.drawn = 0
        self.text = "0"
        self.hold = threading.Event()
        self.hold.set()

    def allowed(self, _person, _argument):
        return True

    def fragments(self, _argument, _words):
        self.rendered += 1
        if self.text == "broken":
            raise ValueError("it cannot be rendered")
        return {"part": self.text}

    def plots(self, _argument, _words):
        self.hold.wait(10)
        self.drawn += 1
        return b'{"rtt":1}'


def broadcaster(page):
    async def threaded(work):
        return await asyncio.get_running_loop().run_in_executor(None, work)

    return Broadcaster({"page": page}, lambda *_: None, lambda: page.text, SystemClock(), threaded, lambda: "build")


async def until(stream, wanted, seconds=5.0):
    async with asyncio.timeout(seconds):
        async for event in stream:
            if wanted in event:
                return event
    raise AssertionError(f"the stream ended without {wanted!r}")


async def test_fifty_browsers_are_one_rendering_and_one_piece_of_bytes(period):
    page = Page()
    live = broadcaster(page)
    streams = [live.subscribe(CHANNEL) for _ in range(50)]
    first = await asyncio.gather(*(anext(stream) for stream in streams))
    assert page.rendered <= 2
    assert all(b'["part","0"]' in one and b"event: beat" in one for one in first)
    await asyncio.gather(*(until(stream, b"event: plots") for stream in streams))
    assert page.drawn == 1
    page.text = "1"
    began, rendered = time.monotonic(), page.rendered
    got = await asyncio.gather(*(until(stream, b'["part","1"]') for stream in streams))
    assert len({id(one) for one in got}) == 1
    assert page.rendered - rendered <= 2 + (time.monotonic() - began) / period
    await live.close()


async def test_slow_plots_hold_no_beat():
    page = Page()
    page.hold.clear()
    live = broadcaster(page)
    stream = live.subscribe(CHANNEL)
    await anext(stream)
    for _ in range(2):
        assert b"event: plots" not in await until(stream, b"event: beat")
    page.hold.set()
    await until(stream, b"event: plots")
    await live.close()


async def test_one_that_does_not_read_is_cut_off_and_the_others_go_on():
    page = Page()
    live = broadcaster(page)
    slow, quick = live.subscribe(CHANNEL), live.subscribe(CHANNEL)
    await asyncio.gather(anext(slow), anext(quick))
    for number in range(QUEUE_LIMIT + 4):
        page.text = f"n{number}"
        await until(quick, f'"n{number}"'.encode())
    rest = [event async for event in slow]  # it ends by itself
    assert len(rest) <= QUEUE_LIMIT
    await live.close()


async def test_a_page_that_cannot_be_rendered_gets_no_beat(caplog):
    page = Page()
    live = broadcaster(page)
    stream = live.subscribe(CHANNEL)
    await anext(stream)
    await until(stream, b"event: beat")
    page.text = "broken"
    with pytest.raises(TimeoutError):
        await until(stream, b"event: beat", 0.6)
    assert "could not be rendered" in caplog.text
    await live.close()
