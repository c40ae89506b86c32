"""A call's packets second by second as a picture: loss, jitter and MOS of each direction, and where nothing came."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from markupsafe import Markup

from dashboards.web import svg
from dashboards.web.exchange import Body, Told, number, told
from dashboards.web.laddertext import instant
from dashboards.web.svg import AVERAGE, BAD, GOOD, INK, LINE, SOFT, el, joined
from dashboards.web.words import Words
from sereno import evidence
from sereno.clock import SECOND_US
from sereno.evidence import Second

_WIDTH, _LEFT, _RIGHT = 760, 64, 748
_STRIP, _SPACE = 46, 16  # of one measure
_TOP = 26
_MOST = 300  # seconds that are drawn and listed of one direction
_BEST_MOS, _WORST_MOS = 4.5, 1.0
_LEAST_LOSS, _LEAST_JITTER = 0.05, 0.03  # a scale that small figures do not fill
_FULL = 0.5  # of the packets of a good second: less is an interruption
_COMPACT = 12


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One second of one direction; None is unknown."""

    at_us: int
    packets: float | None
    lost: float | None
    ratio: float | None  # lost and discarded, of what should have come
    jitter: float | None
    mos: float | None
    silent: bool


def rtp_seconds(words: Words, body: Body, *, name: str = "rtp") -> Markup:
    """Both directions of the call of a result; empty where it holds no seconds."""
    result = told(body)
    if result is None:
        return Markup("")
    at_us = evidence.instant(result.at) or 0
    kept = evidence.seconds(result.evidence, at_us, evidence.starts(result.media, result.setup_seconds, at_us))
    drawn = [
        _figure(words, result, direction, cells, f"{name}-{direction}")
        for direction in ("rx", "tx")
        if (cells := cells_of([one for one in kept if one.direction == direction]))
    ]
    return el("div", *drawn, class_="seconds") if drawn else Markup("")


def cells_of(seconds: Sequence[Second]) -> list[Cell]:
    """Every second from the first to the last one kept: in one that is missing, or nearly empty, nothing came."""
    kept = list(seconds)[-_MOST:]
    counts = sorted(value for one in kept if (value := number(one.values.get("packets"))) is not None)
    usual = counts[len(counts) * 3 // 4] if counts else 0.0
    found: list[Cell] = []
    for one in kept:
        if found and (missing := round((one.at_us - found[-1].at_us) / SECOND_US) - 1) > 0 and _metered(one):
            begin_us = found[-1].at_us
            found += [_nothing(begin_us + (place + 1) * SECOND_US) for place in range(min(missing, _MOST))]
        found.append(_cell(one, usual))
    for edge in (0, len(found) - 1) if found else ():  # a call begins and ends within a second
        if found[edge].packets:
            found[edge] = msgspec.structs.replace(found[edge], silent=False)
    return found[-_MOST:]


def _metered(one: Second) -> bool:
    """The meter's own seconds; pjsua2's looks lie as far apart as they like."""
    return "lost" in one.values


def _nothing(at_us: int) -> Cell:
    return Cell(at_us=at_us, packets=0.0, lost=None, ratio=None, jitter=None, mos=None, silent=True)


def _cell(one: Second, usual: float) -> Cell:
    value = {key: number(given) for key, given in one.values.items()}
    packets, lost, late = value.get("packets"), value.get("lost"), value.get("discarded") or 0.0
    expected = (packets or 0.0) + (lost or 0.0)
    ratio = min(1.0, (lost + late) / expected) if lost is not None and expected > 0 else None
    mos = value.get("mos_lq")
    jitter = value.get("jitter_max_seconds")
    return Cell(
        at_us=one.at_us, packets=packets, lost=lost, ratio=ratio,
        jitter=jitter if jitter is not None else value.get("jitter_mean_seconds"),
        mos=min(max(mos, _WORST_MOS), _BEST_MOS) if mos is not None else None,
        silent=packets is not None and packets < usual * (1 - _FULL) and packets <= usual - 1,
    )  # fmt: skip


def _figure(words: Words, result: Told, direction: str, cells: Sequence[Cell], name: str) -> Markup:
    said = _sentence(words, result, direction, cells)
    drawing = el(
        "div", _drawing(words, cells, direction, name, said), class_="wide", tabindex="0", role="group",
        aria_label=_title(words, direction),
    )  # fmt: skip
    return el("figure", el("figcaption", said), drawing, _table(words, cells), class_="exchange")


def _title(words: Words, direction: str) -> str:
    return words.text("RTP towards the probe (rx)" if direction == "rx" else "RTP from the probe (tx)")


def _sentence(words: Words, result: Told, direction: str, cells: Sequence[Cell]) -> str:
    """The figures of the picture in words."""
    parts = [words.text("{count} seconds from {at}", count=len(cells), at=instant(words, cells[0].at_us))]
    ratios = [one.ratio for one in cells if one.ratio is not None]
    if ratios:
        lost = sum(one.lost or 0 for one in cells)
        sent = lost + sum(one.packets or 0 for one in cells)
        parts.append(
            words.text(
                "loss {mean} %, worst second {worst} %", mean=words.number(100 * lost / sent if sent else 0, 1),
                worst=words.number(100 * max(ratios), 1),
            )
        )  # fmt: skip
    if jitters := [one.jitter for one in cells if one.jitter is not None]:
        parts.append(words.text("jitter up to {span}", span=words.milliseconds(max(jitters))))
    if mos := [one.mos for one in cells if one.mos is not None]:
        parts.append(words.text("lowest MOS {mos}", mos=words.number(min(mos), 2)))
    silent = sum(one.silent for one in cells)
    parts.append(
        words.text("{count} s with no or few packets", count=silent) if silent else words.text("no interruption")
    )
    source = result.media.get(direction) if isinstance(result.media, dict) else None
    if isinstance(source, dict) and source.get("source") == "pjsua2":
        parts.append(words.text("by pjsua2's own count"))
    return f"{_title(words, direction)}: " + "; ".join(parts) + "."


def _drawing(words: Words, cells: Sequence[Cell], direction: str, name: str, said: str) -> Markup:
    strips = _strips(words, cells)
    step = (_RIGHT - _LEFT) / len(cells)
    height = _TOP + len(strips) * (_STRIP + _SPACE) + 20
    bottom = height - 20 - _SPACE
    parts = [_silences(cells, step, bottom)]
    for place, strip in enumerate(strips):
        parts.append(_strip(strip, _TOP + place * (_STRIP + _SPACE), step))
    parts.append(_axis(cells, step, height))
    return svg.picture(name, _WIDTH, height, _title(words, direction), said, *parts)


class Strip(NamedTuple):
    """One measure over all seconds, and what stands at the upper end of its scale."""

    label: str
    values: Sequence[float | None]
    top: float
    scale: str
    bars: bool
    look: str
    ink: str


def _strips(words: Words, cells: Sequence[Cell]) -> list[Strip]:
    ratios, jitters = [one.ratio for one in cells], [one.jitter for one in cells]
    mos = [None if one.mos is None else one.mos - _WORST_MOS for one in cells]
    loss, jitter = max(_LEAST_LOSS, _top(ratios)), max(_LEAST_JITTER, _top(jitters))
    percent, best = f"{words.number(100 * loss, 0)} %", words.number(_BEST_MOS, 1)
    every = (
        Strip(words.text("loss"), ratios, loss, percent, bars=True, look="l-bad", ink=BAD),
        Strip("jitter", jitters, jitter, words.milliseconds(jitter), bars=False, look="l-ok", ink=GOOD),
        Strip("MOS", mos, _BEST_MOS - _WORST_MOS, best, bars=False, look="l-mos", ink=AVERAGE),
    )
    measured = [one for one in every if any(value is not None for value in one.values)]
    if measured:
        return measured
    counts = [one.packets for one in cells]  # pjsua2 counts packets and nothing else
    most = max(1.0, _top(counts))
    return [Strip(words.text("packets"), counts, most, words.number(most, 0), bars=True, look="l-ok", ink=GOOD)]


def _top(values: Iterable[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)


def _silences(cells: Sequence[Cell], step: float, bottom: float) -> Markup:
    """Bands over all strips where nothing, or too little, came: neighbours are one."""
    parts: list[Markup] = []
    begin: int | None = None
    for place in range(len(cells) + 1):
        silent = place < len(cells) and cells[place].silent
        if silent and begin is None:
            begin = place
        elif not silent and begin is not None:
            x, width = _LEFT + begin * step, (place - begin) * step
            said = f"✕ {place - begin} s"
            parts += [
                svg.box(x, _TOP - 4, width, bottom - _TOP + 8, class_="l-hole", fill="#f6d9c8"),
                svg.text(x + width / 2, _TOP - 10, said, class_="l-bad", fill=BAD, text_anchor="middle", font_size=11),
            ]
            begin = None
    return joined(parts)


def _strip(strip: Strip, y: float, step: float) -> Markup:
    bottom = y + _STRIP

    def at(index: int, value: float) -> tuple[float, float]:
        return _LEFT + (index + 0.5) * step, bottom - value / strip.top * _STRIP

    parts = [
        svg.text(_LEFT - 8, y + 11, strip.label, fill=INK, text_anchor="end", font_size=11),
        svg.text(_LEFT - 8, y + 25, strip.scale, class_="l-soft", fill=SOFT, text_anchor="end", font_size=10),
        svg.line(_LEFT, bottom, _RIGHT, bottom, class_="l-life", stroke=LINE, stroke_width=0.75),
    ]
    for run in _unbroken(strip.values):
        places = [at(index, value) for index, value in run]
        if strip.bars:
            width = max(1.0, step - 1.5)
            parts += [
                svg.box(x - width / 2, top, width, bottom - top, class_=strip.look, fill=strip.ink)
                for x, top in places
                if top < bottom
            ]
        elif len(places) == 1:
            parts.append(el("circle", cx=places[0][0], cy=places[0][1], r=2, class_=strip.look, fill=strip.ink))
        else:
            points = " ".join(f"{x:.1f},{top:.1f}" for x, top in places)
            parts.append(
                el("polyline", points=points, class_=f"{strip.look} l-line", fill="none", stroke=strip.ink,
                   stroke_width=1.75)
            )  # fmt: skip
    return joined(parts)


def _unbroken(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without a second of which nothing is known: no line is drawn over one."""
    runs: list[list[tuple[int, float]]] = []
    for index, value in enumerate(values):
        if value is None:
            continue
        if not runs or runs[-1][-1][0] != index - 1:
            runs.append([])
        runs[-1].append((index, value))
    return runs


def _axis(cells: Sequence[Cell], step: float, height: float) -> Markup:
    every = max(1, round(len(cells) / _COMPACT))
    return joined(
        svg.text(_LEFT + (index + 0.5) * step, height - 8, f"{index} s", class_="l-soft", fill=SOFT,
                 text_anchor="middle", font_size=10)
        for index in range(0, len(cells), every)
    )  # fmt: skip


def _table(words: Words, cells: Sequence[Cell]) -> Markup:
    heads = ("second", "packets", "lost", "loss", "jitter", "MOS")
    rows = [
        el(
            "tr", el("td", f"{instant(words, one.at_us)}"), el("td", words.number(one.packets, 0)),
            el("td", words.number(one.lost, 0)),
            el("td", "—" if one.ratio is None else f"{words.number(100 * one.ratio, 1)} %"),
            el("td", words.milliseconds(one.jitter)), el("td", words.number(one.mos, 2)),
        )
        for one in cells
    ]  # fmt: skip
    table = el(
        "table", el("thead", el("tr", *(el("th", words.text(one), scope="col") for one in heads))), el("tbody", *rows),
        class_="list",
    )  # fmt: skip
    boxed = el("div", table, class_="wide", tabindex="0", role="group", aria_label=words.text("Second by second"))
    return el(
        "details", el("summary", words.text("Second by second ({count})", count=len(cells))), boxed, class_="messages"
    )
