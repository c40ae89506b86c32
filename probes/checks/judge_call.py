"""Whether a test call was good (docs/reasons.md). Pure: what a worker saw goes in, what is said comes out.

Good is: answered by the forced core, media active both ways, received packets advancing to the end, the tone heard, the
BYE answered. pjsip by itself reports none of the last four.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from probes.checks.judge_register import REFUSED
from probes.sip.identify import BLOCKED, LOOPS, MISSTEERED, Plane, Speaker, sip_class, speaker
from probes.sip.ipc import Called, Counters, Second
from probes.sip.ladder import Answer, Ladder, Request, read
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
    srtp: Srtp = "none",
) -> JudgedCall:
    """The outcome of one call through this SBC to this core; to any core where it is None (natural).

    `hearing`: as the meter read the far end's RTCP; `signal`: what the recording holds.
    """
    ladder = read(seen.messages)
    sent = ladder.sent("INVITE")
    started_ns = sent[0].at_ns if sent else seen.started_ns
    final = ladder.final("INVITE")
    plane: Plane = "options" if core is not None else "natural"
    who = speaker(final.reply, topology, sbc=sbc, core=core, plane=plane) if final else None
    outcome, reason = _meaning(seen, ladder, final, who, core, codecs, hearing)
    if (outcome, reason) == ("failed", "codec") and srtp == "required":
        outcome, reason = _without_srtp(seen, final)
    elif outcome == "ok" and signal == "other":
        outcome, reason = "failed", "wrong_audio"
    detail = seen.detail
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
    bad = _media_fault(seen, codecs, hearing) or _end_fault(seen, ladder)
    return ("failed", bad) if bad else ("ok", None)


def _without_srtp(seen: Called, final: Answer | None) -> tuple[Outcome, Reason | None]:
    """No common media while we insist on SRTP: the codec is to blame only where keys were agreed (RFC 4568)."""
    return "failed", "codec" if final is not None and final.reply.code < 300 and secured(seen) else "srtp"  # noqa: PLR2004


def secured(seen: Called) -> bool:
    """Whether both sides gave keys (RFC 4568): this call's RTP is encrypted."""
    return {m.direction for m in seen.messages if "a=crypto:" in m.text} == {"sent", "received"}


def _cut(seen: Called, ladder: Ladder, final: Answer | None) -> dict[str, object]:
    """By what it was seen, the last sign of life and the notice, both since the answer."""
    by = {"stalled": "media", "unreachable": "signalling"}.get(seen.ending, "bye")
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


def _media_fault(seen: Called, codecs: Sequence[str], hearing: Hearing | None) -> Reason | None:
    """What is wrong with the media, worst first."""
    if not seen.media_active or seen.counters is None:
        return "codec" if seen.ending == "refused" else "no_media"
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
    if seen.ending in {"remote", "refused", "unreachable"}:
        return "cut_off"
    answer = ladder.final("BYE")
    if answer is None:
        return "bye_unanswered"
    if answer.reply.code == 481:  # noqa: PLR2004  # the other side has forgotten the call
        return "cut_off"
    return None if answer.reply.code < 300 else "bye_unanswered"  # noqa: PLR2004


def silent(looks: Sequence[Second]) -> bool:
    """Packets came but no sound in them: the tone that we sent was never heard."""
    settled = [look for look in looks if look.at_ns - looks[0].at_ns >= _SETTLING_SECONDS * 1e9]
    return len(settled) >= _NEEDED_LOOKS and all(look.rx_level == 0 for look in settled)


def post_dial_delay(ladder: Ladder) -> float | None:
    """RFC 6076 section 4.3: from the INVITE with all that is needed to the first answer other than 100.

    What is needed includes the credentials, where they were asked for.
    """
    needed = _first_with_credentials(ladder.sent("INVITE"))
    if needed is None:
        return None
    answers = [a for a in ladder.heard("INVITE") if a.reply.cseq == needed.cseq and a.reply.code > 100]  # noqa: PLR2004
    return _seconds(needed.at_ns, answers[0].at_ns) if answers else None


def _first_with_credentials(invites: Sequence[Request]) -> Request | None:
    return next((request for request in invites if request.credentials), invites[0] if invites else None)


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
    if any(request.method == "BYE" and not request.ours for request in ladder.requests):
        return "far_end"
    return "us" if ladder.sent("BYE") or seen.ending == "timeout" else None


def _seconds(from_ns: int, to_ns: int) -> float:
    return round(max(0, to_ns - from_ns) / 1e9, 7)
