"""Ladder diagrams of SIP exchanges and pictures of a call's seconds, for pages and reports, each with its text.

`ladder`, `side_by_side` and `rtp_seconds` take a result as it is stored and give markup that is safe as it is, whatever
the result holds.
"""

from collections.abc import Sequence

from markupsafe import Markup

from dashboards.web import svg
from dashboards.web.exchange import Band, Body, Event, Exchange, Gap, More, Row, Silence, Sip, exchange, number
from dashboards.web.laddertext import Times, caption, event_text, messages, phrase, silence_text, silence_title
from dashboards.web.rtpseconds import rtp_seconds
from dashboards.web.svg import BAD, GOOD, INK, LATE, LINE, PALE, SOFT, el, joined
from dashboards.web.words import Words

__all__ = ["Body", "ladder", "rtp_seconds", "side_by_side"]

_WIDTH = 760
_TIMES = 96  # right edge of the instants
_PROBE, _PEER, _CORE, _ALONE = 140, 500, 680, 620
_HEAD = 62
_HEIGHTS = {Sip: 46, Silence: 50, Event: 30, Band: 44, Gap: 26, More: 26}
_FOOT = 14
_LETTER, _SMALL = 6.6, 5.9  # mean width of a character of 12 px in bold, of 11 px
_TIP = 7
_GLYPH = {"ok": ("✓", "ok", GOOD), "failed": ("✕", "bad", BAD), "invalid": ("?", "soft", SOFT)}


def ladder(words: Words, body: Body, *, name: str = "ladder") -> Markup:
    """The messages of a result as a diagram, what is said of them, and all of them as text.

    `name` tells several on one page apart. A result that kept no messages says so, and what it knows all the same.
    """
    own = exchange(body)
    if own is None:
        return el("p", words.text("This result cannot be read: it is shown as it is stored."), class_="calm")
    called = exchange(own.result, callee=True)
    drawn = [_figure(words, own, name)]
    if called is not None and called.messages:
        drawn.append(_figure(words, called, f"{name}-callee"))
    return el("div", *drawn, class_="ladder")


def side_by_side(words: Words, failing: Body, good: Body, *, name: str = "beside") -> Markup:
    """Two ladders to compare: the one that failed, and one that did not."""
    halves = (
        (words.text("The one that failed"), failing, f"{name}-failed"),
        (words.text("One that went well"), good, f"{name}-good"),
    )
    return el(
        "div", *(el("section", el("p", el("strong", said)), ladder(words, body, name=name_), aria_label=said)
                 for said, body, name_ in halves), class_="ladders",
    )  # fmt: skip


def _figure(words: Words, own: Exchange, name: str) -> Markup:
    said = caption(words, own)
    if not own.rows:
        why = words.text("No messages were kept of it: probes keep them of checks that were not well.")
        return el("figure", el("figcaption", said), el("p", why, class_="calm"), class_="exchange")
    drawing = el(
        "div", _drawing(words, own, name, said), class_="wide", tabindex="0", role="group",
        aria_label=words.text("Ladder diagram"),
    )  # fmt: skip
    return el("figure", el("figcaption", said), drawing, messages(words, own), class_="exchange")


def _drawing(words: Words, own: Exchange, name: str, said: str) -> Markup:
    times = Times(words, own.begin_us)
    y = _HEAD
    parts: list[Markup] = []
    for row in own.rows:
        height = _HEIGHTS[type(row)]
        parts.append(_Row(words, own, times, y + height).draw(row))
        y += height
    height = y + _FOOT
    title = words.text("Ladder diagram of {check}", check=svg.clean(own.result.word("check") or "SIP", 40))
    return svg.picture(name, _WIDTH, height, title, said, _lifelines(words, own, height), *parts)


def _right(own: Exchange) -> int:
    return _PEER if own.core is not None else _ALONE


def _lifelines(words: Words, own: Exchange, height: float) -> Markup:
    right, result = _right(own), own.result
    role = {"sbc": words.text("SBC"), "core": words.text("core"), "server": words.text("server")}[own.peer_kind]
    us = words.text("probe, called") if own.callee else words.text("probe")
    address = "" if own.callee else svg.clean(result.word("address") or "", 80)
    parts = []
    if own.core is not None:
        parts += [
            svg.box(right + 1, _HEAD - 4, _CORE - right - 2, height - _HEAD, class_="l-blind", fill="#f4f4f4"),
            svg.text((right + _CORE) / 2, _HEAD + 10, words.text("not captured"), class_="l-soft", fill=SOFT,
                     text_anchor="middle", font_size=11, font_style="italic"),
            _head(_CORE, svg.clean(own.core, 80), words.text("core"), "", height),
        ]  # fmt: skip
    parts += [
        _head(_PROBE, svg.clean(own.probe, 80), us, "", height),
        _head(right, svg.clean(own.peer, 80), role, address, height),
    ]
    return joined(parts)


def _head(x: float, name: str, role: str, address: str, height: float) -> Markup:
    return joined(
        [
            svg.line(x, _HEAD - 10, x, height, class_="l-life", stroke=LINE, stroke_width=1),
            svg.text(x, 16, svg.cut(name, 22), fill=INK, text_anchor="middle", font_weight="bold", font_size=13),
            svg.text(x, 31, role, class_="l-soft", fill=SOFT, text_anchor="middle", font_size=11),
            svg.text(x, 45, svg.cut(address, 38), class_="l-soft", fill=SOFT, text_anchor="middle", font_size=11),
        ]
    )


class _Row:
    """Draws one row, whose arrow or bottom is at `y`."""

    def __init__(self, words: Words, own: Exchange, times: Times, y: float) -> None:
        self._words, self._own, self._times, self._y = words, own, times, y - 12
        self._right = _right(own)
        self._room = int((self._right - _PROBE - 16) / _LETTER)
        self._small = int((self._right - _PROBE - 16) / _SMALL)
        self._middle = (_PROBE + self._right) / 2

    def draw(self, row: Row) -> Markup:
        match row:
            case Sip():
                return self._again(row) if row.again else self._sip(row)
            case Silence():
                return self._silence(row)
            case Event():
                return self._event(row)
            case Band():
                return self._band(row)
            case Gap():
                said = self._words.text("⋮ {span} later", span=self._times.span(row.lasted_us))
                return self._aside(said)
            case More():
                kept = "… {count} more: in the text below" if row.kept else "… {count} messages were not kept"
                return self._aside(self._words.text(kept, count=row.count))

    def _sip(self, row: Sip) -> Markup:
        look, ink = "l-text", INK
        glyph = ""
        if row.decides and row.blamed:
            glyph, look, ink = _GLYPH.get(self._own.result.word("outcome") or "", ("", "text", INK))
            look = f"l-{look}"
            if row.late:
                glyph, look, ink = "▲", "l-late", LATE
        label = f"{glyph} {phrase(row.message)}".strip()
        below = " · ".join(part for part in (self._cseq(row), self._late(row)) if part)
        return el(
            "g", el("title", f"{self._times.offset(row.at_us)} {label}"), self._arrow(row.message.sent, look, ink),
            svg.text(self._middle, self._y - 6, svg.cut(label, self._room), class_=look, fill=ink, text_anchor="middle",
                     font_weight="bold"),
            svg.text(self._middle, self._y + 12, svg.cut(below, self._small), class_="l-soft", fill=SOFT,
                     text_anchor="middle", font_size=11),
            self._when(row.at_us), self._speaker(row),
        )  # fmt: skip

    def _cseq(self, row: Sip) -> str:
        return f"CSeq {svg.clean(row.message.cseq, 40)}" if row.message.cseq else ""

    def _late(self, row: Sip) -> str:
        after = self._own.result.number("answered_after_seconds")
        if not row.late or after is None:
            return ""
        return self._words.text("late: after {span}", span=self._times.seconds(after))

    def _again(self, row: Sip) -> Markup:
        """Copies: one thin arrow, counted, with their instants."""
        offsets = [self._times.offset(at_us) for at_us in row.copies[:4]]
        more = f" … ×{len(row.copies)}" if len(row.copies) > len(offsets) else ""
        what = row.message.method or (str(row.message.code) if row.message.code else "")
        label = self._words.text("{what} again ×{count}", what=what, count=len(row.copies))
        return el(
            "g", el("title", label), self._arrow(row.message.sent, "l-soft", SOFT, thin=True),
            svg.text(self._middle, self._y - 6, svg.cut(label, self._room), class_="l-soft", fill=SOFT,
                     text_anchor="middle"),
            svg.text(self._middle, self._y + 12, svg.cut(", ".join(offsets) + more, self._small), class_="l-soft",
                     fill=SOFT, text_anchor="middle", font_size=11),
            self._when(row.at_us),
        )  # fmt: skip

    def _silence(self, row: Silence) -> Markup:
        """A dashed arrow that never arrives: nobody sent it, as far as this probe can tell."""
        words, y = self._words, self._y
        label, below = silence_title(words, row), silence_text(words, self._times, row)
        stop = _PROBE + 26
        return el(
            "g", el("title", f"{label}. {below}"),
            svg.line(self._right - 4, y, stop, y, class_="l-missing", stroke=BAD, stroke_width=2,
                     stroke_dasharray="6 5"),
            svg.text(stop - 8, y + 5, "✕", class_="l-bad", fill=BAD, text_anchor="middle", font_weight="bold",
                     font_size=15),
            svg.text(self._middle, y - 6, svg.cut(f"✕ {label}", self._room), class_="l-bad", fill=BAD,
                     text_anchor="middle", font_weight="bold"),
            svg.text(self._middle, y + 13, svg.cut(below, self._small), class_="l-soft", fill=SOFT,
                     text_anchor="middle", font_size=11),
            self._when(row.at_us),
        )  # fmt: skip

    def _event(self, row: Event) -> Markup:
        said = event_text(self._words, self._times, row)
        bad = row.what in {"icmp", "detail", "doubt"}
        look, ink = ("l-bad", BAD) if bad else ("l-soft", SOFT)
        y, width = self._y, self._right - _PROBE - 24
        return el(
            "g", el("title", said),
            svg.box(_PROBE + 12, y - 13, width, 20, class_="l-event", fill="#ffffff", stroke=LINE, rx=10),
            svg.text(self._middle, y + 1, svg.cut(said, self._small - 4), class_=look, fill=ink, text_anchor="middle",
                     font_size=11),
            self._when(row.at_us) if not bad else Markup(""),
        )  # fmt: skip

    def _band(self, row: Band) -> Markup:
        said = _stream(self._words, row)
        y = self._y
        tip = [(self._right, y - 8), (self._right - 9, y - 14), (self._right - 9, y - 2)]
        if row.direction == "rx":
            tip = [(_PROBE, y - 8), (_PROBE + 9, y - 14), (_PROBE + 9, y - 2)]
        return el(
            "g", el("title", said),
            svg.box(_PROBE + 9, y - 20, self._right - _PROBE - 18, 24, class_="l-band", fill=PALE),
            _triangle(tip, "l-text", INK),
            svg.text(self._middle, y - 4, svg.cut(said, self._small), fill=INK, text_anchor="middle", font_size=11),
            self._when(row.at_us),
        )  # fmt: skip

    def _aside(self, said: str) -> Markup:
        return svg.text(
            self._middle, self._y + 2, said, class_="l-soft", fill=SOFT, text_anchor="middle", font_style="italic"
        )

    def _when(self, at_us: int | None) -> Markup:
        return svg.text(
            _TIMES, self._y + 4, self._times.offset(at_us), class_="l-soft", fill=SOFT, text_anchor="end", font_size=11
        )

    def _arrow(self, sent: bool, look: str, ink: str, *, thin: bool = False) -> Markup:
        y, width = self._y, 1 if thin else 1.75
        begin, end = (_PROBE, self._right) if sent else (self._right, _PROBE)
        side = -_TIP if sent else _TIP
        return joined(
            [
                svg.line(begin, y, end + side, y, class_=f"{look} l-arrow", stroke=ink, stroke_width=width),
                _triangle([(end, y), (end + side, y - 4), (end + side, y + 4)], look, ink),
            ]
        )

    def _speaker(self, row: Sip) -> Markup:
        """Who gave the answer, where the answer itself proves it; no message between the two was captured."""
        if not row.decides or self._own.callee or self._own.core is None:
            return Markup("")
        by = self._own.result.word("answered_by")
        if by == "core":
            return joined(
                [
                    el("circle", cx=_CORE, cy=self._y, r=5, class_="l-mark", fill="#ffffff", stroke=INK,
                       stroke_width=1.5),
                    svg.text(_CORE - 10, self._y + 4, self._words.text("its answer"), class_="l-soft", fill=SOFT,
                             text_anchor="end", font_size=11),
                ]
            )  # fmt: skip
        if by != "sbc":
            return Markup("")
        said = self._words.text("the SBC's own")
        return svg.text(self._right + 10, self._y + 4, said, class_="l-soft", fill=SOFT, font_size=11)


def _triangle(points: Sequence[tuple[float, float]], look: str, ink: str) -> Markup:
    return el("polygon", points=" ".join(f"{x:g},{y:g}" for x, y in points), class_=f"{look} l-tip", fill=ink)


def _stream(words: Words, row: Band) -> str:
    """`RTP ▶ PCMA · MOS 3.80 · loss 3.2 % · 1 000 packets`."""
    stream = row.stream
    codec = stream.get("codec")
    parts = ["RTP " + ("▶" if row.direction == "tx" else "◀")]
    if isinstance(codec, str):
        parts[0] += " " + svg.clean(codec, 20)
    if (mos := number(stream.get("mos_lq"))) is not None:
        parts.append(f"MOS {words.number(mos, 2)}")
    loss = number(stream.get("loss_ratio"))
    if loss is None:
        loss = number(stream.get("far_end_loss_ratio"))
    if loss is not None:
        parts.append(words.text("loss {percent} %", percent=words.number(100 * loss, 1)))
    if (packets := number(stream.get("packets"))) is not None:
        parts.append(words.text("{count} packets", count=words.number(packets, 0)))
    return " · ".join(parts)
