"""What is told of a connection and of the TLS session on it: plain records that everything else here may import."""

from typing import Any

import msgspec

from sereno.clock import SECOND_US, iso

_NAMES_TOLD = 20  # of one certificate; all are compared
_DAY_US = 86_400 * SECOND_US


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A TLS session as it stands. What could not be read of the certificate is None."""

    version: str | None = None
    cipher: str | None = None
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] = ()
    not_before_us: int | None = None
    not_after_us: int | None = None
    verified: bool
    why: str | None = None

    def facts(self, now_us: int) -> dict[str, Any]:
        """As results tell it; days are those left now."""
        days = None if self.not_after_us is None else round((self.not_after_us - now_us) / _DAY_US, 3)
        told = {
            "version": self.version,
            "cipher": self.cipher,
            "subject": self.subject,
            "issuer": self.issuer,
            "sans": list(self.names[:_NAMES_TOLD]) or None,
            "not_after": None if self.not_after_us is None else iso(self.not_after_us),
            "days_to_expiry": days,
            "verified": self.verified,
            "why": self.why,
        }
        return {key: value for key, value in told.items() if value is not None}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that carried a transaction, or was to carry it. `replaced` says how the one before was lost."""

    reused: bool = False
    connect_seconds: float | None = None
    handshake_seconds: float | None = None
    session: Session | None = None
    replaced: str | None = None
