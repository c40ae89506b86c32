"""Whatever apprise speaks: Telegram, WhatsApp, Teams, Slack… Its address is a secret and is never shown."""

import asyncio
import logging
import threading
import warnings
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from alerting.channels.base import TIMEOUT_SECONDS, Channel, DoubtError, RejectedError, RetryError, one_line, said
from alerting.effects import Notification
from alerting.letters.whole import whole
from sereno.desk import ChannelConfig
from sereno.topology import resolve_secret

_MOST_THREADS = 8  # of one channel: those that hang are left behind until their own time-outs end them
_CHAT, _LONGEST = 1_000, 3_500
_LONG_ENOUGH = 3  # letters; a shorter part of an address is no secret, and hiding it would spoil the words


def apprise_channel(name: str, config: ChannelConfig) -> Channel:
    """Sends through apprise, in a thread of its own for each message."""
    slots = threading.Semaphore(_MOST_THREADS)

    async def send(message: Notification) -> str:
        url = resolve_secret(config.apprise, name) if config.apprise is not None else None
        if url is None:
            raise RetryError(said("the channel's secret is missing"))
        if not slots.acquire(blocking=False):
            raise RetryError(said("earlier messages still hang"))
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str | None] = loop.create_future()

        def settle(fault: str | None) -> None:
            if not ended.done():
                ended.set_result(fault)

        def work() -> None:
            try:
                fault = _speak(url, message)
            finally:
                slots.release()
            with suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(settle, fault)

        threading.Thread(target=work, name=f"apprise-{name}", daemon=True).start()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                fault = await ended
        except TimeoutError:
            raise DoubtError(said("no answer within {seconds} s", seconds=f"{TIMEOUT_SECONDS:g}")) from None
        if fault is None:
            return "accepted"
        if fault == _NO_SERVICE:
            raise RejectedError(said(_NO_SERVICE))
        raise RetryError(fault)

    return send


_loading = threading.Lock()
_NO_SERVICE = "the address is none that apprise understands"


def _speak(url: str, message: Notification) -> str | None:
    """None when it was taken, else why not, without anything of the address in it."""
    apprise = _library()
    try:
        service = apprise.Apprise()
        if not service.add(url):
            return _NO_SERVICE
        kinds = {"resolved": apprise.NotifyType.SUCCESS, "test": apprise.NotifyType.INFO}
        loud = apprise.NotifyType.FAILURE if message.page else apprise.NotifyType.WARNING
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as heard:
            title, body = _fitting(message, min(int(one.body_maxlen) for one in service))
            taken = service.notify(
                title=title,
                body=body,
                notify_type=kinds.get(message.what, loud),
                body_format=apprise.NotifyFormat.TEXT,
            )
            words = heard.getvalue()
    except Exception as error:  # noqa: BLE001 - a hundred plug-ins of others; whatever they raise is a failure to send
        return one_line(f"{type(error).__name__}: {error}", *_parts(url))
    return None if taken else one_line(words or "apprise says no more than that it failed", *_parts(url))


def _fitting(message: Notification, limit: int) -> tuple[str, str]:
    """Title and body: an SMS gets the short form alone; chats refuse what is longer than some 4,000 characters."""
    short, text = message.short or message.subject, whole(message)
    if limit < _CHAT:
        return "", short
    longest = min(limit, _LONGEST)
    return short, text if len(text) <= longest else text[: text.rfind("\n", 0, longest)] + "\n…"


def _library() -> Any:
    """Large: only who uses it pays for it, once, with its hundred plug-ins."""
    with _loading, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own imports
        import apprise

        apprise.Apprise().add("json://localhost")
    logging.getLogger("apprise").propagate = False  # its own lines may hold the address
    return apprise


def _parts(url: str) -> list[str]:
    """Everything of the address in which a secret may be, longest first."""
    try:
        split = urlsplit(url)
    except ValueError:
        return [url]
    pieces = {url, split.netloc, split.path.strip("/"), split.query, *split.path.split("/"), *split.netloc.split("@")}
    pieces |= {part for piece in list(pieces) for part in piece.split(":")}
    kept = (piece for piece in pieces if len(piece) > _LONG_ENOUGH and piece != split.scheme)
    return sorted(kept, key=len, reverse=True)


__all__ = ["apprise_channel"]
