"""PagerDuty, Events API v2: one alert for each incident and episode; 202 is the receipt, 400 is final."""

import re
from http import HTTPStatus

import msgspec

from alerting.channels.base import Channel, RejectedError, RetryError, one_line, said
from alerting.channels.http import post, settled
from alerting.effects import Notification
from alerting.letters.whole import whole
from sereno.clock import iso
from sereno.desk import ChannelConfig
from sereno.desk.channels import PAGERDUTY
from sereno.topology import resolve_secret

_LONGEST_KEY, _LONGEST_SUMMARY = 255, 1_024
_SEVERITIES = {"Urgente": "critical", "Alta": "error", "Normal": "warning", "Baja": "info"}
_ENDS = frozenset({"resolved", "found_late"})


class _Reply(msgspec.Struct):
    status: str = ""
    message: str = ""
    dedup_key: str = ""
    errors: list[str] = []


def pagerduty_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends to the Events API."""
    url = PAGERDUTY.get(config.pagerduty or "", config.pagerduty or "")

    async def send(message: Notification) -> str:
        routing_key = resolve_secret(config.secret, name) if config.secret is not None else None
        if routing_key is None:
            raise RetryError(said("the channel's secret is missing"))
        body = msgspec.json.encode({"routing_key": routing_key, **event(message)})
        head = {"Content-Type": "application/json", "User-Agent": "sereno"}
        answer = await post(url, body, head, routing_key)
        reply = _reply(answer.body)
        if answer.status == HTTPStatus.ACCEPTED:
            return one_line(f"{answer.words}: {reply.dedup_key or dedup_key(message)}", routing_key)
        if answer.status == HTTPStatus.BAD_REQUEST:
            why = "; ".join(reply.errors) or reply.message
            raise RejectedError(one_line(f"{answer.words}: {why}" if why else answer.words, routing_key))
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:  # something between us and them answered
            raise RetryError(f"{answer.words}: {said('that was not the Events API')}", answer.after_seconds)
        return settled(answer)

    return send


def event(message: Notification) -> dict[str, object]:
    """The event without its routing key."""
    if message.what == "acknowledged":
        return {"event_action": "acknowledge", "dedup_key": dedup_key(message)}
    if message.what in _ENDS:
        return {"event_action": "resolve", "dedup_key": dedup_key(message)}
    details = {row.label: row.text for row in message.rows} or {"": message.body}
    if message.step:
        details["first step"] = message.step
    found: dict[str, object] = {
        "event_action": "trigger",
        "dedup_key": dedup_key(message),
        "payload": {
            "summary": message.subject[:_LONGEST_SUMMARY],
            "source": message.service or "sereno",
            "severity": _SEVERITIES.get(message.priority, "info"),
            "timestamp": iso(message.since_us if message.since_us is not None else message.at_us),
            "component": f"{message.kind} {message.name}".strip(),
            "class": message.what,
            "custom_details": {**details, "text": whole(message)},
        },
        "client": "Sereno",
    }
    links = [(message.url, "Sereno"), (message.ack_url, "✓")]
    if message.url:
        found["client_url"] = message.url
    if any(link for link, _ in links):
        found["links"] = [{"href": link, "text": text} for link, text in links if link]
    return found


def dedup_key(message: Notification) -> str:
    """Stable for an incident's episode; a new one after it was reopened."""
    text = f"sereno.{message.service}.{message.thread or message.key}.{message.episode}"
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[-_LONGEST_KEY:]


def _reply(body: bytes) -> _Reply:
    try:
        return msgspec.json.decode(body, type=_Reply, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return _Reply()  # garbage: the status says enough


__all__ = ["dedup_key", "event", "pagerduty_channel"]
