"""The text as it goes out: with the link by which its reader acknowledges."""

from alerting.effects import Notification
from alerting.words import say


def whole(message: Notification) -> str:
    """The body, and the link if there is one."""
    if message.ack_url is None:
        return message.body
    return f"{message.body}\n{say(message.locale, 'Acknowledge: {url}', url=message.ack_url)}"
