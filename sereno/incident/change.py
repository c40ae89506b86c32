"""A change of the platform, of its work or of its watch, near enough to a fault to be told with it."""

from typing import Literal

import msgspec

ChangeWord = Literal[
    "maintenance_began", "maintenance_ended", "isolated", "returned", "topology", "desk", "alarms", "takeover",
    "unsilenced", "recorded",
]  # fmt: skip


class PlatformChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done, to what, and when; `text` and `who` where a person wrote it down."""

    at_us: int
    what: ChangeWord
    kind: str
    name: str
    text: str | None = None
    who: str | None = None
