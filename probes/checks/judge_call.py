"""Whether a test call was good (docs/reasons.md). Pure: what a worker saw goes in, what is said comes out.

Good is: answered by the forced core, media active both ways, received packets advancing to the end, the tone heard, the
BYE answered. pjsip by itself reports none of the last four.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from probes.checks.judge_register import REFUSED
from probes.media.payload import Kind
from probes.media.sdp import endpoints
from probes.sip.identify import BLOCKED, LOOPS, MISSTEERED, Plane, Speaker, sip_class, speaker
from probes.sip.ipc import Called, Counters, Second
from probes.sip.ladder import Answer, Ladder, read
from sereno.topology.model import Topology
from sereno.wire import AnsweredBy, Outcome, Reason

_RINGING = range(180, 200)
_UNHEARD_RATIO = 0.9  # of what we send, lost by the far end's own report: that direction is dead
_SETTLING_SECONDS = 2.0  # an echo's way there and back, buffers and all
_NEEDED_LOOKS = 3

# What the far end's RTCP says of our stream: it received it; its reports are about nothing received; its reports have
# no word about anything received.
Hearing = Literal["heard", "nothing", "unnamed"]
Signal = Literal["ours", "other", "nothing"]
Srtp = Literal["none", "optional", "required"]


class JudgedCall(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the path's call; instants of the monotonic clock."""

    outcome: Outcome
    reason: Reason | None = None
    answered_by: AnsweredBy | None = None
    answered_core: str | None = None
    code: int | None = None
    phrase: str | None = None
    retry_after_seconds: float | None = None
    started_ns: int
    duration_seconds: float
    post_dial_delay_seconds: float | None = None
    setup_seconds: float | None = None
    held_seconds: float | None = None
    disconnect_seconds: float | None = None
    ended_by: str | None = None
    cut_off: dict[str, object] | None = None
    detail: str | None = None


def judge_call(
    seen: Called,
    topology: Topology,
    *,
    sbc: str,
    core: str | None,
    codecs: Sequence[str],
    hearing: Hearing | None = None,
    signal: Signal | None = None,
    echoed: bool = False,
    srtp: Srtp = "none",
) -> JudgedCall:
    """The outcome of one call through this SBC to this core; to any core where it is None (natural).

    `hearing`: as the meter read the far end's RTCP; `signal`: what the recording holds; `echoed`: with our own bursts
    in it, which proves that the far end hears us whatever its RTCP says.
    """
    ladder = read(seen.messages)
    sent = ladder.sent("INVITE")
    started_ns = sent[0].at_ns if sent else seen.started_ns
    final = ladder.final("INVITE")
    plane: Plane = "options" if core is not None else "natural"
    who = speaker(final.reply, topology, sbc=sbc, core=core, plane=plane) if final else None
    if echoed:
        seen, hearing = _heard_us(seen), "heard"
    outcome, reason = _meaning(seen, ladder, final, who, core, codecs, hearing)
    if outcome == "failed" and srtp == "required" and _without_srtp(seen, final, reason):
        reason = "srtp"
    elif outcome == "ok" and signal == "other":
        outcome, reason = "failed", "wrong_audio"
    detail = seen.detail or _words(seen, final, reason)
    if seen.ending == "hung_up":
        detail = "the probe was told to stop during the call"
    return JudgedCall(
        outcome=outcome,
        reason=reason,
        answered_by=who.by if who else "none" if outcome == "failed" else None,
        answered_core=who.core if who else None,
        code=final.reply.code if final else None,
        phrase=final.reply.phrase if final else None,
        retry_after_seconds=float(final.reply.retry_after) if final and final.reply.retry_after is not None else None,
        started_ns=started_ns,
        duration_seconds=_seconds(started_ns, seen.ended_ns),
        post_dial_delay_seconds=post_dial_delay(ladder),
        setup_seconds=_seconds(started_ns, final.at_ns) if final and final.reply.code < 300 else None,  # noqa: PLR2004
        held_seconds=_held(ladder, final, seen),
        disconnect_seconds=_disconnect(ladder),
        ended_by=_ended_by(seen, ladder),
        cut_off=_cut(seen, ladder, final) if reason == "cut_off" else None,
        detail=detail,
    )


def _meaning(
    seen: Called,
    ladder: Ladder,
    final: Answer | None,
    who: Speaker | None,
    core: str | None,
    codecs: Sequence[str],
    hearing: Hearing | None,
) -> tuple[Outcome, Reason | None]:
    if seen.ending in {"error", "hung_up"} or not ladder.sent("INVITE"):
        return "invalid", "probe_fault"
    if final is None or who is None:
        return "failed", _unanswered(seen, ladder)
    code = final.reply.code
    if code == BLOCKED:
        return "invalid", "blocked"
    if core is not None and who.by == "core" and who.core != core:
        return "failed", "wrong_core"
    if code >= 300:  # noqa: PLR2004
        return _refused(code, who)
    bad = _media_fault(seen, ladder, final, codecs, hearing) or _end_fault(seen, ladder)
    return ("failed", bad) if bad else ("ok", None)


def _heard_us(seen: Called) -> Called:
    """Without what the far end's RTCP says of our loss."""
    counters = seen.counters
    return msgspec.structs.replace(seen, counters=msgspec.structs.replace(counters, tx_lost=0)) if counters else seen


def _words(seen: Called, final: Answer | None, reason: Reason | None) -> str | None:
    """What the reason leaves open: which direction, what was answered."""
    if reason == "one_way":
        heard = seen.counters is not None and seen.counters.rx_packets > 0
        return "nothing of ours is heard there" if heard else "nothing came to us"
    if final is None or reason not in {"no_media", "codec", "srtp"}:
        return None
    if final.reply.code >= 300:  # noqa: PLR2004
        return "the offer was refused: its codecs, or that it is not encrypted" if reason == "codec" else None
    if seen.media_active:
        return f"the answer wants our sound at {seen.remote}" if reason == "no_media" and seen.remote else None
    return _without_codecs(_answer_of(seen, final))


def _without_codecs(answer: str) -> str | None:
    if _codecs_in(answer):
        return None
    if "\nm=" not in answer:
        return "the answer has no SDP"
    return "the answer refuses the audio (port 0)" if "\nm=audio 0 " in answer else "the answer's SDP names no audio"


def _answer_of(seen: Called, final: Answer) -> str:
    return next((m.text for m in seen.messages if m.at_ns == final.at_ns and m.direction == "received"), "")


def _codecs_in(text: str) -> set[str]:
    found = (one for endpoint in endpoints(text.encode()) for one in endpoint.formats)
    return {one.codec.upper() for one in found if one.kind is Kind.MEDIA}


def _without_media(seen: Called, ladder: Ladder, final: Answer, codecs: Sequence[str]) -> Reason:
    """Answered, and pjsip has no sound to send or to hear, or no time to hear any."""
    if seen.media_active or _hung_up_there(ladder):
        return "cut_off" if seen.ending == "remote" else "no_media"
    answered = _codecs_in(_answer_of(seen, final))
    return "codec" if answered and answered.isdisjoint(codec.upper() for codec in codecs) else "no_media"


def _hung_up_there(ladder: Ladder) -> bool:
    return any(request.method == "BYE" and not request.ours for request in ladder.requests)


def _without_srtp(seen: Called, final: Answer | None, reason: Reason | None) -> bool:
    """No common media while we insist on SRTP: it is to blame unless keys were agreed (RFC 4568)."""
    apart = reason == "codec" or (reason == "no_media" and not seen.media_active)
    return apart and not (final is not None and final.reply.code < 300 and secured(seen))  # noqa: PLR2004


def secured(seen: Called) -> bool:
    """Whether both sides gave keys (RFC 4568): this call's RTP is encrypted."""
    return {m.direction for m in seen.messages if "a=crypto:" in m.text} == {"sent", "received"}


def _cut(seen: Called, ladder: Ladder, final: Answer | None) -> dict[str, object]:
    """By what it was seen, the last sign of life and the notice, both since the answer."""
    by = {"stalled": "media", "unreachable": "signalling"}.get(seen.ending, "bye")
    if seen.ending == "remote" and not _hung_up_there(ladder):
        by = "signalling"  # 481 or 408 inside the dialog
    byes = [request.at_ns for request in ladder.requests if request.method == "BYE"]
    noticed = seen.noticed_ns or min(byes, default=seen.ended_ns)
    answered = final.at_ns if final is not None else seen.started_ns
    return {
        "by": by,
        "after_seconds": _seconds(answered, seen.alive_ns or noticed),
        "noticed_after_seconds": _seconds(answered, noticed),
    }


def _unanswered(seen: Called, ladder: Ladder) -> Reason:
    if seen.ending == "transport":
        return "transport"
    rang = any(answer.reply.code in _RINGING for answer in ladder.heard("INVITE"))
    return "no_answer" if rang else "timeout"


def _refused(code: int, who: Speaker) -> tuple[Outcome, Reason | None]:
    if code == 488 or (code in {415, 606} and who.by != "sbc"):  # noqa: PLR2004
        return "failed", "codec"
    if code in MISSTEERED and who.by == "sbc":
        return "invalid", "steering"
    if code in REFUSED - {404}:
        return "failed", "auth"
    if code in LOOPS:
        return "failed", "loop"
    return "failed", sip_class(code)


def _media_fault(
    seen: Called, ladder: Ladder, final: Answer, codecs: Sequence[str], hearing: Hearing | None
) -> Reason | None:
    """What is wrong with the media, worst first."""
    if not seen.media_active or seen.counters is None or (seen.ending == "remote" and seen.counters.rx_packets == 0):
        return _without_media(seen, ladder, final, codecs)
    if codecs and (seen.codec or "").upper() not in {codec.upper() for codec in codecs}:
        return "codec"
    if direction := _dead_direction(seen.counters, hearing):
        return direction
    if seen.ending == "stalled":
        return "cut_off"
    if not silent(seen.seconds):
        return None
    # Some endpoints never name anybody: that alone proves nothing, that and an echo of silence do.
    return "one_way" if hearing == "unnamed" else "dead_air"


def _dead_direction(counters: Counters, hearing: Hearing | None) -> Reason | None:
    """The far end's RTCP is what tells a dead direction from no media at all."""
    if counters.rx_packets == 0:
        return "one_way" if counters.far_reports else "no_media"
    unheard = counters.far_reports > 0 and counters.tx_lost > _UNHEARD_RATIO * counters.tx_packets
    return "one_way" if unheard or hearing == "nothing" or counters.tx_packets == 0 else None


def _end_fault(seen: Called, ladder: Ladder) -> Reason | None:
    """How it ended, if not as we wanted."""
    answer = ladder.final("BYE")
    if seen.ending == "unreachable" and answer is not None and answer.reply.code < 300:  # noqa: PLR2004
        return None  # silent to OPTIONS, yet it has the call: its BYE is answered
    if seen.ending in {"remote", "refused", "unreachable"}:
        return "cut_off"
    if answer is None:
        return "bye_unanswered"
    if answer.reply.code == 481:  # noqa: PLR2004  # the other side has forgotten the call
        return "cut_off"
    return None if answer.reply.code < 300 else "bye_unanswered"  # noqa: PLR2004


def silent(looks: Sequence[Second]) -> bool:
    """Packets came but no sound in them: the tone that we sent was never heard. Where none came there is no air."""
    settled = [
        look
        for before, look in pairwise(looks)
        if look.at_ns - looks[0].at_ns >= _SETTLING_SECONDS * 1e9 and look.rx_packets != before.rx_packets
    ]
    return len(settled) >= _NEEDED_LOOKS and all(look.rx_level == 0 for look in settled)


def post_dial_delay(ladder: Ladder) -> float | None:
    """RFC 6076 section 4.3: from the INVITE with all that is needed to the first answer other than 100.

    What is needed includes the credentials of everybody that asked for them: it is the last INVITE that began a call.
    """
    invites = ladder.sent("INVITE")
    if not invites:
        return None
    needed = next(request for request in invites if request.cseq == invites[-1].cseq)
    answers = [a for a in ladder.heard("INVITE") if a.reply.cseq == needed.cseq and a.reply.code > 100]  # noqa: PLR2004
    return _seconds(needed.at_ns, answers[0].at_ns) if answers else None


def _disconnect(ladder: Ladder) -> float | None:
    """RFC 6076 section 4.4: from the first BYE to the 2xx that ends the session; a BYE refused ended nothing."""
    sent, answer = ladder.sent("BYE"), ladder.final("BYE")
    ended = sent and answer is not None and answer.reply.code < 300  # noqa: PLR2004
    return _seconds(sent[0].at_ns, answer.at_ns) if ended and answer else None


def _held(ladder: Ladder, final: Answer | None, seen: Called) -> float | None:
    if final is None or final.reply.code >= 300:  # noqa: PLR2004
        return None
    ends = [request.at_ns for request in ladder.requests if request.method == "BYE"]
    return _seconds(final.at_ns, min(ends, default=seen.ended_ns))


def _ended_by(seen: Called, ladder: Ladder) -> str | None:
    if _hung_up_there(ladder):
        return "far_end"
    return "us" if ladder.sent("BYE") or seen.ending == "timeout" else None


def _seconds(from_ns: int, to_ns: int) -> float:
    return round(max(0, to_ns - from_ns) / 1e9, 7)
