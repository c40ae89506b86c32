"""Both directions of a call's media, from the meter or, without one, from pjsua2's own statistics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.media.quality import assess
from probes.media.report import stream_fields
from probes.media.rows import StreamRows
from probes.sip.ipc import Called, Counters

_MAPPED = bytes(10) + b"\xff\xff"  # IPv4 as the meter's rows hold it (RFC 4291 section 2.5.5.2)
_FORGET_US = 60_000_000
Media = dict[str, dict[str, Any]]


def delay_ms(counters: Counters | None) -> float | None:
    """One-way delay toward us: half the round trip, our jitter buffer, one packet; None if not measured."""
    if counters is None or counters.rtt_samples == 0:
        return None
    return 1000 * (counters.rtt_mean_seconds / 2 + counters.buffer_mean_seconds + counters.ptime_seconds)


def streams_of(rows: StreamRows, seen: Called, started_us: int) -> tuple[np.void | None, np.void | None]:
    """The call's stream to us and from us; what an earlier call left behind on its port is not ours.

    With the far end as its SDP said, else (a NAT between) any that began after the call did; the longest.
    """
    local, remote = _packed(seen.local), _packed(seen.remote)
    if local is None:
        return None, None
    young = rows["start_ns"] >= started_us * 1000
    to_us = rows[young & _at(rows, "dst", local)]
    from_us = rows[young & _at(rows, "src", local)]
    return _most(to_us, "src", remote), _most(from_us, "dst", remote)


def metered(rows: StreamRows, names: dict[tuple[int, int], str], seen: Called, started_us: int) -> Media:
    """The media of a call by the meter; a direction without packets is absent."""
    to_us, from_us = streams_of(rows, seen, started_us)
    counters, media = seen.counters, {}
    delay = delay_ms(counters)
    if to_us is not None:
        media["rx"] = _present({**stream_fields(to_us, names, delay_ms=delay), "source": "meter", **_delays(counters)})
    if from_us is not None:
        fields = stream_fields(from_us, names)
        media["tx"] = _present({**fields, **_far_quality(fields["codec"], counters), "source": "meter"})
    return media


def counted(seen: Called) -> Media:
    """The media of a call by pjsua2's own statistics."""
    counters = seen.counters
    if counters is None:
        return {}
    media: Media = {}
    if counters.rx_packets:
        expected = counters.rx_packets - counters.rx_duplicates + counters.rx_lost
        loss = counters.rx_lost / expected if expected > 0 else 0.0
        quality = assess(seen.codec, loss_percent=100 * loss, delay_ms=delay_ms(counters))
        media["rx"] = _present(
            {
                "codec": seen.codec, "packets": counters.rx_packets, "expected": expected, "lost": counters.rx_lost,
                "duplicates": counters.rx_duplicates, "reordered": counters.rx_reordered,
                "jitter_mean_seconds": counters.rx_jitter_mean_seconds,
                "jitter_max_seconds": counters.rx_jitter_max_seconds, "loss_ratio": loss,
                "discarded": counters.rx_discarded, "r_lq": quality.r_lq, "mos_lq": quality.mos_lq,
                "r_cq": quality.r_cq, "mos_cq": quality.mos_cq, "source": "pjsua2", **_delays(counters),
            }
        )  # fmt: skip
    if counters.tx_packets:
        own = {"codec": seen.codec, "packets": counters.tx_packets, "source": "pjsua2"}
        media["tx"] = _present({**own, **_far_quality(seen.codec, counters)})
    return media


def _far_quality(codec: str | None, counters: Counters | None) -> dict[str, Any]:
    """Quality of what we send, as the far end's RTCP tells (RFC 3550 section 6.4); unknown without its reports.

    At our own interface it is always perfect, whatever happens further on.
    """
    unknown = {"r_lq": None, "mos_lq": None, "r_cq": None, "mos_cq": None}
    if counters is None or counters.far_reports == 0 or counters.tx_packets == 0:
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


def _delays(counters: Counters | None) -> dict[str, Any]:
    if counters is None:
        return {}
    return {
        "round_trip_seconds": counters.rtt_mean_seconds if counters.rtt_samples else None,
        "buffer_seconds": counters.buffer_mean_seconds,
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


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Unmeasured is absent on the wire; seconds and ratios without noise digits."""
    return {
        key: round(value, 7) if isinstance(value, float) else value
        for key, value in fields.items()
        if value is not None
    }
