"""Both directions of a call's media, from the meter or, where it cannot tell, from pjsua2's own statistics.

Never from both: the meter's counts and pjsua2's are not mixed within a call. Pure: rows and counters go in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.checks.judge_call import Hearing
from probes.media.codecs import row_for
from probes.media.quality import assess
from probes.media.report import Names, codec_name, stream_fields
from probes.media.rows import SecondRows, StreamRows
from probes.media.windows import rate_windows, windowed
from probes.sip.ipc import Called, Counters

_MAPPED = bytes(10) + b"\xff\xff"  # IPv4 as the meter's rows hold it (RFC 4291 section 2.5.5.2)
_FORGET_US = 60_000_000
Media = dict[str, dict[str, Any]]
Fields = dict[str, Any]

# How far a codec looks ahead beyond its packet (G.114 appendix I; RFC 6716 section 2; G.722 clause 1.4.4: its filters).
_LOOKAHEAD_MS = {"G729": 5.0, "G729A": 5.0, "G723": 7.5, "G722": 1.5, "SPEEX": 10.0, "OPUS": 6.5}
# Of what `rtp analyze` says, what a call's result leaves out: it is in the evidence, or of use to nobody there.
_NOT_SENT = frozenset(
    {
        "seconds", "rtcp", "audio", "call_id", "from", "to", "one_way", "captured_twice", "strays", "lost_rfc3550",
        "fixed_late", "fixed_early", "adaptive_late", "adaptive_early", "burst_packets_mean",
        "payload_type_changes", "jitter_seconds", "mos_provisional",
    }
)  # fmt: skip
_STREAM_PACKETS = 10  # fewer are strays
_LAST_SECONDS = 60  # of a stream, as evidence
_SURE_REPORTS = 2  # the first may have left before our stream was there


@dataclass(frozen=True)
class FarEnd:
    """What the far end's RTCP said (objects `rtcp`): of our stream, of others on the same way, of its own to us."""

    of_ours: Fields | None = None
    of_others: tuple[Fields, ...] = ()
    of_its_own: Fields | None = None

    def hearing(self, counters: Counters | None) -> Hearing | None:
        """Whether it ever received our stream (RFC 3550 section 6.4.1: a receiver names each source that it heard).

        One that heard nobody may still write blocks, about nobody. A block about a stream that is not ours, yet
        arrives, may be ours under another name: a relay in between.
        """
        ours = self.of_ours
        if ours is not None and ours["reports"] and ours["highest_sequence"]:
            return "heard"
        if counters is None or any(block["highest_sequence"] for block in self.of_others):
            return None
        empty = sum(block["reports"] for block in (*self.of_others, *([ours] if ours else [])))
        if min(empty, counters.far_reports) >= _SURE_REPORTS:  # pjsua2 counts those of this call alone
            return "nothing"
        own = self.of_its_own
        return "unnamed" if own and not counters.far_reports and own["sender_reports"] >= _SURE_REPORTS else None


NOBODY = FarEnd()


def delay_ms(counters: Counters | None, codec: str | None = None) -> float | None:
    """One-way delay toward us: half the round trip, our jitter buffer, one packet, the codec; None if not measured."""
    if counters is None or counters.rtt_samples == 0:
        return None
    seconds = counters.rtt_mean_seconds / 2 + counters.buffer_mean_seconds + counters.ptime_seconds
    return 1000 * seconds + _lookahead_ms(codec)


def metered_delay_ms(row: np.void, codec: str | None, round_trip_seconds: float | None) -> float | None:
    """The same by the meter: its simulated adaptive de-jitter buffer, whose discards it counts, for ours."""
    buffer, clock, step = float(row["adaptive_delay"]), int(row["clock_rate"]), int(row["step"])
    if round_trip_seconds is None or math.isnan(buffer) or not clock or not step:
        return None
    return 1000 * (round_trip_seconds / 2 + buffer + step / clock) + _lookahead_ms(codec)


def _lookahead_ms(codec: str | None) -> float:
    return _LOOKAHEAD_MS.get((codec or "").upper(), 0.0)


def streams_of(rows: StreamRows, seen: Called, started_us: int) -> tuple[np.void | None, np.void | None]:
    """The call's stream to us and from us; what an earlier call left behind on its port is not ours.

    With the far end as its SDP said, else (a NAT between) any that began after the call did; the longest.
    """
    remote = _packed(seen.remote)
    to_us, from_us = (_during(rows, side, seen, started_us) for side in ("dst", "src"))
    return _most(to_us, "src", remote), _most(from_us, "dst", remote)


def _during(rows: StreamRows, side: str, seen: Called, started_us: int) -> StreamRows:
    local = _packed(seen.local)
    return rows[:0] if local is None else rows[(rows["start_ns"] >= started_us * 1000) & _at(rows, side, local)]


def metered(
    rows: StreamRows,
    names: Names,
    seen: Called,
    started_us: int,
    far: FarEnd = NOBODY,
) -> Media:
    """The media of a call by the meter; a direction without packets is absent.

    How long the far end is away its RTCP about our stream tells, else pjsua2.
    """
    to_us, from_us = streams_of(rows, seen, started_us)
    counters, media = seen.counters, Media()
    trip = far.of_ours["round_trip_mean_seconds"] if far.of_ours is not None else None
    if trip is None and counters is not None and counters.rtt_samples:
        trip = counters.rtt_mean_seconds
    if to_us is not None:
        delay = metered_delay_ms(to_us, codec_name(to_us, names), trip)
        told = {"round_trip_seconds": trip, "delay_seconds": None if delay is None else delay / 1000}
        media["rx"] = _sent({**stream_fields(to_us, names, delay_ms=delay), **told, "source": "meter"})
    if from_us is not None:
        fields = stream_fields(from_us, names)
        media["tx"] = _sent(
            {**fields, **_far_quality(fields["codec"], counters, far.hearing(counters)), "source": "meter"}
        )
    for direction, side in (("rx", "dst"), ("tx", "src")):
        several = int(np.sum(_during(rows, side, seen, started_us)["packets"] >= _STREAM_PACKETS))
        if direction in media and several > 1:
            media[direction]["streams"] = several  # a new SSRC or way in mid-call: the figures are the longest one's
    return media


def second_by_second(
    rows: StreamRows, names: Names, seen: Called, started_us: int, seconds: Callable[[int], SecondRows]
) -> dict[str, dict[str, list[Any]]]:
    """The last minute of both directions as columns, named as in `rtp analyze`; what is not known is None."""
    to_us, from_us = streams_of(rows, seen, started_us)
    return {
        direction: _columns(seconds(int(row["id"]))[-_LAST_SECONDS:], codec_name(row, names))
        for direction, row in (("rx", to_us), ("tx", from_us))
        if row is not None
    }


def _columns(seconds: SecondRows, codec: str | None) -> dict[str, list[Any]]:
    rated = rate_windows(row_for(codec, plc=True) if codec else None, loss_percent=windowed(seconds).loss_percent)
    numbers = {
        "jitter_mean_seconds": seconds["jitter_mean"],
        "jitter_max_seconds": seconds["jitter_max"],
        "pdv_max_seconds": seconds["pdv_max"],
        "mos_lq": rated.mos_lq,
    }
    return {
        **{name: seconds[name].tolist() for name in ("second", "packets", "lost", "discarded")},
        **{name: [None if math.isnan(v) else round(v, 6) for v in given.tolist()] for name, given in numbers.items()},
        "burst": [bool(flags & 1) for flags in seconds["flags"].tolist()],
    }


def counted(seen: Called, *, sensor_dropped: int | None = None) -> Media:
    """The media of a call by pjsua2's own statistics.

    `sensor_dropped`: because the meter missed so many packets meanwhile that its own are no measure of the network.
    """
    counters = seen.counters
    if counters is None:
        return {}
    media: Media = {}
    if counters.rx_packets:
        expected = counters.rx_packets - counters.rx_duplicates + counters.rx_lost
        loss = counters.rx_lost / expected if expected > 0 else 0.0
        delay = delay_ms(counters, seen.codec)
        quality = assess(seen.codec, loss_percent=100 * loss, delay_ms=delay)
        media["rx"] = _sent(
            {
                "codec": seen.codec, "packets": counters.rx_packets, "expected": expected, "lost": counters.rx_lost,
                "duplicates": counters.rx_duplicates, "reordered": counters.rx_reordered,
                "jitter_mean_seconds": counters.rx_jitter_mean_seconds,
                "jitter_max_seconds": counters.rx_jitter_max_seconds, "loss_ratio": loss,
                "discarded": counters.rx_discarded, "r_lq": quality.r_lq, "mos_lq": quality.mos_lq,
                "r_cq": quality.r_cq, "mos_cq": quality.mos_cq, "source": "pjsua2",
                "round_trip_seconds": counters.rtt_mean_seconds if counters.rtt_samples else None,
                "delay_seconds": None if delay is None else delay / 1000,
                "buffer_delay_seconds": counters.buffer_mean_seconds, "ptime_seconds": counters.ptime_seconds,
            }
        )  # fmt: skip
    if counters.tx_packets:
        own = {"codec": seen.codec, "packets": counters.tx_packets, "source": "pjsua2"}
        media["tx"] = _sent({**own, **_far_quality(seen.codec, counters)})
    return (
        {direction: {**told, "sensor_dropped": sensor_dropped} for direction, told in media.items()}
        if sensor_dropped
        else media
    )


def _far_quality(codec: str | None, counters: Counters | None, hearing: Hearing | None = None) -> dict[str, Any]:
    """Quality of what we send, as the far end's RTCP tells (RFC 3550 section 6.4).

    Unknown without its reports, and when nothing is all that they report. At our own interface it is always perfect,
    whatever happens further on.
    """
    unknown = {"r_lq": None, "mos_lq": None, "r_cq": None, "mos_cq": None}
    if counters is None or counters.far_reports == 0 or counters.tx_packets == 0 or hearing == "nothing":
        return unknown
    loss = min(1.0, counters.tx_lost / counters.tx_packets)
    quality = assess(codec, loss_percent=100 * loss)
    return {
        **unknown,
        "r_lq": quality.r_lq,
        "mos_lq": quality.mos_lq,
        "far_end_loss_ratio": loss,
        "far_end_jitter_mean_seconds": counters.tx_jitter_mean_seconds,
        "far_end_reports": counters.far_reports,
    }


def over(rows: StreamRows, now_us: int) -> StreamRows:
    """Streams that have ended: nobody will ask for them again."""
    return rows[rows["end_ns"] < (now_us - _FORGET_US) * 1000]


def _at(rows: StreamRows, side: str, endpoint: tuple[bytes, int]) -> NDArray[np.bool_]:
    address, port = endpoint
    same: NDArray[np.bool_] = (rows[f"{side}_port"] == port) & (rows[side] == np.void(address))
    return same


def _most(rows: StreamRows, side: str, remote: tuple[bytes, int] | None) -> np.void | None:
    if remote is not None and (exact := rows[_at(rows, side, remote)]).size:
        rows = exact
    return rows[int(np.argmax(rows["packets"]))] if rows.size else None


def _packed(endpoint: str | None) -> tuple[bytes, int] | None:
    """`ip:port` as the meter's rows hold it; IPv4 only, as this pjsua2 is."""
    if endpoint is None:
        return None
    host, _, port = endpoint.rpartition(":")
    try:
        octets = bytes(int(part) for part in host.split("."))
    except ValueError:
        return None
    return (_MAPPED + octets, int(port)) if len(octets) == 4 and port.isdigit() else None  # noqa: PLR2004


def _sent(fields: dict[str, Any]) -> dict[str, Any]:
    """Unmeasured is absent on the wire; seconds and ratios without noise digits."""
    return {
        key: round(value, 7) if isinstance(value, float) else value
        for key, value in fields.items()
        if value is not None and key not in _NOT_SENT
    }
