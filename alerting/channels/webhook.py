"""Webhook: POST of a JSON document, signed when a secret is given; a 2xx is the receipt."""

import hashlib
import hmac
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import msgspec

from alerting.channels.base import TIMEOUT_SECONDS, Channel, RejectedError, RetryError, one_line
from alerting.effects import Notification
from sereno.clock import iso
from sereno.desk import ChannelConfig
from sereno.topology import resolve_secret

SIGNATURE_HEADER = "X-Sereno-Signature"
_TRY_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def webhook_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends to the configured URL."""
    url = config.webhook or ""

    async def send(message: Notification) -> str:
        body = msgspec.json.encode(document(message))
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        secret = resolve_secret(config.secret, name) if config.secret is not None else None
        if config.secret is not None and secret is None:
            raise RetryError("the channel's secret is missing")
        if secret is not None:
            headers[SIGNATURE_HEADER] = "sha256=" + signature(secret, body)
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
                answer = await client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise RetryError(f"{type(error).__name__}: {one_line(error)}") from None
        return receipt(answer)

    return send


def document(message: Notification) -> dict[str, object]:
    """What is posted."""
    return {
        "v": 1,
        "key": message.key,
        "what": message.what,
        "page": message.page,
        "at": iso(message.at_us),
        "to": message.to,
        "incident": message.incident,
        "url": message.url,
        "priority": message.priority,
        "severity": message.severity,
        "cause": {"kind": message.kind, "name": message.name},
        "subject": message.subject,
        "text": message.body,
    }


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body, in hexadecimal (RFC 2104)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def receipt(answer: httpx.Response) -> str:
    """The receipt of a 2xx; RetryError or RejectedError otherwise."""
    status = answer.status_code
    said = f"HTTP {status} {answer.reason_phrase}".strip()
    if answer.is_success:
        return said
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRY_LATER:
        raise RetryError(said, _retry_after(answer.headers.get("Retry-After")))
    raise RejectedError(said)


def _retry_after(value: str | None) -> float | None:
    """Seconds or a date (RFC 9110 §10.2.3); None when it is neither."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
