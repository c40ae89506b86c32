"""What every channel is: a function that hands one message over and returns the receipt."""

from collections.abc import Awaitable, Callable

from alerting.effects import Notification

Channel = Callable[[Notification], Awaitable[str]]
TIMEOUT_SECONDS = 10.0


class RetryError(Exception):
    """It did not go through and may later; `after_seconds` is what the far end asked for."""

    def __init__(self, what: str, after_seconds: float | None = None) -> None:
        self.after_seconds = after_seconds
        super().__init__(what)


class RejectedError(Exception):
    """The far end will never take this message."""


def one_line(error: BaseException) -> str:
    """An exception in one line for a person, without a traceback and without long bodies."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
