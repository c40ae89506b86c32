"""Where a SIP URI leads (RFC 3263 section 4): NAPTR, SRV, A and AAAA, asked of the DNS with dnspython. No cache here.

A phone takes the first target that works. A monitor wants to know all of them, so `locate` gives every target of the
transport that NAPTR or the URI chooses, in the order in which a phone would try them.
"""

import asyncio
import errno
import ipaddress
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import msgspec

from probes.sip.errors import NetworkError
from probes.sip.uri import DEFAULT_PORT, TLS_PORT, SipUri

HOSTS = Path("/etc/hosts")
HOSTS_TTL_SECONDS = 10.0
TARGET_LIMIT = 32  # of one name
# RFC 3263 section 4.1; section 4.1 too: a sips URI goes nowhere but over TLS.
_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV_PREFIX = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


class Address(msgspec.Struct, frozen=True):
    """What a socket needs to connect, and what is spoken there."""

    family: int
    sockaddr: tuple[Any, ...]
    transport: str = "udp"

    @property
    def uri(self) -> str:
        """As a topology would write it."""
        host, port = self.sockaddr[:2]
        return f"sip:{f'[{host}]' if ':' in host else host}:{port};transport={self.transport}"


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """Every target of a name, for so long; `trouble` says what of the question was not answered."""

    targets: tuple[Address, ...]
    ttl_seconds: float
    how: str
    trouble: str | None = None


class Srv(msgspec.Struct, frozen=True):
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


def in_order(records: Sequence[Srv], draw: random.Random) -> list[Srv]:
    """The order in which RFC 2782 has a client try them: by priority, at random by weight within one."""
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted((r for r in records if r.priority == priority), key=lambda r: (r.weight, r.host, r.port))
        while left:
            point, total = draw.randint(0, sum(r.weight for r in left)), 0
            for record in left:
                total += record.weight
                if total >= point:
                    break
            ordered.append(record)
            left.remove(record)
    return ordered


def literal(host: str, port: int, transport: str = "udp") -> Address | None:
    """The address that needs no resolving; None for a name."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if version == 4:  # noqa: PLR2004
        return Address(socket.AF_INET, (host, port), transport)
    return Address(socket.AF_INET6, (host, port, 0, 0), transport)


class Dns:
    """Questions to the resolvers of this machine, or to those that the topology names."""

    def __init__(self, servers: Sequence[str] = (), *, port: int = 53, hosts: Path = HOSTS) -> None:
        self.servers, self.port, self._hosts = tuple(servers), port, hosts
        self._resolver: dns.asyncresolver.Resolver | None = None

    def known_here(self, name: str) -> list[str]:
        """The addresses that the hosts file gives; of no interest when the topology names the resolvers to ask."""
        if self.servers:
            return []
        found: list[str] = []
        try:
            lines = self._hosts.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        for line in lines:
            address, *names = line.partition("#")[0].split() or [""]
            if name.lower().rstrip(".") in (known.lower() for known in names) and literal(address, 0) is not None:
                found.append(address)
        return found

    async def ask(self, name: str, kind: str, seconds: float) -> tuple[list[Any], float]:
        """The records and how long they hold; none at all is an answer too. NetworkError `dns` when nobody says."""
        try:
            answer = await self._ready().resolve(
                dns.name.from_text(name), kind, lifetime=max(0.05, seconds), raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return [], 0.0
        except (dns.exception.Timeout, TimeoutError):
            raise NetworkError("dns", f"{name}: no answer from the resolver in {seconds:.2g} s ({kind})") from None
        except dns.resolver.NoNameservers as error:
            raise NetworkError("dns", f"{name}: no resolver gives an answer: {_refusal(error)} ({kind})") from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            words = str(error)[:120] or type(error).__name__
            raise NetworkError("dns", f"{name}: {words} ({kind})") from None
        if answer.rrset is None:
            return [], 0.0
        return list(answer.rrset), float(answer.chaining_result.minimum_ttl)

    async def exists(self, name: str, seconds: float) -> bool:
        """False when the DNS says that there is no such name (NXDOMAIN)."""
        try:
            await self._ready().resolve(
                dns.name.from_text(name), "A", lifetime=max(0.05, seconds), raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return False
        except (dns.exception.DNSException, OSError, UnicodeError):
            return True
        return True

    def _ready(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            try:
                made = dns.asyncresolver.Resolver(configure=not self.servers)
            except dns.resolver.NoResolverConfiguration:
                raise NetworkError("dns", "this machine has no resolver: no /etc/resolv.conf") from None
            if self.servers:
                made.nameservers = list(self.servers)
            made.port = self.port
            self._resolver = made
        return self._resolver


def _refusal(error: dns.resolver.NoNameservers) -> str:
    """What the last resolver that was asked did."""
    errors = error.kwargs.get("errors") or [(None, False, 0, "refused", None)]
    _, over_tcp, _, cause, _ = errors[-1]
    if isinstance(cause, OSError):
        words = cause.strerror or "no connection"
        return f"its answer is too long for UDP, and over TCP there is none ({words})" if over_tcp else words
    return str(cause)[:120].rstrip(".") or type(cause).__name__


async def locate(uri: SipUri, ask: Dns, *, seconds: float, draw: random.Random | None = None) -> Located:
    """Every target of the URI's host; NetworkError `dns`, in words, when there is none."""
    return await _Search(uri, ask, seconds, draw or random.Random()).run()  # noqa: S311  # load sharing, no secret


class _Search:
    """One walk through RFC 3263."""

    def __init__(self, uri: SipUri, ask: Dns, seconds: float, draw: random.Random) -> None:
        self._uri, self._ask, self._draw = uri, ask, draw
        self._until = asyncio.get_running_loop().time() + seconds
        self._ttl: float | None = None
        self._trouble: str | None = None
        self._steps: list[str] = []

    async def run(self) -> Located:
        uri = self._uri
        here = self._ask.known_here(uri.host)
        named = uri.transport if uri.named_transport or uri.scheme == "sips" else None
        if here:
            self._steps.append("hosts file")
            self._heard(HOSTS_TTL_SECONDS)
            found = [literal(a, uri.effective_port, uri.transport) for a in here]
        elif uri.port is not None:  # section 4.2: a port forbids SRV, and section 4.1 NAPTR
            found = list(await self._hosts(uri.host, uri.port, named or "udp"))
        else:
            found = list(await self._services(named))
        targets = list(dict.fromkeys(one for one in found if one is not None))
        usable = [one for one in targets if _routable(one)] or targets
        if not usable:
            raise await self._nothing()
        return Located(
            targets=tuple(usable[:TARGET_LIMIT]),
            ttl_seconds=self._ttl or 0.0,
            how=", ".join(dict.fromkeys(self._steps)),
            trouble=self._trouble,
        )

    async def _services(self, named: str | None) -> list[Address]:
        """No port: NAPTR tells the transport, SRV the hosts and ports."""
        host = self._uri.host
        if named is None:
            for _, _, transport, flag, replacement in await self._naptr(host):
                if flag == "a":
                    return await self._hosts(replacement, _default_port(transport), transport)
                records = await self._srv(replacement)
                if records:
                    return await self._behind(records, transport)
        for transport in (named,) if named is not None else ("udp", "tcp", "tls"):
            records = await self._srv(f"{_SRV_PREFIX[transport]}.{host}")
            if records:
                return await self._behind(records, transport)
        transport = named or "udp"
        return await self._hosts(host, _default_port(transport), transport)

    async def _naptr(self, host: str) -> list[tuple[int, int, str, str, str]]:
        """Records that we can use, best first: order, preference, transport, flag, replacement."""
        found = []
        for record in await self._records(host, "NAPTR"):
            transport = _SERVICES.get(_text(record.service).upper())
            flag = _text(record.flags).lower()
            replacement = record.replacement.to_text(omit_final_dot=True)
            if transport is not None and flag in {"s", "a"} and replacement and not record.regexp:
                found.append((record.order, record.preference, transport, flag, replacement))
        if found:
            self._steps.append("NAPTR")
        return sorted(found)

    async def _srv(self, name: str) -> list[Srv]:
        records = [
            Srv(r.priority, r.weight, r.port, r.target.to_text(omit_final_dot=True))
            for r in await self._records(name, "SRV")
        ]
        if records:
            self._steps.append("SRV")
        return [record for record in records if record.host not in {"", "."}]  # RFC 2782: "." is "not here"

    async def _behind(self, records: list[Srv], transport: str) -> list[Address]:
        ordered = in_order(records, self._draw)[:TARGET_LIMIT]
        found = await asyncio.gather(*(self._hosts(one.host, one.port, transport) for one in ordered))
        return [address for addresses in found for address in addresses]

    async def _hosts(self, host: str, port: int, transport: str) -> list[Address]:
        """A and AAAA of a host."""
        known = literal(host, port, transport)
        if known is not None:
            return [known]
        answers = await asyncio.gather(
            self._ask.ask(host, "A", self._left), self._ask.ask(host, "AAAA", self._left), return_exceptions=True
        )
        found: list[Address] = []
        for answer in answers:
            if isinstance(answer, NetworkError):
                self._trouble = str(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                records, ttl = answer
                if records:
                    self._heard(ttl)
                found += [one for r in records if (one := literal(r.address, port, transport)) is not None]
        if found:
            self._steps.append("A/AAAA")
        return sorted(found, key=lambda one: (one.family, one.sockaddr))

    async def _records(self, name: str, kind: str) -> list[Any]:
        records, ttl = await self._ask.ask(name, kind, self._left)
        if records:
            self._heard(ttl)
        return records

    async def _nothing(self) -> NetworkError:
        host = self._uri.host
        if self._trouble is not None:
            return NetworkError("dns", self._trouble)
        if self._steps:
            return NetworkError("dns", f"{host}: {', '.join(dict.fromkeys(self._steps))} lead to no address")
        if not await self._ask.exists(host, self._left):
            return NetworkError("dns", f"{host}: no such name (NXDOMAIN)")
        return NetworkError("dns", f"{host}: the name has no address")

    @property
    def _left(self) -> float:
        return max(0.05, self._until - asyncio.get_running_loop().time())

    def _heard(self, ttl: float) -> None:
        self._ttl = ttl if self._ttl is None else min(self._ttl, ttl)


def _default_port(transport: str) -> int:
    return TLS_PORT if transport == "tls" else DEFAULT_PORT


def _text(value: bytes | str) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _routable(address: Address) -> bool:
    """Whether this machine has a way there at all: a machine without IPv6 leaves AAAA alone (RFC 6724 section 5)."""
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address.sockaddr)
        except OSError as error:
            return error.errno not in {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True
