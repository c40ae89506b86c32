"""Capture files into a meter: pcap and pcapng, plain or gzipped, from a file or a pipe.

What is damaged is read as far as it is whole, and one warning says so; CaptureError when nothing of it can be read.
"""

import mmap
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypeAlias

from probes.media.built import native as _meter
from probes.media.errors import CaptureError
from probes.media.link_types import link_name, link_words
from probes.media.sdp import Announcing, announce_sdp
from probes.media.unpack import MAGIC as GZIP
from probes.media.unpack import Gunzip

Progress: TypeAlias = Callable[[int], None]  # octets of the file so far

_PIECE = 1 << 18  # octets read at once: they stay in the second-level cache
_LEAD = (1 << 20) + (1 << 12)  # CAPTURE_MAX_RECORD and its header, in whole pages
_OPENED, _SHORT = 0, 1  # enum capture_opening
_PARTIAL, _DAMAGED, _SIP = 2, 3, 4  # enum capture_stop
_FORMATS: tuple[Literal["pcap", "pcapng"], ...] = ("pcap", "pcapng")  # enum capture_format
_OTHERS = (
    (b"\xfd7zXZ\x00", "compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\x04\x22\x4d\x18", "compressed by lz4: unpack it first"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"snoop\x00\x00\x00", "a snoop file: convert it with `editcap IN OUT.pcap`"),
    (b"GMBU", "a Network Monitor file: convert it with `editcap IN OUT.pcap`"),
)  # fmt: skip
_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # whose pipes have a writer


class Metering(Announcing, Protocol):
    """The C meter and who takes what SIP says."""

    @property
    def core(self) -> "_meter.Meter": ...


@dataclass(frozen=True)
class CaptureFacts:
    """What a capture was, and what was met in it besides RTP."""

    format: Literal["pcap", "pcapng"]
    compression: Literal["gzip"] | None
    link_types: tuple[str, ...]  # by their names, in the order in which they came
    packets: int  # frames of every kind
    fragments: int  # IP packets that are fragments; the first of a datagram is metered all the same
    not_udp: int
    damaged: int  # frames too short for their own headers
    snapped: int  # frames that were longer on the wire
    unread: int  # frames of link types that are not read
    untimed: int  # frames without a time of their own (Simple Packet Block)
    warning: str | None = None


class _Pieces:
    """A source in memory, piece by piece.

    Each read lands at a page's start and what the last one left over is moved to just before it: 37 ns a packet where a
    memory map took 67 (its page faults cost more than the copy); a pipe, or a file that shrinks, is no special case.
    """

    def __init__(self, source: "BinaryIO | Gunzip") -> None:
        self.octets = memoryview(mmap.mmap(-1, _LEAD + _PIECE))
        self.start = self.end = _LEAD  # what is there and was not read yet
        self._source = source
        self._before = -_LEAD  # octets of the source before octets[0]

    @property
    def offset(self) -> int:
        """Where in the source the first octet stands that was not read yet."""
        return self._before + self.start

    def more(self) -> bool:
        """Read a piece more; False at the end. A pipe gives less at a time than is asked for."""
        rest = self.end - self.start
        self._before += self.end - _LEAD
        self.octets[_LEAD - rest : _LEAD] = self.octets[self.start : self.end]
        self.start, self.end = _LEAD - rest, _LEAD
        while self.end < len(self.octets) and (got := self._source.readinto(self.octets[self.end :])):  # type: ignore[union-attr]
            self.end += got
        return self.end > _LEAD


def meter_file(path: Path, meter: Metering, progress: Progress | None = None) -> CaptureFacts:
    """Meter a capture file; `-` is standard input."""
    try:
        if str(path) == "-":
            if sys.stdin.isatty():
                raise CaptureError("standard input is a terminal: send it a capture, `… | sereno rtp analyze -`")
            return feed_capture(sys.stdin.buffer, meter, "standard input", progress)
        if path.is_dir():
            raise CaptureError(f"{path}: a directory: give a capture file")
        # Asked first: opening a pipe would wait for a writer.
        if path.exists() and not path.is_file() and not str(path).startswith(_DESCRIPTORS):
            raise CaptureError(f"{path}: not a regular file: give a capture file, or - for standard input")
        with path.open("rb", buffering=0) as file:
            return feed_capture(file, meter, str(path), progress)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}: give a capture that can be read") from None
    except ValueError as error:  # a null octet in the name
        raise CaptureError(f"{str(path)!r}: {error}: give a capture that can be read") from None


def feed_capture(source: BinaryIO, meter: Metering, name: str, progress: Progress | None = None) -> CaptureFacts:
    """Meter what a source holds, from where it stands; `name` is for messages."""
    pieces = _Pieces(source)
    pieces.more()
    packed: Gunzip | None = None
    if bytes(pieces.octets[pieces.start : pieces.start + len(GZIP)]) == GZIP:
        packed = Gunzip(source, bytes(pieces.octets[pieces.start : pieces.end]))
        pieces = _Pieces(packed)
        pieces.more()
    reader = _meter.Capture(meter.core)
    _open(reader, pieces, name, packed)
    reasons = _read(reader, pieces, meter, packed, progress)
    if packed and packed.fault:
        reasons[:] = [
            f"{packed.fault} behind octet {pieces.offset} of the capture: read as far as its records are whole"
        ]
    found = reader.facts()
    strange = [number for number in found["link_types"] if not _meter.link_known(number)]
    refusal = _unread(strange)
    if (
        found["unread"] == found["packets"]
        and strange
        and (found["packets"] or len(strange) == len(found["link_types"]))
    ):
        raise CaptureError(f"{name}: {refusal}")
    if reasons and found["damage"] and not found["packets"]:
        raise CaptureError(f"{name}: {reasons[0]}")
    if found["unread"]:
        reasons.append(f"{found['unread']} of {found['packets']} packets not counted: {refusal}")
    return CaptureFacts(
        format=_FORMATS[found["format"]],
        compression="gzip" if packed else None,
        link_types=tuple(dict.fromkeys(link_name(number) for number in found["link_types"])),
        packets=found["packets"],
        fragments=found["fragments"],
        not_udp=found["not_udp"],
        damaged=found["damaged"],
        snapped=found["snapped"],
        unread=found["unread"],
        untimed=found["untimed"],
        warning=f"{name}: {'; '.join(reasons)}" if reasons else None,
    )


def _open(reader: "_meter.Capture", pieces: _Pieces, name: str, packed: Gunzip | None) -> None:
    """Read what a capture begins with; CaptureError when this is none."""
    here = pieces.octets[pieces.start : pieces.end]
    opening, offset, _ = reader.open(here)
    pieces.start += offset
    if opening == _OPENED:
        return
    if packed and packed.fault:
        raise CaptureError(f"{name}: {packed.fault} before a packet came: is the file complete?")
    if not len(here):
        raise CaptureError(f"{name}: empty: is the capture complete?")
    if opening == _SHORT:
        raise CaptureError(f"{name}: ends inside its file header: is the capture complete?")
    head = bytes(here[:16])
    what = next((words for magic, words in _OTHERS if head.startswith(magic)), None)
    raise CaptureError(f"{name}: {what or 'neither pcap nor pcapng: `editcap IN OUT.pcap` converts other captures'}")


def _read(
    reader: "_meter.Capture", pieces: _Pieces, meter: Metering, packed: Gunzip | None, progress: Progress | None
) -> list[str]:
    """Read all records; why not all of the source, if so."""
    while True:
        here = pieces.octets[: pieces.end]
        pieces.start, stop, message = reader.feed(here, pieces.start, len(here))
        if stop == _SIP and message is not None:
            announce_sdp(meter, message)
            continue
        if stop == _DAMAGED:
            why = reader.facts()["damage"]
            return [f"damaged at octet {pieces.offset}: {why}: read as far as its records are whole"]
        if progress:
            progress(packed.consumed if packed else pieces.offset)
        offset = pieces.offset
        if not pieces.more():
            cut = stop == _PARTIAL
            return [f"cut off at octet {offset}: read as far as its records are whole"] if cut else []


def _unread(strange: list[int]) -> str:
    """What to do about link types that are not read."""
    listed = ", ".join(map(link_words, strange))
    verb = "types {} are" if len(strange) > 1 else "type {} is"
    return f"link {verb.format(listed)} not read: capture on Ethernet, `-i any`, raw IP or loopback"
