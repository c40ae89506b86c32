"""Test calls: answered, failed, cut off, without audio, how long each step takes; and those from core to core."""

from collections.abc import Iterator

from collector.thresholds.known import Known
from collector.thresholds.source import Reading, Source, facts, number
from sereno.wire import Result

CALLS = ("call",)
_SERIES = 100_000
_VOID = frozenset({"probe_fault", "steering", "blocked", "auth"})  # ours, or our account's: nobody else's calls
_SOUNDLESS = frozenset({"no_media", "one_way", "dead_air", "wrong_audio"})
_ANSWERED = frozenset({"no_media", "one_way", "dead_air", "wrong_audio", "cut_off", "bye_unanswered"})
_UNHEARD_THERE = "nothing of ours"  # how a probe begins its words where the far end hears nothing (docs/calls.md)


def _settled(measure: str, result: Result, at_us: int, known: Known, *, bad: bool) -> Iterator[tuple[int, bool]]:
    """(when, bad) of what is certain now: whether a failure stands alone is only known at the next call of its series.

    Two in a row are an outage of their path, which has alarms of its own and is over long before a window is.
    """
    key = (measure, result.probe, result.sbc, result.core, result.account)
    sbc = result.sbc or ""
    before_us = known.pending.pop(key, None)
    if bad and not known.serving(sbc, result.core, at_us):
        return
    if before_us is not None and known.serving(sbc, result.core, before_us):
        yield before_us, True
    if not bad:
        yield at_us, False
    elif len(known.pending) < _SERIES:
        known.pending[key] = at_us


def _failed(result: Result, at_us: int, known: Known) -> Iterator[Reading]:
    if result.reason in _VOID:
        return
    bad = result.outcome == "failed"
    for sent_us, failed in _settled("call_failed", result, at_us, known, bad=bad):
        yield Reading(float(failed), at_us=sent_us)


def _answered(result: Result, at_us: int, known: Known) -> Iterator[Reading]:
    """SER (RFC 6076 section 4.6): an INVITE that was redirected does not count."""
    if result.reason in _VOID or result.reason == "sip_3xx":
        return
    for sent_us, refused in _settled("call_answered", result, at_us, known, bad=not _was_answered(result)):
        yield Reading(float(not refused), at_us=sent_us)


def _cut_off(result: Result, _at_us: int, _known: Known) -> float | None:
    return float(result.reason == "cut_off") if _was_answered(result) else None


def _bye_unanswered(result: Result, _at_us: int, _known: Known) -> float | None:
    if result.reason in {"cut_off", *_VOID} or not _was_answered(result):
        return None  # there was no BYE of ours
    return float(result.reason == "bye_unanswered")


def _was_answered(result: Result) -> bool:
    return result.outcome == "ok" or result.setup_seconds is not None or result.reason in _ANSWERED


def _no_audio(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    """Of each direction that is known: rx is what comes to us, tx what the far end hears."""
    reason = result.reason
    if reason not in _SOUNDLESS:
        if result.outcome == "ok" or reason in {"cut_off", "bye_unanswered", "late"}:
            yield from (Reading(0.0, parts={"direction": way}) for way in ("rx", "tx"))
        return
    way = "tx" if reason == "one_way" and _came(result) else "rx"
    yield Reading(1.0, parts={"direction": way})
    if reason == "one_way":
        yield Reading(0.0, parts={"direction": "rx" if way == "tx" else "tx"})


def _came(result: Result) -> bool:
    """Whether something came to us: then it is the far end that hears nothing."""
    detail = facts(result.evidence).get("detail")
    if isinstance(detail, str) and detail:
        return detail.startswith(_UNHEARD_THERE)
    media = result.media or {}
    packets = number(facts(media.get("rx")).get("packets"))
    sent = number(facts(media.get("tx")).get("packets"))
    return bool(packets) or (packets is None and "rx" not in media and sent == 0)


def _setup(result: Result, _at_us: int, _known: Known) -> float | None:
    return number(result.setup_seconds)


def _post_dial(result: Result, _at_us: int, _known: Known) -> float | None:
    """Of calls that were answered: what a failed one took is another measure (RFC 6076 section 4.3.2)."""
    return number(result.post_dial_delay_seconds) if _was_answered(result) else None


def _disconnect(result: Result, _at_us: int, _known: Known) -> float | None:
    return number(result.disconnect_seconds)


def _cross_core(result: Result, at_us: int, known: Known) -> Iterator[Reading]:
    """A call to an account at another core. One that fails while either path is not up is that path's own."""
    if result.reason in _VOID:
        return
    beyond, _, callee = (result.target or "").partition("/")
    if not callee or callee not in known.topology.cores or result.core not in known.topology.cores:
        return
    both = known.serving(result.sbc or "", result.core, at_us) and known.serving(beyond, callee, at_us)
    if result.outcome == "failed" and not both:
        return
    pair = f"{result.core}>{callee}"
    yield Reading(float(result.outcome == "failed"), parts={"cores": pair}, element=known.topology.service)


SOURCES = {
    "call_failed": Source(
        CALLS, many=_failed, quality=True, reads="`outcome` failed, unless its path was down or the account is refused"
    ),
    "call_answered": Source(
        CALLS, many=_answered, quality=True,
        reads="`setup_seconds`, or a `reason` that only an answered call has; calls of a path that was down left out",
    ),
    "cut_off": Source(CALLS, _cut_off, quality=True, reads="`reason` cut_off, of calls that were answered"),
    "bye_unanswered": Source(CALLS, _bye_unanswered, quality=True, reads="`reason` bye_unanswered"),
    "no_audio": Source(
        CALLS, many=_no_audio, quality=True,
        reads="`reason` no_media, dead_air, wrong_audio (rx), one_way (tx where something came to us)",
    ),
    "setup_seconds": Source(CALLS, _setup, quality=True, reads="`setup_seconds`"),
    "post_dial_delay_seconds": Source(
        CALLS, _post_dial, quality=True, reads="`post_dial_delay_seconds` of answered calls"
    ),
    "disconnect_seconds": Source(CALLS, _disconnect, quality=True, reads="`disconnect_seconds`"),
    "cross_core_failed": Source(
        ("terminating",), many=_cross_core, reads="`outcome` of `terminating` while both paths are up"
    ),
}  # fmt: skip
