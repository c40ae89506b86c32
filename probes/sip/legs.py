"""Whose message is whose, when both ends of a call are ours: a proxy keeps the Call-ID, so both legs share it. Pure."""

import re
from collections.abc import Iterable

from probes.sip.ipc import Message

_FROM_TAG = re.compile(r"^(?:from|f)[ \t]*:.*?;[ \t]*tag[ \t]*=[ \t]*([^;\s>]+)", re.IGNORECASE | re.MULTILINE)


def legs(messages: Iterable[Message]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Of one Call-ID, those of the leg that began it, which is the first INVITE sent, and those of the other one.

    From stays what it was in a response (RFC 3261 section 8.2.6.2): with the caller's tag in it, what we ask and what
    is answered to us is the caller's; what we are asked and answer is the callee's. With the callee's tag in From, for
    its own requests inside the dialog, it is the other way round.
    """
    found = tuple(messages)
    tag = next((_tag(m) for m in found if m.direction == "sent" and m.text.startswith("INVITE ")), None)
    began: list[Message] = []
    other: list[Message] = []
    for message in found:
        asks = not message.text.startswith("SIP/2.0 ")
        as_client = asks == (message.direction == "sent")
        (began if as_client == (_tag(message) == tag) else other).append(message)
    return tuple(began), tuple(other)


def _tag(message: Message) -> str | None:
    found = _FROM_TAG.search(message.text)
    return found[1] if found else None
