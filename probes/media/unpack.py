"""Gzip (RFC 1952), unpacked as it is read and as far as it is whole."""

import zlib
from typing import BinaryIO, Final

MAGIC: Final = b"\x1f\x8b"
_READ = 1 << 16  # octets of the file read at once
_WINDOW = 16 + zlib.MAX_WBITS  # with gzip's header and checksum


class Gunzip:
    """What a gzip file unpacks to; several members stand one behind the other."""

    def __init__(self, source: BinaryIO, head: bytes) -> None:
        """`head`: what was read of the source before."""
        self.fault: str | None = None  # why it ended before its end
        self.consumed = 0  # octets of the file
        self._source = source
        self._packed = head
        self._member = zlib.decompressobj(_WINDOW)
        self._unpacked = b""

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 at the end, which `fault` may explain."""
        while not self._unpacked:
            if self.fault or not (self._packed or self._refill()) or not self._next_member():
                break
            self._unpack(len(buffer))
        count = min(len(buffer), len(self._unpacked))
        buffer[:count] = self._unpacked[:count]
        self._unpacked = self._unpacked[count:]
        return count

    def _refill(self) -> bool:
        self._packed = self._source.read(_READ) or b""
        if not self._packed and not self._member.eof:
            self.fault = "its gzip data are cut off"
            self._unpacked = self._member.flush()
        return bool(self._packed)

    def _next_member(self) -> bool:
        """Behind a member comes another, or padding that is of no account."""
        if not self._member.eof:
            return True
        while len(self._packed) < len(MAGIC) and (more := self._source.read(1)):
            self._packed += more
        if not self._packed.startswith(MAGIC):
            return False
        self._member = zlib.decompressobj(_WINDOW)
        return True

    def _unpack(self, most: int) -> None:
        before, packed = self._member.copy(), self._packed
        try:
            self._unpacked = self._member.decompress(packed, most)
        except zlib.error:
            self._salvage(before, packed)
            return
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        self.consumed += len(packed) - len(self._packed)

    def _salvage(self, member: "zlib._Decompress", packed: bytes) -> None:
        """What came before the octet that is wrong; zlib gives nothing of a piece that has one."""
        self.fault = "its gzip data are damaged"
        found = []
        for at in range(len(packed)):
            try:
                found.append(member.decompress(packed[at : at + 1]))
            except zlib.error:
                break
        self._unpacked = b"".join(found)
