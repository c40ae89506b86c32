"""A ladder in words: instants, what a row says, the sentence above it and the whole of its messages below."""

from markupsafe import Markup

from dashboards.web import svg
from dashboards.web.exchange import Event, Exchange, Silence
from dashboards.web.svg import el
from dashboards.web.words import Words
from sereno.clock import SECOND_US, to_datetime
from sereno.evidence import Message

_LISTED = 120
_TEXT = 12_000
_WHOLE = 120_000  # characters of all messages together; who wants more takes the JSON
_TEN_SECONDS_US = 10 * SECOND_US
_NOTHING_US = 50  # shown as 0.0 ms


class Times:
    """Instants of one exchange: from its beginning, and by the service's clock."""

    def __init__(self, words: Words, begin_us: int) -> None:
        self._words, self._begin_us = words, begin_us

    def offset(self, at_us: int | None) -> str:
        """`+0.504 s`, `+12.3 ms`; an instant that nobody kept is empty."""
        if at_us is None:
            return ""
        apart = at_us - self._begin_us
        sign = "−" if apart <= -_NOTHING_US else "+"
        return sign + self.span(abs(apart))

    def span(self, lasted_us: int) -> str:
        """A duration as finely as it matters."""
        if lasted_us < SECOND_US:
            return f"{self._words.number(lasted_us / 1_000, 1)} ms"
        if lasted_us < 60 * SECOND_US:
            return f"{self._words.number(lasted_us / SECOND_US, 3 if lasted_us < _TEN_SECONDS_US else 1)} s"
        return self._words.span(lasted_us)

    def seconds(self, seconds: float) -> str:
        return self.span(round(seconds * SECOND_US))


def instant(words: Words, at_us: int) -> str:
    """`2026-11-21 09:49:26.962 UTC−06:00`: what can be pasted into a ticket and read there."""
    at_us = (at_us + 500) // 1_000 * 1_000  # to the next millisecond, as lists have it
    try:
        local = to_datetime(at_us).astimezone(words.zone)
    except (ValueError, OverflowError, OSError):
        return "—"
    return f"{local:%Y-%m-%d %H:%M:%S}.{at_us % SECOND_US // 1_000:03d} {offset(f'{local:%z}')}"


def stamp(words: Words, at_us: int) -> str:
    """`2026-11-21 09:49:26`, with milliseconds where it has any: what the form takes back."""
    local = to_datetime(at_us).astimezone(words.zone)
    rest = at_us % SECOND_US
    return f"{local:%Y-%m-%d %H:%M:%S}" + (f".{rest:06d}".rstrip("0") if rest else "")


def offset(given: str) -> str:
    """`UTC−06:00` of `-0600`."""
    return f"UTC{given[:1].replace('-', '−')}{given[1:3]}:{given[3:5]}"


def caption(words: Words, own: Exchange) -> str:
    """One sentence: who asked whom what when, and what came of it."""
    result = own.result
    clean = {
        "check": svg.clean(result.word("check") or "?", 40), "probe": svg.clean(own.probe, 80),
        "peer": svg.clean(own.peer, 80), "at": instant(words, own.begin_us),
    }  # fmt: skip
    if own.callee:
        return words.text(
            "The end that was called, which is the same probe: {count} messages.", count=len(own.messages)
        )
    if own.peer_kind == "sbc" and result.word("core"):
        head = words.text(
            "{check} by {probe} through {peer} to {core}, {at}", core=svg.clean(result.word("core"), 80), **clean
        )
    else:
        head = words.text("{check} by {probe} to {peer}, {at}", **clean)
    return f"{head}: {outcome(words, own)}"


def outcome(words: Words, own: Exchange) -> str:
    """What came of it: the standing, the reason, the answer and who gave it."""
    result = own.result
    parts = [words.text(f"outcome:{svg.clean(result.word('outcome') or '?', 40)}")]
    if reason := result.word("reason"):
        parts.append(words.reason(svg.clean(reason, 60)))
    if isinstance(result.code, int) and not isinstance(result.code, bool):
        by = result.word("answered_by")
        who = f" ({words.text('by:' + svg.clean(by, 20))})" if by in {"core", "sbc", "unknown"} else ""
        parts.append(f"{result.code} {svg.clean(result.word('phrase') or '', 80)}".strip() + who)
    if (rtt := result.number("rtt_seconds")) is not None:
        parts.append(words.milliseconds(rtt))
    if (after := result.number("answered_after_seconds")) is not None:
        parts.append(words.text("answered after {span}", span=Times(words, 0).seconds(after)))
    return " · ".join(parts)


def phrase(message: Message) -> str:
    """A message's first line, cleaned: `OPTIONS sip:…`, `503 Service Unavailable`."""
    return svg.clean(message.title, 200)


def silence_title(words: Words, row: Silence) -> str:
    what = "no final answer to {method}" if row.ringing else "no answer to {method}"
    return words.text(what, method=svg.clean(row.method, 32))


def silence_text(words: Words, times: Times, row: Silence) -> str:
    """How long was waited, and by which timer the transaction ends (RFC 3261, section 17.1)."""
    if row.waited_us is None:
        return words.text("not up to the last message that was kept")
    span = times.span(row.waited_us)
    if row.timer is None:  # a provisional answer ends it (section 17.1.1.2)
        return words.text("after {span}: the check's deadline (Timer B stopped)", span=span)
    return words.text("after {span}: the check's deadline (Timer {name})", span=span, name=row.timer)


def event_text(words: Words, times: Times, row: Event) -> str:
    values = {
        key: times.seconds(value) if isinstance(value, float) else _told(words, svg.clean(value, 200))
        for key, value in row.values.items()
    }
    match row.what:
        case "connected":
            return words.text("TCP connected in {seconds}", **values)
        case "reused":
            return words.text("{transport} connection that was there already", **values)
        case "tls":
            return " · ".join(part for part in (values["said"], values.get("seconds", "")) if part)
        case "icmp":
            return words.text("✕ ICMP: nobody listens there ({said})", **values)
        case "detail":
            return f"✕ {values['said']}"
        case "doubt":
            return f"? {values['said']}"


def _told(words: Words, text: str) -> str:
    """What a probe says in English, in the reader's words where the catalogue has them; else as it was said."""
    return words.text(text) if text.strip() else text


def messages(words: Words, own: Exchange) -> Markup:
    """All messages as text, in their order; credentials were taken out before anything was stored."""
    if not own.messages:
        return Markup("")
    times, left, items = Times(words, own.begin_us), _WHOLE, []
    for message in own.messages[:_LISTED]:
        shown = "" if message.repeats is not None else svg.clean(message.text, min(_TEXT, left), lines=True).strip("\n")
        left -= len(shown)
        items.append(_item(words, own, times, message, shown))
        if left <= 0:
            break
    rest = len(own.messages) - len(items)
    more = (
        [el("p", words.text("… {count} more: in the result as it is stored", count=rest), class_="calm")]
        if rest
        else []
    )
    summary = words.text("Messages as text ({count})", count=len(own.messages))
    return el("details", el("summary", summary), el("ol", *items), *more, class_="messages")


def _item(words: Words, own: Exchange, times: Times, message: Message, shown: str) -> Markup:
    ends = (own.probe, own.peer) if message.sent else (own.peer, own.probe)
    way = " → ".join(svg.clean(end, 80) for end in ends)
    at = instant(words, message.at_us) if message.at_us is not None else words.text("at an unknown time")
    parts = [el("b", phrase(message)), f" · {way} · {times.offset(message.at_us)} · {at}"]
    if message.repeats is not None:
        parts.append(" · " + words.text("the same again as message {number}", number=message.repeats + 1))
    if message.cut:
        parts.append(" · " + words.text("{count} octets of its end were not kept", count=message.cut))
    return el("li", el("p", *parts), el("pre", shown) if shown else "")
