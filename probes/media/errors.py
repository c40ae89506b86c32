"""What can go wrong around captures; each is one line for a person."""

from sereno.errors import SerenoError


class CaptureError(SerenoError):
    """A capture file cannot be read."""


class CaptureUnavailable(SerenoError):  # noqa: N818 - the name says what the caller has to live with
    """Packets cannot be captured here: no CAP_NET_RAW, no such interface, no C meter."""
