"""A shift: who is on call from when to when, in the words of whoever wrote it."""

import msgspec


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """Some words name who is on call in [from, to)."""

    from_us: int
    to_us: int
    names: tuple[str, ...]
