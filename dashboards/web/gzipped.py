"""Bodies that come in pieces, compressed piece by piece: nothing waits for the whole, nothing blocks for long."""

import zlib
from collections.abc import AsyncIterator

_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say gzip's header and trailer
_FAST = 1  # a scrape shrinks fifteenfold already; more costs CPU for little


def takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is welcome (RFC 9110, section 12.5.3)."""
    for each in accept_encoding.split(","):
        coding, *parameters = (part.strip().lower() for part in each.split(";"))
        if coding in ("gzip", "x-gzip", "*"):
            quality = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
            try:
                return float(quality) > 0
            except ValueError:
                return False
    return False


async def gzipped(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body as gzip."""
    squeezer = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    async for piece in body:
        if out := squeezer.compress(piece):
            yield out
    yield squeezer.flush()
