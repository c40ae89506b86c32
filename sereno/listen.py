"""Where a page may listen: loopback, until accounts and TLS are set."""

import ipaddress

from sereno.errors import UsageError


def parse_http(text: str) -> tuple[str, int]:
    """HOST and PORT of `127.0.0.1:8080` or `[::1]:8080`; UsageError, in one line, otherwise."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004  # RFC 9293: ports have 16 bits
        raise UsageError(f"--http {text}: not HOST:PORT, such as 127.0.0.1:8080")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"--http {text}: {host!r} is no IP address; write 127.0.0.1:8080") from None
    if not address.is_loopback:
        raise UsageError(
            f"--http {text}: pages beyond loopback need accounts and TLS, which this version does not have; "
            "listen on 127.0.0.1 and put a reverse proxy with both in front"
        )
    return host, int(port)
