"""What RTCP says of streams, in words: the object `rtcp` of a stream in `sereno rtp analyze`.

The table is the C meter's (csrc/rtcp.h); the fields are listed in docs/media.md. None is what nobody reported.
"""

import ipaddress
import json
from dataclasses import dataclass
from typing import Any, Protocol


class Told(Protocol):
    """The C meter, as far as RTCP goes."""

    def rtcp(self, row: bytes | memoryview, /) -> str | None:
        """What RTCP says of the stream of a row, as JSON."""

    def rtcp_rows(self) -> list[tuple[bytes, int, bytes, int, int, str]]:
        """All that RTCP says."""


@dataclass(frozen=True)
class RtcpRow:
    """What RTCP said of one SSRC on its way from `src` to `dst`; the stream's clock is not known here.

    The ports are those of the media where RTCP's are the next (RFC 3550 section 11) or the same (RFC 5761).
    """

    src: str
    dst: str
    ssrc: int
    fields: dict[str, Any]


def rtcp_fields(core: Told, row: bytes | memoryview) -> dict[str, Any] | None:
    """The fields of the stream of a row (`stream_row` octets); None: no RTCP spoke of it."""
    told = core.rtcp(row)
    return None if told is None else json.loads(told)


def rtcp_rows(core: Told) -> list[RtcpRow]:
    """All that RTCP said, of streams in the capture or not, in the order of appearance."""
    return [
        RtcpRow(endpoint(src, src_port), endpoint(dst, dst_port), ssrc, json.loads(told))
        for src, src_port, dst, dst_port, ssrc, told in core.rtcp_rows()
    ]


def rtcp_between(core: Told, src: tuple[bytes, int], dst: tuple[bytes, int]) -> list[RtcpRow]:
    """The same of one way only: with hundreds of calls, reading what was said of all others takes milliseconds."""
    return [
        RtcpRow(endpoint(*src), endpoint(*dst), ssrc, json.loads(told))
        for *ends, ssrc, told in core.rtcp_rows()
        if ends == [*src, *dst]
    ]


def endpoint(octets: bytes, port: int) -> str:
    """`ip:port` of 16 octets as rows hold them, IPv6 in brackets."""
    address = ipaddress.IPv6Address(octets)
    mapped = address.ipv4_mapped
    return f"{mapped}:{port}" if mapped else f"[{address}]:{port}"
