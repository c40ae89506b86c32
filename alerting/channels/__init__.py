"""Channels: one file each, behind one function type, in an explicit registry."""

from collections.abc import Callable, Mapping

from alerting.channels.alertmanager import alertmanager_channel
from alerting.channels.apprise import apprise_channel
from alerting.channels.base import Channel, DoubtError, RejectedError, RetryError
from alerting.channels.pagerduty import pagerduty_channel
from alerting.channels.smtp import smtp_channel
from alerting.channels.webhook import webhook_channel
from sereno.desk import ChannelConfig

REGISTRY: dict[str, Callable[[str, ChannelConfig], Channel]] = {
    "webhook": webhook_channel,
    "alertmanager": alertmanager_channel,
    "smtp": smtp_channel,
    "pagerduty": pagerduty_channel,
    "apprise": apprise_channel,
}


def channels_of(configured: Mapping[str, ChannelConfig]) -> dict[str, Channel]:
    """Every channel of the desk's file, ready to send."""
    return {name: channel_of(name, channel) for name, channel in configured.items()}


def channel_of(name: str, config: ChannelConfig) -> Channel:
    """One of them."""
    kind = "alertmanager" if config.format == "alertmanager" else config.kind
    return REGISTRY[kind](name, config)


__all__ = ["REGISTRY", "Channel", "DoubtError", "RejectedError", "RetryError", "channel_of", "channels_of"]
