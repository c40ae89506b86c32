"""Channels: one file each, behind one function type, in an explicit registry."""

from collections.abc import Callable, Mapping

from alerting.channels.base import Channel, RejectedError, RetryError
from alerting.channels.smtp import smtp_channel
from alerting.channels.webhook import webhook_channel
from sereno.desk import ChannelConfig

REGISTRY: dict[str, Callable[[str, ChannelConfig], Channel]] = {
    "webhook": webhook_channel,
    "smtp": smtp_channel,
}


def channels_of(configured: Mapping[str, ChannelConfig]) -> dict[str, Channel]:
    """Every channel of the desk's file, ready to send."""
    return {name: REGISTRY[channel.kind](name, channel) for name, channel in configured.items()}


__all__ = ["REGISTRY", "Channel", "RejectedError", "RetryError", "channels_of"]
