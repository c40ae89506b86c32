"""The two faults of this room's SIP code, by who is at fault."""

from typing import Literal


class SipSyntaxError(Exception):
    """The peer's bytes are not a SIP reply (RFC 3261 section 7.2).

    `request` is true when they are a SIP request: somebody calls us, nobody garbled an answer.
    """

    def __init__(self, what: str, *, request: bool = False) -> None:
        self.request = request
        super().__init__(what)


class NetworkError(Exception):
    """The network or the resolver of this machine refused before any SIP was spoken."""

    def __init__(self, reason: Literal["refused", "dns", "transport"], what: str) -> None:
        self.reason: Literal["refused", "dns", "transport"] = reason
        super().__init__(what)
