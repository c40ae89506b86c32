"""What every channel is: a function that hands one message over and returns the receipt."""

from collections.abc import Awaitable, Callable

from alerting.effects import Notification
from alerting.words import DESK_LANGUAGE, say

Channel = Callable[[Notification], Awaitable[str]]
TIMEOUT_SECONDS = 10.0
LONGEST_REST_SECONDS = 3_600.0
_SHOWN = 300


class RetryError(Exception):
    """It did not go through and may later.

    `after_seconds` is what the far end asked for. `whole`: the channel itself is in trouble, not this message alone.
    """

    def __init__(self, what: str, after_seconds: float | None = None, *, whole: bool = True) -> None:
        self.after_seconds, self.whole = after_seconds, whole
        super().__init__(what)


class DoubtError(RetryError):
    """It was spoken and nothing came back: nobody knows whether it got through, so it is not repeated at once."""


class RejectedError(Exception):
    """The far end will never take this message."""


def said(message: str, /, **values: object) -> str:
    """Words of ours in the desk's language: they end in timelines."""
    return say(DESK_LANGUAGE, message, **values)


def one_line(error: BaseException | str, *secrets: str | None) -> str:
    """An exception in one line for a person, without a traceback, long bodies or what must not be seen."""
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    return "".join(one if one.isprintable() else "�" for one in text)[:_SHOWN]
