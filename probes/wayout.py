"""Whether this machine has a way to an address at all, by what its kernel knows; no packet is sent.

A cable that is out, an interface that is down, an address or a route that is gone: what is not answered then is this
probe's own fault, with or without canaries. Whatever is not certain counts as a way.
"""

import errno
import fcntl
import ipaddress
import os
import socket
import struct
from contextlib import suppress

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_GET_FLAGS, _GET_ADDRESS = 0x8913, 0x8915  # SIOCGIFFLAGS, SIOCGIFADDR: netdevice(7)
_LOOPBACK, _RUNNING = 0x8, 0x40  # IFF_LOOPBACK, IFF_RUNNING: it has a carrier
_ANY_PORT = 9


def lost(host: str) -> str | None:
    """Why there is no way to an IP address, in words; None: there is one, or nobody knows."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET  # noqa: PLR2004
    except ValueError:
        return None  # a name
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as own:
        try:
            own.connect((host, _ANY_PORT))
        except OSError as error:
            return os.strerror(error.errno) if error.errno in _NO_WAY else None
        if family == socket.AF_INET:
            return _unplugged(own, own.getsockname()[0])
    return None


def _unplugged(own: socket.socket, address: str) -> str | None:
    """The interface with our address on that way, if it has no carrier."""
    for _, name in socket.if_nameindex():
        asked = struct.pack("16s16x", name.encode())
        with suppress(OSError):  # an interface without an IPv4 address
            if socket.inet_ntoa(fcntl.ioctl(own, _GET_ADDRESS, asked)[20:24]) != address:
                continue
            (flags,) = struct.unpack("H", fcntl.ioctl(own, _GET_FLAGS, asked)[16:18])
            if not flags & (_LOOPBACK | _RUNNING):
                return f"{name} has no link"
    return None
