"""The two faults of this room's SIP code, by who is at fault."""

from typing import Literal

from probes.sip.link import Link

Trouble = Literal["refused", "dns", "transport", "timeout", "tls", "malformed", "probe_fault"]


class SipSyntaxError(Exception):
    """The peer's bytes are not a SIP reply (RFC 3261 section 7.2).

    `request` is true when they are a SIP request: somebody calls us, nobody garbled an answer.
    """

    def __init__(self, what: str, *, request: bool = False) -> None:
        self.request = request
        super().__init__(what)


class NetworkError(Exception):
    """No transaction came about: the resolver, the network, the connection or TLS stood in its way.

    `probe_fault` is this machine's own: a file of keys that cannot be read. `link` is how far the connection came.
    """

    def __init__(self, reason: Trouble, what: str, *, link: Link | None = None) -> None:
        self.reason: Trouble = reason
        self.link = link
        super().__init__(what)
