"""SIP URIs as the topology writes them (RFC 3261 section 19.1), and the `{core}` words inside steering."""

import functools
import ipaddress
import re

import msgspec

from sereno.errors import UsageError

_URI = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@\s<>\"]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<params>(?:;[^;?\s<>\"]+)*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\{([^{}]*)\}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
DEFAULT_PORT = 5060
TLS_PORT = 5061


class SipUri(msgspec.Struct, frozen=True, kw_only=True):
    """`host` has no brackets even when it is an IPv6 literal; `port` is None when not written."""

    scheme: str
    host: str
    user: str | None = None
    port: int | None = None
    params: tuple[str, ...] = ()

    @property
    def transport(self) -> str:
        """`udp`, `tcp`, `tls`…: sips and transport=tls mean TLS, nothing means UDP (RFC 3263 without DNS)."""
        return "tls" if self.scheme == "sips" else _named_transport(self.params) or "udp"

    @property
    def named_transport(self) -> str | None:
        """What the transport parameter says, in lower case; None where there is none."""
        return _named_transport(self.params)

    @property
    def itself(self) -> str:
        """As a Request-URI for whoever is there; the transport is in it, so that it goes on no other way."""
        if self.scheme == "sips":
            return f"sips:{self.hostport}"
        return f"sip:{self.hostport}" + ("" if self.transport == "udp" else f";transport={self.transport}")

    @property
    def is_name(self) -> bool:
        """Whether the host must be resolved."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return True
        return False

    @property
    def route(self) -> str:
        """As it stands in a Route: UDP needs no word (RFC 3261 section 19.1.1), loose routing does (19.1.1, 16.12)."""
        return _route(self)

    @property
    def effective_port(self) -> int:
        return self.port or (TLS_PORT if self.transport == "tls" else DEFAULT_PORT)

    @property
    def hostport(self) -> str:
        """As it stands in a URI or a Via: IPv6 in brackets, the port only when written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


# Asked again and again, for the same few addresses.


@functools.lru_cache(maxsize=1024)
def _named_transport(params: tuple[str, ...]) -> str | None:
    return next((p[len("transport=") :].lower() for p in params if p.lower().startswith("transport=")), None)


@functools.lru_cache(maxsize=1024)
def _route(uri: SipUri) -> str:
    carried = "" if uri.transport == "udp" else f";transport={uri.transport}"
    return f"<sip:{uri.hostport}{carried};lr>"


@functools.lru_cache(maxsize=1024)
def parse_uri(text: str) -> SipUri:
    """The parts of a sip or sips URI; UsageError (one line) when it is none."""
    found = _URI.fullmatch(text)
    if found is None or (found["port"] is not None and not 0 < int(found["port"]) < 65536):  # noqa: PLR2004
        raise UsageError(f"{text!r} is not a SIP URI: write it like sip:198.51.100.11:5060;transport=udp")
    return SipUri(
        scheme=found["scheme"].lower(),
        user=found["user"],
        host=found["host"].strip("[]"),
        port=int(found["port"]) if found["port"] else None,
        params=tuple(part for part in found["params"].split(";") if part),
    )


def fill(text: str, *, core: str, core_uri: str, prefix: str | None, sbc: SipUri, domain: str | None = None) -> str:
    """`{core}` (its host and port), `{core.name}`, `{core.prefix}`, `{sbc}`, `{domain}`, and `@sbc`, put in.

    UsageError for any other word, and for control characters: what comes out stands in a SIP message.
    """
    words = {
        "core": parse_uri(core_uri).hostport,
        "core.name": core,
        "core.prefix": prefix or "",
        "sbc": sbc.hostport,
        "domain": domain or "",
    }

    def word(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise UsageError(f"{text!r}: unknown word {found[0]}; there are {', '.join(f'{{{w}}}' for w in words)}")
        return words[found[1]]

    filled = re.sub(r"@sbc(?![\w.-])", f"@{sbc.hostport}", _WORD.sub(word, text))
    if _UNSAFE.search(filled):
        raise UsageError(f"{text!r}: control characters cannot stand in a SIP message; write it on one line")
    return filled
