"""Webhook of Alertmanager's shape, version 4: for receivers that were written for it."""

import hashlib

import msgspec

from alerting.channels.base import Channel, RetryError, said
from alerting.channels.http import post, settled
from alerting.channels.webhook import headers
from alerting.effects import Item, Notification
from alerting.letters.whole import whole
from sereno.clock import iso
from sereno.desk import ChannelConfig
from sereno.topology import resolve_secret

_NEVER = "0001-01-01T00:00:00Z"  # what Go writes for no time
_OVER = frozenset({"resolved", "found_late"})


def alertmanager_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends to the configured URL."""

    async def send(message: Notification) -> str:
        secret = resolve_secret(config.secret, name) if config.secret is not None else None
        if config.secret is not None and secret is None:
            raise RetryError(said("the channel's secret is missing"))
        body = msgspec.json.encode(payload(message))
        return settled(await post(config.webhook or "", body, headers(message.key, body, secret), secret))

    return send


def payload(message: Notification) -> dict[str, object]:
    """The group of one incident, or of a list's incidents."""
    alerts = [_alert(message, one) for one in message.items or (_own(message),)]
    firing = any(one["status"] == "firing" for one in alerts)
    labels = {"service": message.service, "receiver_person": message.to}
    if not message.items:
        labels = {**labels, **alerts[0]["labels"]}  # type: ignore[dict-item]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{service="{message.service}", thread="{message.thread}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": message.channel,
        "groupLabels": {"service": message.service},
        "commonLabels": labels,
        "commonAnnotations": {"summary": message.subject, "description": whole(message)},
        "externalURL": (message.url or "").partition("/incidents")[0],
        "alerts": alerts,
    }


def _own(message: Notification) -> Item:
    return Item(
        what=message.what, number=message.incident or 0, title=message.title or message.subject,
        priority=message.priority, severity=message.severity, kind=message.kind, name=message.name,
        since_us=message.at_us if message.since_us is None else message.since_us, resolved_us=message.resolved_us,
        url=message.url, thread=message.thread,
    )  # fmt: skip


def _alert(message: Notification, one: Item) -> dict[str, object]:
    over = one.what in _OVER
    labels = {
        "alertname": "SerenoIncident", "service": message.service, "incident": str(one.number), "kind": one.kind,
        "element": one.name, "priority": one.priority, "severity": one.severity or one.priority,
    }  # fmt: skip
    annotations = {"summary": one.title}
    if not message.items:
        annotations["description"] = whole(message)
        if message.runbook or message.step:
            annotations["runbook"] = "\n".join(part for part in (message.step, message.runbook) if part)
    return {
        "status": "resolved" if over else "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": iso(one.since_us),
        "endsAt": iso(one.resolved_us) if over and one.resolved_us is not None else _NEVER,
        "generatorURL": one.url or "",
        "fingerprint": hashlib.sha256(f"{message.service}/{one.thread}".encode()).hexdigest()[:16],
    }


__all__ = ["alertmanager_channel", "payload"]
