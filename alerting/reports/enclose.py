"""Attachments are made when a message goes out, from the issue that it names: to the byte the same at every attempt."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from alerting.channels.base import RetryError
from alerting.effects import Enclosure, Notification
from sereno.press import File, PressError

Render = Callable[[int, str], Awaitable[File]]


async def enclosed(message: Notification, render: Render) -> Notification:
    """The message with its files; RetryError where one cannot be made now: it is no fault of the channel."""
    files = []
    for one in message.attachments:
        try:
            made = await render(one.issue, one.form)
        except PressError as error:
            raise RetryError(f"{one.name}: {error}", whole=False) from None
        files.append(Enclosure(name=one.name, type=made.type.partition(";")[0].strip(), body=made.body))
    return replace(message, enclosed=tuple(files)) if files else message


__all__ = ["Render", "enclosed"]
