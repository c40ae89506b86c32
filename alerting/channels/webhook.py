"""Webhook of our own shape: POST of a JSON document, signed when a secret is given; a 2xx is the receipt."""

import hashlib
import hmac
import time

import msgspec

from alerting.channels.base import Channel, RetryError, said
from alerting.channels.http import post, settled
from alerting.effects import Item, Notification
from alerting.letters.whole import whole
from sereno.clock import iso
from sereno.desk import ChannelConfig
from sereno.topology import resolve_secret

SIGNATURE_HEADER = "X-Sereno-Signature"
TIMESTAMP_HEADER = "X-Sereno-Timestamp"
SIGNATURE_V2_HEADER = "X-Sereno-Signature-V2"


def webhook_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends to the configured URL."""
    url = config.webhook or ""

    async def send(message: Notification) -> str:
        body = msgspec.json.encode(document(message))
        secret = resolve_secret(config.secret, name) if config.secret is not None else None
        if config.secret is not None and secret is None:
            raise RetryError(said("the channel's secret is missing"))
        return settled(await post(url, body, headers(message.key, body, secret), secret))

    return send


def headers(key: str, body: bytes, secret: str | None) -> dict[str, str]:
    """Of one attempt: the same key on every try; with a secret the signatures."""
    found = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "sereno"}
    if secret is not None:
        at = str(int(time.time()))
        found[SIGNATURE_HEADER] = "sha256=" + signature(secret, body)
        found[TIMESTAMP_HEADER] = at
        found[SIGNATURE_V2_HEADER] = "sha256=" + signature(secret, at.encode() + b"." + body)
    return found


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
        "ack_url": message.ack_url,
        "service": message.service,
        "priority": message.priority,
        "severity": message.severity,
        "cause": {"kind": message.kind, "name": message.name},
        "since": None if message.since_us is None else iso(message.since_us),
        "resolved": None if message.resolved_us is None else iso(message.resolved_us),
        "subject": message.subject,
        "text": whole(message),
        "short": message.short,
        "incidents": [_item(one) for one in message.items],
    }


def _item(one: Item) -> dict[str, object]:
    return {
        "number": one.number,
        "what": one.what,
        "title": one.title,
        "priority": one.priority,
        "severity": one.severity,
        "cause": {"kind": one.kind, "name": one.name},
        "since": iso(one.since_us),
        "resolved": None if one.resolved_us is None else iso(one.resolved_us),
        "url": one.url,
    }


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body, in hexadecimal (RFC 2104)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


__all__ = ["document", "headers", "signature", "webhook_channel"]
