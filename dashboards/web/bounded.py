"""Bodies of requests: no larger than they may be, and not slower: a sender of drops must not hold a connection."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from dashboards.web.refusal import Refused

BODY_SECONDS = 20.0


async def body(request: Request, most: int) -> bytes:
    """The body, no larger than this, and JSON by its own word."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "send JSON with Content-Type: application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "send it without Content-Encoding")
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > most:
        raise Refused(413, f"over {most} bytes")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise Refused(413, f"over {most} bytes")
                parts.append(part)
    except ClientDisconnect:
        raise Refused(400, "it was cut short") from None
    except TimeoutError:
        raise Refused(408, f"it did not arrive within {BODY_SECONDS:.0f} s", connection="close") from None
    return b"".join(parts)
