"""One stream drawn: jitter, loss and MOS over time, one above the other, bursts marked through all three."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias
from xml.sax.saxutils import escape

from probes.media.pictures.scale import Scale, clock, round_up, time_ticks
from probes.media.pictures.series import Series
from probes.media.pictures.words import Words
from probes.media.printable import printable

_LEFT, _RIGHT, _GAP, _FOOT = 50, 14, 20, 24
_TITLED = 48  # a head of this height has room for two lines
_ABOUT = 11  # font size
_LEAST_JITTER_MS, _LEAST_LOSS_PERCENT = 1.0, 2.0
_POOR, _FAIR = 3.6, 4.0  # G.107 annex B
_MOS = (1.0, 4.5)
_LEAST_MARK = 2.0  # points: a burst of a second in an hour is still seen
_Lane: TypeAlias = Callable[[Series, Scale, float, float, Words], Iterator[str]]
_GLYPH, _BOLD = 0.58, 0.67  # of the font size: how wide a letter is, on average


@dataclass(frozen=True)
class Shape:
    """How large a panel is."""

    width: int
    lanes: tuple[int, int, int]  # heights of jitter, loss and MOS
    head: int = 60  # room for the title and the first lane's name

    @property
    def height(self) -> int:
        """Of the whole panel."""
        return self.head + sum(self.lanes) + 2 * _GAP + _FOOT


@dataclass(frozen=True)
class Stream:
    """What is written above a panel, and what is drawn in it."""

    title: str
    about: tuple[str, ...]  # the last ones go where there is no room
    marks: tuple[str, ...]  # of its MOS: they stand wherever the line is drawn
    series: Series


def draw(stream: Stream, shape: Shape, words: Words) -> Iterator[str]:
    """The elements of a panel whose upper left corner is the origin."""
    series = stream.series
    x = Scale(0, series.end, _LEFT, shape.width - _RIGHT)
    if shape.head >= _TITLED:
        yield from _titles(stream, shape.width - _LEFT - _RIGHT)
    top = shape.head
    lanes: tuple[_Lane, ...] = (_jitter, _loss, partial(_mos, marks=stream.marks))
    for height, lane in zip(shape.lanes, lanes, strict=True):
        yield from lane(series, x, top, height, words)
        top += height + _GAP
    bottom = top - _GAP
    for begin, end in series.bursts:
        left, width = x(begin), max(x(end) - x(begin), _LEAST_MARK)
        place = f'x="{left:.1f}" y="{shape.head}" width="{width:.1f}" height="{bottom - shape.head}"'
        yield (
            f'<rect class="p-burst" {place}/>'
            f'<path class="p-lost" d="M{left:.1f} {shape.head}h{width:.1f}v-3h{-width:.1f}z"/>'
        )
    yield from _times(series, x, bottom, shape.width)


def _titles(stream: Stream, room: float) -> Iterator[str]:
    yield _label(stream.title, _LEFT, 17, 13, room, weight="600")
    yield _label(_fitting(stream.about, room), _LEFT, 34, _ABOUT, room, colour="quiet")


def _fitting(parts: tuple[str, ...], room: float) -> str:
    for most in range(len(parts), 1, -1):
        text = " · ".join(parts[:most])
        if len(text) * _ABOUT * _GLYPH <= room:
            return text
    return parts[0]


def _label(text: str, x: float, y: float, size: float, room: float, *, colour: str = "ink", **more: str) -> str:
    """Text that stays within its room: smaller if need be, then cut in the middle."""
    text = printable(text)
    glyph = _BOLD if "weight" in more else _GLYPH
    fitting = max(size * 0.8, min(size, room / max(1, len(text)) / glyph))
    most = int(room / fitting / glyph)
    if len(text) > most:
        half = max(1, (most - 1) // 2)
        text = f"{text[:half]}…{text[-half:]}"
    extra = f' font-weight="{more["weight"]}"' if "weight" in more else ""
    return f'<text class="p-{colour}" x="{x:.1f}" y="{y:.1f}" font-size="{fitting:.1f}"{extra}>{escape(text)}</text>'


def _times(series: Series, x: Scale, bottom: float, width: int) -> Iterator[str]:
    for second in time_ticks(series.end, max(3, (width - _LEFT) // 90)):
        at = x(second)
        yield f'<path class="p-line-frame" d="M{at:.1f} {bottom}v4"/>'
        yield (
            f'<text class="p-quiet" x="{at:.1f}" y="{bottom + 16}" font-size="10" text-anchor="middle">'
            f"{clock(second, series.end)}</text>"
        )


def _lane(x: Scale, top: float, height: float, name: str, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    """An empty lane: its frame, its name with the unit, round numbers at its side."""
    left, right = x.at_low, x.at_high
    for at, text in ticks:
        yield f'<path class="p-line-grid" d="M{left:.1f} {at:.1f}H{right:.1f}"/>'
        place = f'x="{left - 6:.1f}" y="{at + 3.5:.1f}"'
        yield f'<text class="p-quiet" {place} font-size="10" text-anchor="end">{text}</text>'
    yield f'<path class="p-line-frame" d="M{left:.1f} {top}V{top + height}H{right:.1f}"/>'
    yield f'<text class="p-quiet" x="{left:.1f}" y="{top - 5}" font-size="10">{escape(name)}</text>'


def _nothing(x: Scale, top: float, height: float, text: str) -> str:
    middle = (x.at_low + x.at_high) / 2
    return (
        f'<text class="p-quiet" x="{middle:.1f}" y="{top + height / 2 + 4:.1f}" font-size="11" text-anchor="middle">'
        f"{escape(text)}</text>"
    )


def _steps(series: Series, values: Sequence[float | None], x: Scale, y: Scale, *, area: bool = False) -> str:
    """A line that stays level through each window, and breaks where there is no value."""
    parts: list[str] = []
    open_until: float | None = None
    for second, value in zip(series.second, values, strict=True):
        if value is None:
            _close(parts, y, open_until, area=area)
            open_until = None
            continue
        left, right, level = x(second), x(second + series.window), y(value)
        if open_until is None or second > open_until:
            _close(parts, y, open_until, area=area)
            parts.append(f"M{left:.1f} {y.at_low:.1f}V{level:.1f}" if area else f"M{left:.1f} {level:.1f}")
        else:
            parts.append(f"V{level:.1f}")
        parts.append(f"H{right:.1f}")
        open_until = second + series.window
    _close(parts, y, open_until, area=area)
    return "".join(parts)


def _close(parts: list[str], y: Scale, open_until: float | None, *, area: bool) -> None:
    if area and open_until is not None:
        parts.append(f"V{y.at_low:.1f}z")


def _jitter(series: Series, x: Scale, top: float, height: float, words: Words) -> Iterator[str]:
    known = [value for value in series.jitter_max_ms if value is not None]
    highest = round_up(max(_LEAST_JITTER_MS, *known)) if known else _LEAST_JITTER_MS
    y = Scale(0, highest, top + height, top)
    ticks = [(y(value), words.brief(value)) for value in (0, highest / 2, highest)] if known else []
    yield from _lane(x, top, height, _per(words, "Jitter (ms)", series.window), ticks)
    if not known:
        yield _nothing(x, top, height, words.text("unknown: no clock rate"))
        return
    yield f'<path class="p-peak" d="{_steps(series, series.jitter_max_ms, x, y, area=True)}"/>'
    yield f'<path class="p-line-jitter" d="{_steps(series, series.jitter_mean_ms, x, y)}"/>'


def _per(words: Words, name: str, window: int) -> str:
    if window == 1:
        return words.text(name)
    return words.text("{name}, every {seconds} s", name=words.text(name), seconds=words.number(window))


def _loss(series: Series, x: Scale, top: float, height: float, words: Words) -> Iterator[str]:
    together = [a + b for a, b in zip(series.lost_percent, series.discarded_percent, strict=True)]
    highest = min(100.0, round_up(max([_LEAST_LOSS_PERCENT, *together])))
    y = Scale(0, highest, top + height, top)
    lossy = any(together)
    ticks = [(y(value), words.brief(value)) for value in ((0, highest / 2, highest) if lossy else (0, highest))]
    yield from _lane(x, top, height, _per(words, "Loss (%)", series.window), ticks)
    if not lossy:
        yield _nothing(x, top, height, words.text("nothing lost or discarded" if series.judged else "nothing lost"))
    yield from _bars(series, x, y, lambda index: (0.0, series.lost_percent[index]), "lost")
    yield from _bars(series, x, y, lambda index: (series.lost_percent[index], together[index]), "discarded")


def _bars(series: Series, x: Scale, y: Scale, part: Callable[[int], tuple[float, float]], colour: str) -> Iterator[str]:
    shapes = []
    for index, second in enumerate(series.second):
        low, high = part(index)
        if high <= low:
            continue
        left = x(second)
        width = max(_LEAST_MARK, x(second + series.window) - left)
        bottom = y(low)
        level = min(y(high), bottom - 1)  # a single packet of thousands is still seen
        shapes.append(f"M{left:.1f} {bottom:.1f}V{level:.1f}h{width:.1f}V{bottom:.1f}z")
    if shapes:
        yield f'<path class="p-{colour}" d="{"".join(shapes)}"/>'


def _mos(series: Series, x: Scale, top: float, height: float, words: Words, *, marks: tuple[str, ...]) -> Iterator[str]:
    known = any(value is not None for value in series.mos)
    y = Scale(*_MOS, top + height, top)
    if known:
        left, right = x.at_low, x.at_high
        for low, high, colour in ((_MOS[0], _POOR, "poor"), (_POOR, _FAIR, "fair")):
            yield (
                f'<rect class="p-{colour}" x="{left:.1f}" y="{y(high):.1f}" width="{right - left:.1f}" '
                f'height="{y(low) - y(high):.1f}"/>'
            )
    ticks = [(y(value), words.brief(value)) for value in (1, 2, 3, 4)] if known else []
    name = " · ".join((_per(words, "MOS-LQ (1 to 4.5)", series.window), *marks))
    yield from _lane(x, top, height, name, ticks)
    if not known:
        yield _nothing(x, top, height, words.text("unknown"))
        return
    yield f'<path class="p-line-mos" d="{_steps(series, series.mos, x, y)}"/>'
