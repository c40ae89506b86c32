"""`call`: a test call through an SBC to a core, its media measured in both directions, ended by our BYE."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from probes.checks.base import Runtime, Target, result
from probes.checks.call_media import FarEnd, Media, counted, metered, over, second_by_second, streams_of
from probes.checks.call_pcap import kept, listen
from probes.checks.calling import Unable, account_spec, evidence_of, instant_us, pool_of, unable
from probes.checks.judge_call import Hearing, JudgedCall, Srtp, judge_call, secured
from probes.checks.own_jitter import excused, measured, own_jitter
from probes.checks.recognise import Heard, recognise, samples_of
from probes.media.live import LiveMeter, missed
from probes.media.sdp import announce_sdp
from probes.sip.errors import NetworkError
from probes.sip.ipc import Answered, Call, Called
from probes.sip.pool import CallPool
from probes.sip.supervise import WorkerFault
from sereno.wire import Result

_BYE_SECONDS = 4.0
_METER_LAG_SECONDS = 0.06  # what arrived in the last 50 ms may be missing in a snapshot
_POOR_MOS = 3.6  # G.107 Annex B: below it, many users dissatisfied
_EVIDENCE_LOOKS = 60
_CALL_ID = re.compile(r"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)  # RFC 3261, 20.8

Seconds = Callable[[], dict[str, Any]]  # read when they are evidence; the stream stays known for a minute


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was made: its result and, where it came back to us, the other end's media and sound."""

    result: Result
    seen: Called | None = None
    started_ns: int = 0
    there: Heard | None = None
    media_there: Media | None = None


async def call(target: Target, runtime: Runtime) -> Result:
    """One call: answered within the timeout, held, ended."""
    return (await placed(target, runtime)).result


async def placed(target: Target, runtime: Runtime, **more: Any) -> Placed:
    """The same with what it was judged by; `more` is what the worker is told besides (`Call`)."""
    try:
        pool = pool_of(runtime)
        display = more.pop("display", None)
        command = Call(
            id=0,
            account=msgspec.structs.replace(
                await account_spec(target, runtime, pool), srtp=_srtp(target, runtime), display=display
            ),
            to=target.to or "",
            codecs=target.codecs,
            timeout_seconds=target.timeout_seconds,
            hold_seconds=(target.hold_us or 0) / 1e6,
            bye_seconds=min(_BYE_SECONDS, target.timeout_seconds),
            record=pool.recording(),
            **more,
        )
        await listen(runtime, pool, target)
        seen = await pool.call(target, command, lambda event: _announce(pool, target, event))
    except (Unable, WorkerFault) as fault:
        return Placed(result=unable(target, runtime, fault))
    except NetworkError as error:
        failed = result(target, runtime.clock.now_us(), "failed", error.reason, evidence={"detail": str(error)})
        return Placed(result=failed)
    media, seconds, hearing = await _media(pool, target, runtime, seen)
    media_there = await _media_there(pool, target, runtime, seen)
    heard, there = await asyncio.to_thread(_heard, command.record) if command.record is not None else (None, None)
    said = judge_call(
        seen,
        runtime.topology,
        sbc=target.sbc or "",
        core=target.core,
        codecs=target.codecs,
        hearing=hearing,
        signal=heard.signal if heard is not None else None,
        echoed=heard is not None and heard.signal == "ours" and heard.echo_delay_seconds is not None,
        srtp=command.account.srtp,
    )
    own = own_jitter(seen, media)
    said, media = excused(said, own), measured(media, own)
    evidence, started_us = _evidence(runtime, said, seen, media, seconds), instant_us(runtime, said.started_ns)
    packets = await kept(runtime, pool, target, seen, started_us, bad=evidence is not None)
    if evidence is not None and packets is not None:
        evidence["pcap"] = packets
    found = result(
        target,
        started_us,
        said.outcome,
        said.reason,
        code=said.code,
        phrase=said.phrase,
        answered_by=said.answered_by,
        answered_core=said.answered_core,
        retry_after_seconds=said.retry_after_seconds,
        duration_seconds=said.duration_seconds,
        setup_seconds=said.setup_seconds,
        post_dial_delay_seconds=said.post_dial_delay_seconds,
        disconnect_seconds=said.disconnect_seconds,
        codec=seen.codec,
        media=media or None,
        facts={**_facts(target, seen, said, heard), **own.facts},
        evidence=evidence,
    )
    return Placed(result=found, seen=seen, started_ns=said.started_ns, there=there, media_there=media_there)


def _srtp(target: Target, runtime: Runtime) -> Srtp:
    given = runtime.topology.checks.call
    return given.srtp if given is not None and target.check == "call" else "none"


def _heard(record: str) -> tuple[Heard | None, Heard | None]:
    """What the recordings of the two ends say of our signal, if there are any; they are gone afterwards."""
    paths = [Path(f"{record}.{name}.wav") for name in ("sent", "heard", "callee")]
    sent, heard, there = (samples_of(path) for path in paths)
    for path in paths:
        path.unlink(missing_ok=True)
    ends = (None if sent is None or one is None else recognise(sent[0], one[0], one[1]) for one in (heard, there))
    return next(ends), next(ends)


async def _media_there(pool: CallPool, target: Target, runtime: Runtime, seen: Called) -> Media | None:
    """Both directions as the end that was called has them, by the same meter."""
    came = seen.inbound
    if came is None or not came.media_active:
        return None
    theirs = msgspec.structs.replace(
        seen, local=came.local, remote=came.remote, codec=came.codec, counters=came.counters, media_active=True
    )
    return (await _media(pool, target, runtime, theirs))[0] or None


def _facts(target: Target, seen: Called, said: JudgedCall, heard: Heard | None) -> dict[str, Any]:
    facts = {
        "codecs_offered": list(target.codecs),
        "srtp": secured(seen) if seen.media_active else None,
        "signal": heard.signal if heard is not None else None,
        "echo_delay_seconds": heard.echo_delay_seconds if heard is not None else None,
        "cut_off": said.cut_off,
        "call_id": _call_id(seen),
    }
    return {key: value for key, value in facts.items() if value is not None}


def _call_id(seen: Called) -> str | None:
    """By which the platform's own records and captures know the call."""
    return next((found[1].strip() for one in seen.messages if (found := _CALL_ID.search(one.text))), None)


def _announce(pool: CallPool, target: Target, event: Answered) -> None:
    """Tell the meter what the call's dynamic payload types are."""
    meter = pool.meter(target)
    if meter is not None:
        for message in event.messages:
            announce_sdp(meter, message.text.encode())


async def _media(
    pool: CallPool, target: Target, runtime: Runtime, seen: Called
) -> tuple[Media, Seconds | None, Hearing | None]:
    """Both directions, their seconds as evidence, whether we are heard; by the meter if it saw the whole call."""
    meter = pool.meter(target)
    if meter is None or meter.error is not None:
        return counted(seen), None, None
    await asyncio.sleep(_METER_LAG_SECONDS)
    rows = meter.snapshot()
    started_us = instant_us(runtime, seen.started_ns)
    gone = missed(meter.blind, started_us * 1000, runtime.clock.now_us() * 1000)
    if gone != 0:
        meter.forget(over(rows, runtime.clock.now_us()))
        return counted(seen, sensor_dropped=gone), None, None
    to_us, from_us = streams_of(rows, seen, started_us)
    far = _far_end(meter, to_us, from_us)
    media = metered(rows, meter.names, seen, started_us, far)
    meter.forget(over(rows, runtime.clock.now_us()))
    seconds = partial(second_by_second, rows, meter.names, seen, started_us, meter.seconds)
    return media, seconds, far.hearing(seen.counters)


def _far_end(meter: LiveMeter, to_us: np.void | None, from_us: np.void | None) -> FarEnd:
    return FarEnd(
        of_ours=None if from_us is None else meter.rtcp(from_us),
        of_others=() if from_us is None else meter.rtcp_of_others(from_us),
        of_its_own=None if to_us is None else meter.rtcp(to_us),
    )


def _evidence(
    runtime: Runtime, said: JudgedCall, seen: Called, media: Media, seconds: Seconds | None
) -> dict[str, Any] | None:
    """The messages and the packets second by second, of a failed or poor call."""
    mos = [value for stream in media.values() if (value := stream.get("mos_lq")) is not None]
    if said.outcome == "ok" and min(mos, default=5.0) >= _POOR_MOS:
        return None
    looks = [
        [round((look.at_ns - said.started_ns) / 1e9, 3), look.rx_packets, look.tx_packets, look.rx_level]
        for look in seen.seconds[-_EVIDENCE_LOOKS:]
    ]
    return evidence_of(
        runtime,
        seen.messages,
        detail=said.detail,
        ended_by=said.ended_by,
        held_seconds=said.held_seconds,
        rtp={"columns": ["seconds", "rx_packets", "tx_packets", "rx_level"], "rows": looks} if looks else None,
        rtp_seconds=seconds() or None if seconds is not None else None,
    )
