"""Where an SDP says that media go, and the same SDP saying another place (RFC 4566, RFC 3605). Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Address = tuple[str, int]
_CONNECTION = re.compile(rb"c=IN IP4 ([0-9.]+)")
_MEDIUM = re.compile(rb"m=(\S+) (\d{1,5})( .*)")
_RTCP = re.compile(rb"a=rtcp:(\d{1,5})(?: IN IP4 ([0-9.]+))?")
_NOWHERE = b"0.0.0.0"  # RFC 3264 section 8.4: a call on hold
_ICE = (b"a=candidate:", b"a=remote-candidates:")  # they would lead around us


@dataclass(frozen=True, slots=True)
class Place:
    """Where one medium wants its packets; None: nowhere now."""

    rtp: Address | None
    rtcp: Address | None


def places(body: bytes) -> list[Place]:
    """One place for each m= line, in order."""
    found: list[Place] = []
    for section in _sections(body)[1:]:
        medium = _MEDIUM.fullmatch(section[0])
        host = _host(section) or _host(_sections(body)[0])
        if medium is None or host in {None, _NOWHERE} or int(medium[2]) == 0:
            found.append(Place(None, None))
            continue
        assert host is not None  # noqa: S101  # said above
        port = int(medium[2])
        rtcp = next((match for line in section if (match := _RTCP.fullmatch(line))), None)
        if b"a=rtcp-mux" in section:
            away: Address = (host.decode(), port)
        elif rtcp is not None:
            away = ((rtcp[2] or host).decode(), int(rtcp[1]))
        else:
            away = (host.decode(), port + 1)
        found.append(Place((host.decode(), port), away))
    return found


def moved(body: bytes, address: str, ports: Sequence[int]) -> bytes:
    """The same SDP with every medium at `address` and its port of `ports`; what is refused or on hold stays so."""
    lines: list[bytes] = []
    for number, section in enumerate(_sections(body)):
        port = ports[number - 1] if number else 0
        for line in section:
            if line.startswith(_ICE):
                continue
            lines.append(_moved_line(line, address.encode(), port))
    return b"\r\n".join(lines) + b"\r\n"


def _moved_line(line: bytes, address: bytes, port: int) -> bytes:
    if (connection := _CONNECTION.fullmatch(line)) and connection[1] != _NOWHERE:
        return b"c=IN IP4 " + address
    if (medium := _MEDIUM.fullmatch(line)) and int(medium[2]):
        return b"m=%s %d%s" % (medium[1], port, medium[3])
    if _RTCP.fullmatch(line):
        return b"a=rtcp:%d" % (port + 1)
    return line


def _sections(body: bytes) -> list[list[bytes]]:
    """The session's lines, then those of each medium."""
    found: list[list[bytes]] = [[]]
    for line in body.splitlines():
        if line.startswith(b"m="):
            found.append([])
        found[-1].append(line)
    return found


def _host(section: Sequence[bytes]) -> bytes | None:
    return next((match[1] for line in section if (match := _CONNECTION.fullmatch(line))), None)
