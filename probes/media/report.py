"""A stream's row in words: the fields of `sereno rtp analyze`, None where nothing was measured."""

import ipaddress
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from probes.media.payload import STATIC
from probes.media.quality import UNKNOWN, Quality, assess, listen
from probes.media.rows import NO_PAYLOAD_TYPE, StreamRows
from sereno.clock import iso

Names: TypeAlias = Mapping[tuple[int, int], str]

_NONE: Names = {}


def stream_fields(
    row: np.void, names: Names = _NONE, *, delay_ms: float | None = None, plc: bool = True
) -> dict[str, Any]:
    """The fields of one stream. `names` are the meter's; G.711 is rated with packet-loss concealment unless told.

    `delay_ms` is the one-way delay, where it is known: without it there is no MOS-CQ.
    """
    lost, expected = int(row["lost"]), int(row["expected"])
    quality = assess(
        codec_name(row, names),
        loss_percent=100 * lost / expected if expected else None,
        burst_ratio=_burst_ratio(row) or 1.0,
        delay_ms=delay_ms,
        plc=plc,
    )
    return _fields(row, names, quality)


def streams_fields(rows: StreamRows, names: Names = _NONE, *, plc: bool = True) -> list[dict[str, Any]]:
    """`stream_fields` of many rows, rated together; in the order of their starts."""
    rows = rows[rows.argsort(order=("start_ns", "ssrc"))]
    codecs = [codec_name(row, names) for row in rows]
    lost, runs = rows["lost"].astype(float), rows["loss_runs"].astype(float)
    loss = lost / np.maximum(rows["expected"], 1)
    burst = np.divide(lost, runs, out=np.full_like(lost, np.nan), where=runs > 0) * (1 - loss)
    qualities = [UNKNOWN] * len(rows)
    for codec in set(codecs):
        where = [index for index, name in enumerate(codecs) if name == codec]
        r, mos = listen(codec, loss_ratio=loss[where], burst_ratio=burst[where], plc=plc)
        for index, one_r, one_mos in zip(where, r.tolist(), mos.tolist(), strict=True):
            if one_r == one_r:  # noqa: PLR0124 - not NaN
                qualities[index] = Quality(one_r, one_mos, None, None, None, None)
    return [_fields(row, names, quality) for row, quality in zip(rows, qualities, strict=True)]


def _fields(row: np.void, names: Names, quality: Quality) -> dict[str, Any]:
    expected, lost = int(row["expected"]), int(row["lost"])
    payload_type = None if row["payload_type"] == NO_PAYLOAD_TYPE else int(row["payload_type"])
    return {
        "src": _endpoint(row["src"], row["src_port"]),
        "dst": _endpoint(row["dst"], row["dst_port"]),
        "ssrc": f"0x{int(row['ssrc']):08x}",
        "payload_type": payload_type,
        "codec": codec_name(row, names),
        "clock_rate": int(row["clock_rate"]) or None,
        "packets": int(row["packets"]),
        "bytes": int(row["bytes"]),
        "expected": expected,
        "lost": lost,
        "lost_rfc3550": int(row["lost_rfc3550"]),
        "duplicates": int(row["duplicates"]),
        "reordered": int(row["reordered"]),
        "strays": int(row["strays"]),
        "restarts": int(row["restarts"]),
        "payload_type_changes": int(row["payload_type_changes"]),
        "events": int(row["events"]),
        "comfort_noise": int(row["comfort_noise"]),
        "jitter_seconds": _number(row["jitter"]),
        "jitter_mean_seconds": _number(row["jitter_mean"]),
        "jitter_max_seconds": _number(row["jitter_max"]),
        "loss_ratio": lost / expected if expected else None,
        "burst_ratio": _burst_ratio(row),
        **_bursts(row),
        "discarded": None,  # nobody simulated a de-jitter buffer
        "r_lq": quality.r_lq,
        "mos_lq": quality.mos_lq,
        "r_cq": quality.r_cq,
        "mos_cq": quality.mos_cq,
        "start": iso(int(row["start_ns"]) // 1000),
        "end": iso(int(row["end_ns"]) // 1000),
        "duration_seconds": int(row["end_ns"] - row["start_ns"]) / 1e9,
        "largest_gap_seconds": int(row["largest_gap_ns"]) / 1e9,
    }


def codec_name(row: np.void, names: Names = _NONE) -> str | None:
    """The codec's name by SDP, else by RFC 3551; None for a dynamic type nobody announced."""
    number = int(row["payload_type"])
    if name := names.get((int(row["profile"]), number)):
        return name
    return STATIC[number].codec if number in STATIC and not row["profile"] else None


def _burst_ratio(row: np.void) -> float | None:
    """G.107 clause 7.5: mean length of a run of losses over what random loss gives, 1 / (1 - p). No loss: no value."""
    lost, expected, runs = int(row["lost"]), int(row["expected"]), int(row["loss_runs"])
    return lost / runs * (1 - lost / expected) if runs else None


def _bursts(row: np.void) -> dict[str, Any]:
    """RFC 3611 section 4.7.2 with Gmin 16: densities, and mean lengths in packets."""
    expected, lost = int(row["expected"]), int(row["lost"])
    bursts, inside, burst_lost = int(row["bursts"]), int(row["burst_packets"]), int(row["burst_lost"])
    outside = expected - inside
    return {
        "loss_run_max": int(row["loss_run_max"]),
        "bursts": bursts,
        "burst_density": burst_lost / inside if inside else None,
        "burst_packets_mean": inside / bursts if bursts else None,
        "gap_density": (lost - burst_lost) / outside if outside else None,
    }


def _number(value: np.float64) -> float | None:
    return None if math.isnan(value) else float(value)


def _endpoint(octets: np.void, port: np.uint16) -> str:
    address = ipaddress.IPv6Address(octets.tobytes())
    mapped = address.ipv4_mapped
    return f"{mapped}:{port}" if mapped else f"[{address}]:{port}"
