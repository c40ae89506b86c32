"""One POST of JSON, and what its answer means: shared by every channel that speaks HTTP."""

import asyncio
import functools
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from alerting.channels.base import (
    LONGEST_REST_SECONDS,
    TIMEOUT_SECONDS,
    DoubtError,
    RejectedError,
    RetryError,
    one_line,
    said,
)

_TRY_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_SECONDS = re.compile(r"[0-9]{1,9}")
_BODY_SECONDS = 2.0
_LEAST_SECRET = 6  # letters: hiding what is shorter would only spoil the words
_MOST = 4_096  # octets of an answer that anybody reads
_NOT_SPOKEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


class Answer(NamedTuple):
    """What came back."""

    status: int
    words: str  # `HTTP 202 Accepted`
    body: bytes
    after_seconds: float | None  # Retry-After


async def post(url: str, body: bytes, headers: Mapping[str, str], *secrets: str | None) -> Answer:
    """The answer within ten seconds in all, however it trickles; RetryError when there is none."""
    return await _ask("POST", url, body, headers, *secrets)


async def get(url: str, headers: Mapping[str, str], *secrets: str | None) -> Answer:
    """The same with nothing to say but that we ask."""
    return await _ask("GET", url, b"", headers, *secrets)


async def _ask(method: str, url: str, body: bytes, headers: Mapping[str, str], *secrets: str | None) -> Answer:
    hidden = (url, *secrets, *_hidden(url))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _speak(method, url, body, headers)
    except _NOT_SPOKEN as error:
        raise RetryError(f"{type(error).__name__}: {one_line(error, *hidden)}") from None
    except TimeoutError:
        raise DoubtError(said("no answer within {seconds} s", seconds=f"{TIMEOUT_SECONDS:g}")) from None
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise DoubtError(f"{type(error).__name__}: {one_line(error, *hidden)}") from None


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Whom TLS believes: the system's authorities, read once."""
    return ssl.create_default_context()


async def _speak(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, verify=_authorities())
    async with client, client.stream(method, url, content=body, headers=dict(headers)) as answer:
        read = b""
        with suppress(httpx.HTTPError, TimeoutError):  # the status line is the receipt: a body takes nothing back
            async with asyncio.timeout(_BODY_SECONDS):
                async for piece in answer.aiter_raw():
                    read += piece
                    if len(read) >= _MOST:
                        break
        words = f"HTTP {answer.status_code} {answer.reason_phrase}".strip()
        return Answer(answer.status_code, one_line(words), read[:_MOST], retry_after(answer.headers.get("Retry-After")))


def settled(answer: Answer) -> str:
    """The receipt of a 2xx; RetryError or RejectedError otherwise."""
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer.words
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRY_LATER:
        raise RetryError(answer.words, answer.after_seconds)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        raise RejectedError(f"{answer.words}: {said('redirects are not followed, write the final address')}")
    raise RejectedError(answer.words)


def retry_after(value: str | None) -> float | None:
    """Seconds or a date (RFC 9110 §10.2.3), an hour at most; None when it is neither."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return min(float(value), LONGEST_REST_SECONDS)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), LONGEST_REST_SECONDS)


def _hidden(url: str) -> tuple[str, ...]:
    """The parts of an address in which people keep secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    found = (parts.path.strip("/"), parts.query, parts.username, parts.password)
    return tuple(part for part in found if part and len(part) >= _LEAST_SECRET)


__all__ = ["Answer", "get", "post", "retry_after", "settled"]
