"""The picture of a window: a lane for each element, links that zoom, marks of what people did. No script needed."""

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from dashboards.web import svg
from dashboards.web.svg import BAD, GOOD, INK, LATE, LINE, PALE, SOFT, el, joined
from dashboards.web.words import GLYPHS, Words
from sereno.answers.cases import Lane, Mark, Picture, Span
from sereno.clock import SECOND_US, to_datetime

_WIDTH, _LEFT, _RIGHT = 1180, 168, 1168
_TOP, _LANE, _BAR = 26, 27, 15
_COLUMNS = 12
_LETTER = 6.6
_NARROW = 26  # for any text
_FILL = {"up": GOOD, "degraded": LATE, "down": BAD, "unknown": "#777777", "maintenance": "#5b3d8a"}
_GLYPH = {"incident": "●", "maintenance": "◆", "isolation": "◇", "topology": "¤", "leader": "¤", "probe": "○"}
_LONG_US = 86_400 * SECOND_US
Zoom = Callable[[int, int], str]  # the address of a narrower window


def strip(words: Words, picture: Picture, zoom: Zoom) -> Markup:
    """The drawing; each column of it leads to that part of the window."""
    return _Strip(words, picture, zoom).draw()


class _Strip:
    def __init__(self, words: Words, picture: Picture, zoom: Zoom) -> None:
        self._words, self._picture, self._zoom = words, picture, zoom
        self._length = max(1, picture.to_us - picture.from_us)
        self._rows = [*_rows([mark for mark in picture.marks if mark.to_us is not None])]
        self._instants = [mark for mark in picture.marks if mark.to_us is None]
        lanes = len(picture.lanes) + len(self._rows) + bool(self._instants)
        self._height = _TOP + lanes * _LANE + 8

    def _x(self, at_us: int) -> float:
        part = (min(max(at_us, self._picture.from_us), self._picture.to_us) - self._picture.from_us) / self._length
        return _LEFT + part * (_RIGHT - _LEFT)

    def draw(self) -> Markup:
        words, y = self._words, _TOP
        parts = [self._axis()]
        for row in self._rows:
            parts.append(self._lasting(row, y))
            y += _LANE
        if self._instants:
            parts.append(self._events(y))
            y += _LANE
        for lane in self._picture.lanes:
            parts.append(self._lane(lane, y))
            y += _LANE
        parts.append(self._columns())
        said = words.text("Each row is an element, from left to right the window; the table below says the same.")
        return el(
            "svg", el("title", words.text("The window at a glance"), id="strip-t"), el("desc", said, id="strip-d"),
            *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {self._height}", width=_WIDTH,
            height=self._height, role="group", aria_labelledby="strip-t", aria_describedby="strip-d",
            font_family=svg.FONT, font_size=12, class_="strip",
        )  # fmt: skip

    def _axis(self) -> Markup:
        parts = []
        for place in range(_COLUMNS + 1):
            at_us = self._picture.from_us + self._length * place // _COLUMNS
            x = self._x(at_us)
            parts.append(svg.line(x, _TOP - 6, x, self._height, class_="s-grid", stroke="#dddddd", stroke_width=1))
            if place % 2 == 0:
                anchor = "start" if place == 0 else "end" if place == _COLUMNS else "middle"
                parts.append(
                    svg.text(x, 13, self._clock(at_us), class_="l-soft", fill=SOFT, text_anchor=anchor, font_size=11)
                )
        return joined(parts)

    def _clock(self, at_us: int) -> str:
        local = to_datetime(at_us).astimezone(self._words.zone)
        if self._length > _LONG_US:
            return f"{local:%m-%d %H:%M}"
        return f"{local:%H:%M:%S}" if self._length < 7_200 * SECOND_US else f"{local:%H:%M}"

    def _name(self, y: float, name: str, role: str) -> Markup:
        shown = svg.cut(svg.clean(name, 80), 22)
        return el(
            "g", el("title", f"{role} {svg.clean(name, 80)}"),
            svg.text(_LEFT - 8, y + 12, shown, fill=INK, text_anchor="end"),
        )  # fmt: skip

    def _lane(self, lane: Lane, y: float) -> Markup:
        role = self._words.text(f"kind:{lane.kind}")
        parts = [self._name(y, lane.name, role)]
        parts += [self._span(span, y) for span in lane.spans]
        parts += self._unseen(lane, y)
        parts += self._odd(lane, y)
        return el("g", *parts)

    def _span(self, span: Span, y: float) -> Markup:
        x, width = self._x(span.from_us), max(2.0, self._x(span.to_us) - self._x(span.from_us))
        state = span.state if span.state in GLYPHS else "unknown"
        reason = f" ({self._words.reason(span.reason)})" if span.reason else ""
        said = f"{GLYPHS[state]} {self._words.state(state)}{reason}"
        label = _fitting(said, GLYPHS[state], width)
        dashed = "4 3" if state == "unknown" else None
        return el(
            "g", el("title", f"{said}: {self._clock(span.from_us)} – {self._clock(span.to_us)}"),
            svg.box(x, y, width, _BAR, class_=f"s-{state}", fill="#ffffff" if dashed else _FILL[state],
                    stroke=_FILL[state], stroke_dasharray=dashed),
            svg.text(x + width / 2, y + 12, label, class_=f"s-on-{state}", fill=_FILL[state] if dashed else "#ffffff",
                     text_anchor="middle", font_size=11) if label else "",
        )  # fmt: skip

    def _unseen(self, lane: Lane, y: float) -> Iterable[Markup]:
        """Where nothing was measured: whatever was said of it then, nobody looked."""
        for begin, end in _runs(lane.seen, wanted=False):
            x, width = self._at(begin), self._at(end) - self._at(begin)
            said = self._words.text("nothing measured")
            yield el(
                "g", el("title", said),
                svg.box(x, y - 1, width, _BAR + 2, class_="s-unseen", fill="#ffffff", stroke="#777777",
                        stroke_dasharray="2 3"),
                svg.text(x + width / 2, y + 12, _fitting(f"? {said}", "?", width), class_="s-on-unknown",
                         fill="#555555", text_anchor="middle", font_size=11),
            )  # fmt: skip

    def _odd(self, lane: Lane, y: float) -> Iterable[Markup]:
        """Below the lane: where results failed, or came late."""
        for counts, look, ink in ((lane.late, "s-late", LATE), (lane.failed, "s-bad", BAD)):
            for place, count in enumerate(counts):
                if count:
                    x = self._at(place)
                    yield svg.box(x, y + _BAR + 2, max(2.0, self._at(place + 1) - x - 0.5), 5, class_=look, fill=ink)

    def _at(self, place: int) -> float:
        return _LEFT + place * (_RIGHT - _LEFT) / self._picture.slices

    def _lasting(self, marks: Sequence[Mark], y: float) -> Markup:
        first = marks[0]
        parts = [self._name(y, self._words.text(f"mark:{first.kind}"), "")]
        for mark in marks:
            x = self._x(mark.at_us)
            width = max(4.0, self._x(mark.to_us or mark.at_us) - x)
            number = f"{mark.number} · " if mark.number is not None and mark.kind == "incident" else ""
            said = f"{_GLYPH[mark.kind]} {number}{svg.clean(mark.text, 120)}"
            bar = [
                el("title", said),
                svg.box(x, y, width, _BAR + 3, class_=f"s-mark s-{mark.kind}", fill=PALE, stroke=LINE, rx=3),
                svg.text(
                    x + 5,
                    y + 13,
                    svg.cut(said, int((width - 8) / _LETTER)) if width > _NARROW else "",
                    fill=INK,
                    font_size=11,
                ),
            ]
            parts.append(el("g", *bar))
        return el("g", *parts)

    def _events(self, y: float) -> Markup:
        parts = [self._name(y, self._words.text("mark:events"), "")]
        for mark in self._instants:
            x = self._x(mark.at_us)
            said = f"{self._words.text(f'mark:{mark.kind}')} {svg.clean(mark.text, 80)}, {self._clock(mark.at_us)}"
            parts.append(
                el(
                    "g",
                    el("title", said),
                    svg.text(x, y + 13, _GLYPH.get(mark.kind, "·"), fill=INK, text_anchor="middle"),
                )
            )
        return el("g", *parts)

    def _columns(self) -> Markup:
        """Links over everything: each makes the window that much narrower."""
        parts = []
        for place in range(_COLUMNS):
            begin = self._picture.from_us + self._length * place // _COLUMNS
            end = self._picture.from_us + self._length * (place + 1) // _COLUMNS
            if end - begin < SECOND_US // 4:
                break
            said = self._words.text("Zoom to {begin} – {end}", begin=self._clock(begin), end=self._clock(end))
            column = svg.box(self._x(begin), _TOP - 6, self._x(end) - self._x(begin), self._height - _TOP + 4,
                             class_="s-zoom", fill="transparent")  # fmt: skip
            parts.append(el("a", el("title", said), column, href=self._zoom(begin, end), aria_label=said))
        return joined(parts)


def _fitting(said: str, glyph: str, width: float) -> str:
    """As much as there is room for: all of it, the glyph, nothing."""
    if width > len(said) * _LETTER + 8:
        return said
    return glyph if width > _NARROW / 2 else ""


def _runs(values: Sequence[bool], *, wanted: bool) -> Iterable[tuple[int, int]]:
    begin: int | None = None
    for place in range(len(values) + 1):
        holds = place < len(values) and values[place] == wanted
        if holds and begin is None:
            begin = place
        elif not holds and begin is not None:
            yield begin, place
            begin = None


def _rows(marks: Sequence[Mark]) -> Iterable[list[Mark]]:
    """Marks of one kind in rows in which none lies over another; at most four rows of a kind."""
    for kind in ("incident", "maintenance", "isolation"):
        rows: list[list[Mark]] = []
        for mark in sorted((one for one in marks if one.kind == kind), key=lambda one: one.at_us):
            free = next((row for row in rows if (row[-1].to_us or 0) <= mark.at_us), None)
            if free is not None:
                free.append(mark)
            elif len(rows) < 4:  # noqa: PLR2004
                rows.append([mark])
        yield from rows
