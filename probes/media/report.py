"""A stream in words: the fields of `sereno rtp analyze`, None where nothing was measured.

They are written by the C meter (csrc/report.c) as JSON; what it cannot know, names and codec rows, is given from here.
Standard library alone: a capture is reported without NumPy.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from probes.media import emodel, wideband
from probes.media.built import native
from probes.media.codecs import row_for
from probes.media.payload import STATIC

if TYPE_CHECKING:
    import numpy as np

    from probes.media.rows import StreamRows
    from probes.media.sdp import Info

Names: TypeAlias = Mapping[tuple[int, int], str]  # (profile, payload type) → codec
Label: TypeAlias = tuple[bytes, bytes, float, float, float, int, bool]

_NONE: Names = {}
_PIECE = 1 << 16  # octets of JSON made at once
_BASES = {"narrowband": (emodel.BASE_R, 1), "wideband": (wideband.RO, 2)}  # enum rating_scale


class Labels:
    """Names a stream's (profile, payload type) for the C report: codec, call, and the row that rates it."""

    def __init__(
        self, names: Names, infos: "Mapping[int, Info] | None" = None, *, plc: bool = True, provisional: bool = False
    ) -> None:
        """`names` and `infos` are the meter's; `plc`: G.711 is rated with packet-loss concealment."""
        self._names, self._infos = names, infos or {}
        self._plc, self._provisional = plc, provisional

    def __call__(self, profile: int, payload_type: int) -> Label:
        codec = codec_of(profile, payload_type, self._names)
        row = row_for(codec, plc=self._plc, provisional=self._provisional) if codec else None
        said = json.dumps(codec).encode(), self._signalled(profile, payload_type)
        if row is None:
            return (*said, math.nan, math.nan, math.nan, 0, False)
        base, scale = _BASES[row.scale]
        return (*said, base, row.ie, math.nan if row.bpl is None else row.bpl, scale, row.provisional)

    def _signalled(self, profile: int, payload_type: int) -> bytes:
        info = self._infos.get(profile)
        members = {
            "codec_source": codec_source(profile, payload_type, self._names),
            "call_id": info and info.call_id,
            "from": info and info.from_,
            "to": info and info.to,
            "sdp_ptime_seconds": info and info.ptime_seconds,
            "sdp_direction": info and info.direction,
            "srtp": info and info.secure,
        }
        return json.dumps(members, separators=(",", ":"))[1:-1].encode()


def stream_fields(
    row: "np.void",
    names: Names = _NONE,
    *,
    delay_ms: float | None = None,
    plc: bool = True,
    provisional: bool = False,
) -> dict[str, Any]:
    """The fields of one stream. `names` are the meter's; G.711 is rated with packet-loss concealment unless told.

    `delay_ms` is the one-way delay, where it is known: without it there is no MOS-CQ. What a row cannot tell (RTCP,
    audio, the call, whether anybody answers) is None.
    """
    labels = Labels(names, plc=plc, provisional=provisional)
    report = native.Report(None, labels, delay_ms=math.nan if delay_ms is None else delay_ms)
    fields: dict[str, Any] = json.loads(report.row(row.tobytes()))
    return fields


def streams_fields(
    rows: "StreamRows", names: Names = _NONE, *, plc: bool = True, provisional: bool = False
) -> list[dict[str, Any]]:
    """`stream_fields` of many rows, in the order of their starts."""
    report = native.Report(None, Labels(names, plc=plc, provisional=provisional))
    ordered = rows[rows.argsort(order=("start_ns", "ssrc"))]
    return [json.loads(report.row(row.tobytes())) for row in ordered]


def stream_pieces(report: "native.Report") -> Iterator[bytes]:
    """All streams of a report's meter as JSON objects with commas between, piece by piece."""
    report.begin()
    while piece := report.next(_PIECE):
        yield piece


def codec_of(profile: int, payload_type: int, names: Names = _NONE) -> str | None:
    """The codec's name by SDP, else by RFC 3551; None for a dynamic type nobody announced."""
    if name := names.get((profile, payload_type)):
        return name
    return STATIC[payload_type].codec if payload_type in STATIC and not profile else None


def codec_source(profile: int, payload_type: int, names: Names = _NONE) -> str | None:
    """On whose word a payload type is that codec: `sdp`, `option` (the user's), `rfc3551`; None: it is unknown."""
    if (profile, payload_type) in names:
        return "sdp" if profile else "option"
    return "rfc3551" if payload_type in STATIC and not profile else None


def codec_name(row: "np.void", names: Names = _NONE) -> str | None:
    """`codec_of` of a row."""
    return codec_of(int(row["profile"]), int(row["payload_type"]), names)
