"""What really became of a flow's packets: written by who did it, for a meter to be held against. Pure."""

import struct
from typing import Any

_HEADER = struct.Struct("!BBHII")
_VERSION = 0x80
_RUNS = 10_000  # of dropped numbers; beyond it they are only counted


def rtp_header(packet: bytes) -> tuple[int, int, int] | None:
    """SSRC, payload type and sequence number (RFC 3550 section 5.1); None when it is no RTP."""
    if len(packet) < _HEADER.size or packet[0] & 0xC0 != _VERSION:
        return None
    _, second, sequence, _, ssrc = _HEADER.unpack_from(packet)
    return ssrc, second & 0x7F, sequence


class Truth:
    """One stream in one direction, or the RTCP of it: what came to the relay and what left it."""

    def __init__(self) -> None:
        self.packets_in = self.packets_out = 0
        self.dropped = self.duplicated = self.delayed = self.reordered = 0
        self.first: int | None = None  # extended sequence numbers of what left
        self.last: int | None = None
        self._highest: int | None = None  # of what came
        self._runs: list[list[int]] = []
        self._delay_us = self._longest_us = 0

    def came(self, sequence: int) -> int:
        """A packet came; its number with the wraps counted."""
        self.packets_in += 1
        if self._highest is None:
            self._highest = sequence
        ahead = (sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000
        extended = self._highest + ahead
        self._highest = max(self._highest, extended)
        return extended

    def lost(self, extended: int) -> None:
        """It goes no further."""
        self.dropped += 1
        if self._runs and self._runs[-1][1] + 1 == extended:
            self._runs[-1][1] = extended
        elif len(self._runs) < _RUNS:
            self._runs.append([extended, extended])

    def left(self, extended: int, waited_us: int | None, *, again: bool = False) -> None:
        """It was sent on, `waited_us` later than it came if it was kept back at all; `again`: a second time."""
        self.packets_out += 1
        if again:
            self.duplicated += 1
            return
        if waited_us is not None:
            self.delayed += 1
            self._delay_us += waited_us
            self._longest_us = max(self._longest_us, waited_us)
        self.reordered += self.last is not None and extended < self.last
        self.first = extended if self.first is None else min(self.first, extended)
        self.last = extended if self.last is None else max(self.last, extended)

    @property
    def between(self) -> int:
        """Dropped between the first and the last that left: what a meter behind the relay can know of."""
        if self.first is None or self.last is None:
            return 0
        return sum(max(0, min(run[1], self.last) - max(run[0], self.first) + 1) for run in self._runs)

    def figures(self) -> dict[str, Any]:
        """All of it, for `sereno lab status --json`."""
        return {
            "packets_in": self.packets_in,
            "packets_out": self.packets_out,
            "dropped": self.dropped,
            "duplicated": self.duplicated,
            "delayed": self.delayed,
            "reordered": self.reordered,
            "lost": self.between,
            "first_sequence": self.first,
            "last_sequence": self.last,
            "dropped_sequences": [list(run) for run in self._runs],
            "delay_mean_seconds": self._delay_us / self.delayed / 1e6 if self.delayed else None,
            "delay_max_seconds": self._longest_us / 1e6 if self.delayed else None,
        }
