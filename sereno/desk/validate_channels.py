"""Rules of the ways out, of the heartbeat among them; shapes were checked before."""

from collections.abc import Iterator

from sereno.desk.channels import PAGERDUTY, ChannelConfig
from sereno.desk.notifications import Heartbeat
from sereno.desk.validate_inbound import EMAIL
from sereno.errors import ConfigError
from sereno.topology.model import Secret
from sereno.yamlfile import Document, Where, is_url

_ONLY = {  # keys that mean something for one kind of channel alone
    "format": "webhook", "from_": "smtp", "reply_to": "smtp", "user": "smtp", "starttls": "smtp", "ca": "smtp",
}  # fmt: skip


def channel_faults(document: Document, where: Where, channel: ChannelConfig) -> Iterator[ConfigError]:
    """What is wrong with a channel."""
    for field, kind in _ONLY.items():
        if getattr(channel, field) is not None and channel.kind != kind:
            key = field.rstrip("_")
            yield document.fault((*where, key), f"means nothing for {channel.kind}", f"take {key} out")
    if channel.webhook is not None and not is_url(channel.webhook, {"http", "https"}):
        yield document.fault((*where, "webhook"), "is not a web address", "write https://host/path")
    if channel.smtp is not None:
        yield from _mail(document, where, channel)
    if channel.pagerduty is not None:
        if channel.pagerduty not in PAGERDUTY and not is_url(channel.pagerduty, {"http", "https"}):
            yield document.fault(
                (*where, "pagerduty"), "is neither a service region nor a web address",
                "write us, eu or https://host/v2/enqueue",
            )  # fmt: skip
        if channel.secret is None:
            yield document.fault(where, "has no routing key", "add `secret: {env: NAME}` or `secret: {file: PATH}`")
    yield from _reference(document, (*where, "apprise"), channel.apprise)
    yield from _reference(document, (*where, "secret"), channel.secret)


def heartbeat_faults(document: Document, where: Where, heartbeat: Heartbeat) -> Iterator[ConfigError]:
    """What is wrong with the sign of life."""
    if not is_url(heartbeat.url.replace("{secret}", "x"), {"http", "https"}):
        yield document.fault(
            (*where, "url"), "is not a web address", "write https://host/path or https://host/{secret}"
        )
    if "{secret}" in heartbeat.url and heartbeat.secret is None:
        yield document.fault(where, "has no secret for its address", "add `secret: {env: NAME}` or `{file: PATH}`")
    yield from _reference(document, (*where, "secret"), heartbeat.secret)


def _mail(document: Document, where: Where, channel: ChannelConfig) -> Iterator[ConfigError]:
    if not is_url(channel.smtp or "", {"smtp", "smtps"}):
        yield document.fault((*where, "smtp"), "is not a mail server", "write smtp://host:25 or smtps://host:465")
    elif channel.starttls is not None and (channel.smtp or "").startswith("smtps:"):
        yield document.fault((*where, "starttls"), "means nothing for smtps", "take starttls out, or write smtp://")
    if channel.from_ is None:
        yield document.fault(where, "has no sender", "add `from: sereno@example.net`")
    for key, value in (("from", channel.from_), ("reply_to", channel.reply_to)):
        if value is not None and not EMAIL.fullmatch(value.rpartition("<")[2].rstrip("> ")):
            yield document.fault((*where, key), f"{value!r} is no e-mail address", "write name@example.net")
    if channel.user is not None and channel.secret is None:
        yield document.fault(where, "has a user and no password", "add `secret: {env: NAME}` or `{file: PATH}`")


def _reference(document: Document, where: Where, secret: Secret | None) -> Iterator[ConfigError]:
    if secret is not None and (secret.file is None) == (secret.env is None):
        yield document.fault(where, "is not one reference", "write {file: PATH} or {env: NAME}")
