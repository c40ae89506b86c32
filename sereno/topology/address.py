"""SIP addresses as operators write them: `sip:198.51.100.11:5060;transport=udp`, `sips:[2001:db8::1]`."""

import ipaddress
import re
from typing import NamedTuple

_SIP = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@\s;?<>]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>\d{1,5}))?(?P<parameters>(?:;[A-Za-z0-9_.-]+(?:=[^;\s?<>]+)?)*)"
)
_TCP = re.compile(r"tcp:(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):(?P<port>\d{1,5})")
_HIGHEST_PORT = 65_535
TRANSPORTS = ("udp", "tcp", "tls")


class SipAddress(NamedTuple):
    """A SIP URI in parts; `port` is 5060, or 5061 over TLS, when none is written."""

    scheme: str
    user: str | None
    host: str
    port: int
    transport: str


def parse_sip(text: str) -> SipAddress:
    """The parts of a SIP URI (RFC 3261, 19.1); ValueError in words when it is none."""
    found = _SIP.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a SIP address: write it as sip:HOST:PORT;transport=udp")
    scheme = found["scheme"]
    parameters = dict(p.partition("=")[::2] for p in found["parameters"].split(";") if p)
    transport = parameters.get("transport", "tls" if scheme == "sips" else "udp").lower()
    if transport not in TRANSPORTS:
        raise ValueError(f"transport {transport!r} is not known: write udp, tcp or tls")
    port = int(found["port"]) if found["port"] else (5061 if transport == "tls" else 5060)
    if not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"port {port} is out of range: write 1 to {_HIGHEST_PORT}")
    return SipAddress(scheme, found["user"], found["host"], port, transport)


def is_literal(text: str) -> bool:
    """Whether a SIP address names a host by its IP address, so that no DNS is asked."""
    try:
        ipaddress.ip_address(parse_sip(text).host.strip("[]"))
    except ValueError:
        return False
    return True


def check_canary(text: str, what: str = "a canary") -> None:
    """Refuses (ValueError in words) what is neither `sip:HOST[:PORT]` nor `tcp:HOST:PORT`."""
    if text.startswith(("sip:", "sips:")):
        parse_sip(text)
        return
    found = _TCP.fullmatch(text)
    if not found or not 0 < int(found["port"]) <= _HIGHEST_PORT:
        raise ValueError(f"{text!r} is not {what}: write sip:HOST or tcp:HOST:PORT")


def parse_ports(text: str) -> tuple[int, int]:
    """A range of ports as `20000-29999`; ValueError in words when it is none."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and low.isascii() and high.isascii()):
        raise ValueError(f"{text!r} is no range of ports: write 20000-29999")
    if len(low) > 5 or len(high) > 5 or not 0 < int(low) <= int(high) <= _HIGHEST_PORT:  # noqa: PLR2004
        raise ValueError(f"{text!r} runs backwards or out of range: write two ports from 1 to {_HIGHEST_PORT}")
    return int(low), int(high)
