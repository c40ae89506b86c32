"""What one knock at an address came to."""

import msgspec


class Knock(msgspec.Struct, frozen=True, kw_only=True):
    """One address; `reason` None: it answered."""

    sbc: str
    address: str
    reason: str | None
    code: int | None = None
