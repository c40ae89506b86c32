"""What a stored result tells of one SIP exchange, row by row, as a ladder shows it. Pure.

Nothing is made up: a row is a message that was kept, or something the result itself says (a deadline that passed, a
connection, packets of a call). What happened between an SBC and a core nobody captured, so no row is about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from sereno import evidence
from sereno.clock import SECOND_US
from sereno.evidence import Message

ROWS = 60
_LONG_US = 2 * SECOND_US  # between two messages: drawn as a break, since the scale is not time's
_MOST_SECONDS = 1e7
_MOST_COPIES = 400
_FINAL = 200
_GOOD = 2  # hundreds
_AFTERWARDS = frozenset(
    {"no_media", "one_way", "dead_air", "wrong_audio", "cut_off", "bye_unanswered", "no_answer", "timeout"}
)  # an answered call may be bad all the same
_SILENT = frozenset({"timeout", "no_answer", "bye_unanswered"})


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A stored result, of this version or another: nothing in it is believed to be of any type."""

    probe: Any = None
    at: Any = None
    check: Any = None
    sbc: Any = None
    core: Any = None
    address: Any = None
    transport: Any = None
    outcome: Any = None
    reason: Any = None
    code: Any = None
    phrase: Any = None
    answered_by: Any = None
    answered_core: Any = None
    target: Any = None
    duration_seconds: Any = None
    rtt_seconds: Any = None
    answered_after_seconds: Any = None
    setup_seconds: Any = None
    codec: Any = None
    media: Any = None
    facts: Any = None
    evidence: Any = None

    def word(self, name: str) -> str | None:
        """A field that is a text."""
        value = getattr(self, name)
        return value if isinstance(value, str) and value else None

    def number(self, name: str) -> float | None:
        """A field that is a number of seconds, or any other that is not negative."""
        return number(getattr(self, name))


_decode = msgspec.json.Decoder(Told).decode
Body = str | bytes | Mapping[str, Any] | msgspec.Struct


def told(body: Body) -> Told | None:
    """The result, or None where it cannot be read at all."""
    try:
        if isinstance(body, str | bytes):
            return _decode(body)
        return msgspec.convert(msgspec.to_builtins(body), Told)
    except (msgspec.MsgspecError, TypeError, UnicodeError, RecursionError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_SECONDS:
        return None
    return float(value)


class Sip(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was kept. `copies` are the instants of the same message again, nothing else between them."""

    at_us: int | None
    message: Message
    again: bool = False
    copies: tuple[int | None, ...] = ()
    decides: bool = False  # the result has this answer
    blamed: bool = True  # and its reason is about it, not about what came later
    late: bool = False


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that did not come: to which request, until when somebody waited, which timer of RFC 3261 that is."""

    at_us: int | None
    method: str
    waited_us: int | None
    timer: Literal["B", "F"] | None
    ringing: bool  # something provisional came


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something beside the messages: `what` is a word of ladder.py, `values` fill it."""

    at_us: int | None
    what: Literal["connected", "reused", "tls", "icmp", "detail", "doubt"]
    values: Mapping[str, object]


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of a call in one direction."""

    at_us: int | None
    direction: Literal["rx", "tx"]
    stream: Mapping[str, Any]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """So long nothing happened."""

    at_us: int | None
    lasted_us: int


class More(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were kept and are not drawn: the text has them; or that were never kept."""

    at_us: int | None
    count: int
    kept: bool


Row = Sip | Silence | Event | Band | Gap | More


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One ladder. `core` None: the messages end at the peer, and no core is in play."""

    result: Told
    begin_us: int
    probe: str
    peer: str
    peer_kind: Literal["sbc", "core", "server"]
    core: str | None
    messages: Sequence[Message]
    rows: Sequence[Row]
    callee: bool = False


def exchange(body: Body, *, callee: bool = False) -> Exchange | None:
    """The ladder of a result, or with `callee` the other end's where the probe was called too; None: no result."""
    result = body if isinstance(body, Told) else told(body)
    if result is None:
        return None
    kept = evidence.messages(result.evidence, "callee" if callee else "messages")
    stamps = [one.at_us for one in kept if one.at_us is not None]
    begin_us = evidence.instant(result.at)
    begin_us = begin_us if begin_us is not None else min(stamps, default=0)
    sip = _messages(result, kept)
    others: list[Row] = []
    if not callee:
        others += _events(result, begin_us)
        others += _bands(result, kept, begin_us)
        others += _silence(result, kept, begin_us)
    rows = _with_gaps(_few(_in_order(sip, others)))
    left = 0 if callee else evidence.left_out(result.evidence)
    if left:
        rows = [*rows, More(at_us=None, count=left, kept=False)]
    peer, kind = _peer(result)
    core = result.word("answered_core") or result.word("core") if kind == "sbc" and not callee else None
    return Exchange(
        result=result, begin_us=begin_us, probe=result.word("probe") or "?", peer=peer, peer_kind=kind, core=core,
        messages=kept, rows=rows, callee=callee,
    )  # fmt: skip


def _peer(result: Told) -> tuple[str, Literal["sbc", "core", "server"]]:
    if sbc := result.word("sbc"):
        return sbc, "sbc"
    if core := result.word("core"):
        return core, "core"
    return result.word("target") or result.word("address") or "?", "server"


def _messages(result: Told, kept: Sequence[Message]) -> list[Row]:
    """Each message; copies that follow one another without anything between are one row, counted."""
    found: list[Sip] = []
    seen: set[tuple[bool, str]] = set()
    decides = _deciding(result, kept)
    for index, one in enumerate(kept):
        same = (one.sent, one.text)
        last = found[-1] if found else None
        if last is not None and last.again and (last.message.sent, last.message.text) == same:
            if len(last.copies) < _MOST_COPIES:
                found[-1] = msgspec.structs.replace(last, copies=(*last.copies, one.at_us))
            continue
        found.append(
            Sip(
                at_us=one.at_us, message=one, again=same in seen, copies=(one.at_us,) if same in seen else (),
                decides=index == decides,
                blamed=result.word("reason") not in _AFTERWARDS, late=index == decides and result.reason == "late",
            )
        )  # fmt: skip
        seen.add(same)
    return list(found)


def _deciding(result: Told, kept: Sequence[Message]) -> int | None:
    """Which of the answers the result is about: the last one to what was asked first that has its code."""
    code = result.code
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    asked = next((one.method for one in kept if one.sent and one.method), None)
    answers = [
        (index, one) for index, one in enumerate(kept) if not one.sent and one.code == code and one.repeats is None
    ]
    places = [index for index, one in answers if asked is None or (one.cseq or asked).endswith(asked)]
    return places[-1] if places else None


def _silence(result: Told, kept: Sequence[Message], begin_us: int) -> Iterable[Silence]:
    """Where the result says that nobody answered, or all messages were kept and the last request has no answer."""
    reason = result.word("reason")
    if reason not in _SILENT and evidence.left_out(result.evidence):
        return
    wanted = "BYE" if reason == "bye_unanswered" else None
    asked = [one for one in kept if one.sent and one.method not in {None, "ACK"} and wanted in {None, one.method}]
    if not asked:
        return
    last = asked[-1]
    same = [one for one in asked if one.cseq == last.cseq and one.call_id == last.call_id]
    answers = [one for one in kept if not one.sent and one.code is not None and one.cseq == last.cseq]
    if any(one.code is not None and one.code >= _FINAL for one in answers):
        return
    method = last.method or ""
    waited = result.number("duration_seconds") if reason in {"timeout", "no_answer"} else None
    first_us = same[0].at_us
    until_us = None if waited is None else begin_us + round(waited * SECOND_US)
    if until_us is not None and first_us is not None and until_us < first_us:
        until_us = None
    yield Silence(
        at_us=until_us, method=method, ringing=bool(answers),
        waited_us=None if until_us is None or first_us is None else until_us - first_us,
        timer=None if answers and method == "INVITE" else "B" if method == "INVITE" else "F",
    )  # fmt: skip


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _events(result: Told, begin_us: int) -> Iterable[Event]:
    facts = _mapping(result.facts)
    transport = (result.word("transport") or "tcp").upper()
    if facts.get("connection") == "reused":
        yield Event(at_us=begin_us, what="reused", values={"transport": transport})
    if (seconds := number(facts.get("connect_seconds"))) is not None:
        yield Event(at_us=begin_us, what="connected", values={"seconds": seconds})
    tls = _mapping(facts.get("tls"))
    if (seconds := number(facts.get("tls_handshake_seconds"))) is not None or tls:
        said = " · ".join(str(tls[key]) for key in ("version", "protocol", "cipher") if isinstance(tls.get(key), str))
        yield Event(at_us=begin_us, what="tls", values={"said": said or "TLS", "seconds": seconds})
    end_us = begin_us + round((result.number("duration_seconds") or 0) * SECOND_US)
    said_by_probe = evidence.detail(result.evidence)
    doubt = result.evidence.get("error") if isinstance(result.evidence, dict) else None
    if said_by_probe is not None:
        what: Literal["icmp", "detail"] = "detail"
        if result.word("reason") == "refused" and result.word("transport") in {None, "udp"} and result.word("sbc"):
            what = "icmp"
        yield Event(at_us=end_us, what=what, values={"said": said_by_probe})
    if isinstance(doubt, str) and doubt.strip() and doubt.split() != (said_by_probe or "").split():
        yield Event(at_us=end_us, what="doubt", values={"said": doubt})


def _bands(result: Told, kept: Sequence[Message], begin_us: int) -> Iterable[Band]:
    if not isinstance(result.media, dict):
        return
    answered = [one.at_us for one in kept if not one.sent and one.code is not None and one.code // 100 == _GOOD]
    starts = evidence.starts(result.media, result.setup_seconds, begin_us)
    directions: tuple[Literal["tx", "rx"], ...] = ("tx", "rx")
    for direction in directions:
        stream = result.media.get(direction)
        if isinstance(stream, dict):
            at_us = starts[direction]
            if at_us == begin_us:  # nobody tells when it began: not before the call was answered
                at_us = next((one for one in answered if one is not None), begin_us)
            yield Band(at_us=at_us, direction=direction, stream=stream)


def _in_order(sip: list[Row], others: Iterable[Row]) -> list[Row]:
    """Messages stay in the order in which they were kept; the rest is put where its time belongs."""
    found = list(sip)
    for one in others:
        place = len(found)
        if one.at_us is not None:
            before = isinstance(one, Event) and one.what in {"connected", "reused", "tls"}
            later = (
                index
                for index, each in enumerate(found)
                if each.at_us is not None and (each.at_us > one.at_us or (before and isinstance(each, Sip)))
            )
            place = next(later, len(found))
        found.insert(place, one)
    return found


def _few(rows: list[Row]) -> list[Row]:
    if len(rows) <= ROWS:
        return rows
    middle = More(at_us=None, count=len(rows) - ROWS + 1, kept=True)
    return [*rows[: ROWS // 2], middle, *rows[len(rows) - ROWS // 2 + 1 :]]


def _with_gaps(rows: list[Row]) -> list[Row]:
    found: list[Row] = []
    last_us: int | None = None
    for one in rows:
        if one.at_us is not None:
            if last_us is not None and one.at_us - last_us >= _LONG_US:
                found.append(Gap(at_us=None, lasted_us=one.at_us - last_us))
            last_us = one.at_us
            if isinstance(one, Sip) and one.copies:
                last_us = max((at for at in one.copies if at is not None), default=last_us)
        found.append(one)
    return found
