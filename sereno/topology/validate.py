"""References and rules between the sections of a topology; shapes were checked before."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from itertools import permutations

from babel import localedata

from sereno.contract import known_contract
from sereno.errors import ConfigError
from sereno.topology import validate_calls as calls
from sereno.topology.address import check_canary, parse_ports, parse_sip
from sereno.topology.model import Identify, Sbc, SignallingCheck, Topology
from sereno.wire import CHECKS
from sereno.yamlfile import Document, Where, is_url, nearest

_LEAST_RAW_US = 8 * 86_400_000_000  # a spool's seven days, and one (docs/probe.md)
_LEAST_RESULTS_US = 61 * 86_400_000_000  # results that come 60 days late are still taken in (collector/ingest.py)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HEADER = re.compile(r"[A-Za-z0-9!%'*+.`_~-]+:.*")  # RFC 3261, 25.1: header-name HCOLON header-value
PLACEHOLDERS = ("core", "core.name", "core.prefix", "sbc", "domain")
SIGNALLING = ("edge", "options", "natural")


def check(document: Document, topology: Topology) -> None:
    """Raises the first fault by line."""
    document.refuse(_Checker(document, topology).faults())


def notes(topology: Topology) -> list[str]:
    """What is right and still worth a second look, one line each."""
    networks = {probe.network for probe in topology.probes.values()}
    found = [
        f"sites.{name}: no probe looks from {network} yet"
        for name, site in topology.sites.items()
        for network in site.networks
        if networks and network not in networks
    ]
    found += [
        f"cores.{name}: no `identify`, so its answers prove nothing"
        for name, core in topology.cores.items()
        if core.identify is None
    ]
    found += [
        f"probes.{name}: no canary, so a fault of its own network looks like the service's"
        for name, probe in topology.probes.items()
        if probe.vantage == "outside" and not probe.canaries
    ]
    register = topology.checks.register_
    if register is not None and register.every_us >= register.expires_us:
        found.append(
            f"checks.register.every: {_words(register.every_us)} is no less than `expires`"
            f" ({_words(register.expires_us)}), so a binding is held by refreshes that nobody measures;"
            " ask for more than twice `every`"
        )
    return found


def _words(duration_us: int) -> str:
    return f"{duration_us / 1_000_000:g} s"


class _Checker:
    def __init__(self, document: Document, topology: Topology) -> None:
        self._document, self._topology = document, topology
        self._fault = document.fault

    def faults(self) -> Iterator[ConfigError]:
        yield from self._document.zone(("timezone",), self._topology.timezone)
        if self._topology.domain is not None:
            yield from self._host(("domain",), self._topology.domain)
        yield from self._cores()
        yield from self._sbcs()
        yield from self._customers()
        yield from self._sites()
        yield from self._signalling()
        yield from self._accounts()
        yield from calls.faults(self._document, self._topology, self._callee_uri)
        yield from self._probes()
        yield from self._others()

    def _sip(self, where: Where, text: str) -> Iterator[ConfigError]:
        try:
            parse_sip(text)
        except ValueError as error:
            yield self._worded(where, error)

    def _host(self, where: Where, text: str) -> Iterator[ConfigError]:
        try:
            found = parse_sip(f"sip:{text}")
        except ValueError:
            found = None
        if found is None or found.user is not None:
            yield self._fault(where, f"{text!r} is no domain", "write a host name such as voice.acme.example")

    def _literal(self, where: Where, text: str) -> Iterator[ConfigError]:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            yield self._fault(where, f"{text!r} is no address", "write an IPv4 or IPv6 address")

    def _worded(self, where: Where, error: ValueError) -> ConfigError:
        what, _, mend = str(error).rpartition(": ")
        return self._fault(where, what, mend)

    def _core(self, where: Where, name: str) -> Iterator[ConfigError]:
        return self._document.named(where, "core", "cores", name, self._topology.cores)

    def _sbc(self, where: Where, name: str) -> Iterator[ConfigError]:
        return self._document.named(where, "SBC", "SBCs", name, self._topology.sbcs)

    def _account(self, where: Where, name: str) -> Iterator[ConfigError]:
        return self._document.named(where, "account", "accounts", name, self._topology.accounts)

    def _twice(self, where: Where, names: Sequence[str]) -> Iterator[ConfigError]:
        for index, name in enumerate(names):
            if name in names[:index]:
                yield self._fault((*where, index), f"{name} is named twice", "name it once")

    def _cores(self) -> Iterator[ConfigError]:
        for name, core in self._topology.cores.items():
            yield from self._sip(("cores", name, "uri"), core.uri)
            for member, address in core.members.items():
                try:
                    check_canary(address, "a server")
                except ValueError as error:
                    yield self._worded(("cores", name, "members", member), error)
        rules = [(name, core.identify) for name, core in self._topology.cores.items() if core.identify is not None]
        for (name, rule), (other, its) in permutations(rules, 2):
            if _same_header(rule, its) and rule.contains.casefold() in its.contains.casefold():
                yield self._fault(
                    ("cores", name, "identify", "contains"),
                    f"{rule.contains!r} also fits the answers of {other}",
                    "write a text that only this core sends",
                )

    def _sbcs(self) -> Iterator[ConfigError]:
        owners: dict[str, str] = {}
        for name, sbc in self._topology.sbcs.items():
            where: Where = ("sbcs", name)
            for index, address in enumerate(sbc.addresses):
                yield from self._sip((*where, "addresses", index), address)
                owner = owners.setdefault(address, name)
                if owner != name or address in sbc.addresses[:index]:
                    yield self._fault(
                        (*where, "addresses", index), f"{address} is an address of {owner} already", "write it once"
                    )
            yield from self._core((*where, "primary"), sbc.primary)
            if sbc.backup is not None:
                yield from self._core((*where, "backup"), sbc.backup)
            yield from self._steer(where, sbc)
            if sbc.rtp_ports is not None:
                try:
                    parse_ports(sbc.rtp_ports)
                except ValueError as error:
                    yield self._worded((*where, "rtp_ports"), error)
            if sbc.tls is not None and (sbc.tls.certificate is None) != (sbc.tls.key is None):
                yield self._fault((*where, "tls"), "has one of certificate and key", "write both, or none")

    def _steer(self, where: Where, sbc: Sbc) -> Iterator[ConfigError]:
        if sbc.steer is None:
            return
        if sbc.steer.header is None and sbc.steer.to is None:
            yield self._fault((*where, "steer"), "says nothing", 'write {header: "X-Core: {core}"} or {to: "sip:…"}')
        for key, text in (("header", sbc.steer.header), ("to", sbc.steer.to)):
            if text is not None:
                yield from self._placeholders((*where, "steer", key), text)
        if sbc.steer.header is not None and not (
            _HEADER.fullmatch(sbc.steer.header) and sbc.steer.header.isprintable()
        ):
            yield self._fault((*where, "steer", "header"), "is no header", 'write "X-Core: {core}"')
        if sbc.steer.to is not None:
            yield from self._sip((*where, "steer", "to"), _PLACEHOLDER.sub("x", sbc.steer.to))

    def _placeholders(self, where: Where, text: str) -> Iterator[ConfigError]:
        for found in _PLACEHOLDER.findall(text):
            if found not in PLACEHOLDERS:
                listed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                yield self._fault(where, f"unknown placeholder {{{found}}}", f"placeholders are {listed}")
            elif found == "core.prefix":
                for name, core in self._topology.cores.items():
                    if core.prefix is None:
                        yield self._fault(where, f"{name} has no prefix", "give every core its `prefix:`")
            elif found == "domain" and self._topology.domain is None:
                yield self._fault(where, "there is no domain", "add `domain:` at the top")

    def _customers(self) -> Iterator[ConfigError]:
        for name, customer in self._topology.customers.items():
            where: Where = ("customers", name)
            if not localedata.exists(customer.locale):
                yield self._fault(
                    (*where, "locale"), f"{customer.locale!r} is no locale", "write es_CO, es_CR, es_MX or en_US"
                )
            fault = known_contract(customer.contract, beside=self._document.name)
            if fault:
                yield self._fault((*where, "contract"), *fault)

    def _sites(self) -> Iterator[ConfigError]:
        topology = self._topology
        networks = list(dict.fromkeys(probe.network for probe in topology.probes.values()))
        for name, site in topology.sites.items():
            where: Where = ("sites", name)
            yield from self._document.named(
                (*where, "customer"), "customer", "customers", site.customer, topology.customers
            )
            for index, sbc in enumerate(site.sbcs):
                yield from self._sbc((*where, "sbcs", index), sbc)
            yield from self._twice((*where, "sbcs"), site.sbcs)
            yield from self._twice((*where, "networks"), site.networks)
            if networks and site.networks and not set(networks) & set(site.networks):
                yield self._fault(
                    (*where, "networks"),
                    f"no probe looks from {', '.join(site.networks)}",
                    f"probes look from {', '.join(networks)}{nearest(site.networks[0], networks)}",
                )

    def _signalling(self) -> Iterator[ConfigError]:
        for kind in SIGNALLING:
            settings: SignallingCheck | None = getattr(self._topology.checks, kind)
            if settings is not None and settings.timeout_us > settings.every_us:
                yield self._fault(
                    ("checks", kind, "timeout"), "is longer than `every`", "wait less than the interval (900ms for 1s)"
                )
        dns = self._topology.checks.dns
        for index, address in enumerate(dns.resolvers if dns is not None else ()):
            yield from self._literal(("checks", "dns", "resolvers", index), address)
        checks = self._topology.checks
        unsteered: list[tuple[Where, bool]] = [
            (("checks", "natural"), checks.natural is not None),
            (("checks", "register", "natural"), checks.register_ is not None and checks.register_.natural),
            (("checks", "call", "natural"), checks.call is not None and checks.call.natural),
        ]
        for where, wanted in unsteered:
            if wanted and self._topology.domain is None:
                yield self._fault(where, "needs the service's domain", "add `domain:` at the top")

    def _accounts(self) -> Iterator[ConfigError]:
        register, call = self._topology.checks.register_, self._topology.checks.call
        if register is not None:
            for index, name in enumerate(register.accounts):
                yield from self._account(("checks", "register", "accounts", index), name)
            yield from self._twice(("checks", "register", "accounts"), register.accounts)
        if call is not None:
            yield from self._account(("checks", "call", "account"), call.account)
            if call.pcap is not None and not call.pcap.folder.startswith("/"):
                where = ("checks", "call", "pcap", "folder")
                yield self._fault(where, f"{call.pcap.folder!r} is no absolute path", "write /var/lib/sereno/pcap")
            yield from self._callee_uri(("checks", "call", "to"), call.to)

    def _callee_uri(self, where: Where, text: str) -> Iterator[ConfigError]:
        yield from self._placeholders(where, text)
        yield from self._sip(where, _PLACEHOLDER.sub("x", text).replace("@sbc", "@x"))

    def _probes(self) -> Iterator[ConfigError]:
        for name, probe in self._topology.probes.items():
            where: Where = ("probes", name)
            for index, canary in enumerate(probe.canaries):
                try:
                    check_canary(canary)
                except ValueError as error:
                    yield self._worded((*where, "canaries", index), error)
            yield from self._twice((*where, "canaries"), probe.canaries)
            for index, kind in enumerate(probe.checks or ()):
                yield from self._document.named((*where, "checks", index), "check", "checks", kind, CHECKS)

    def _retention(self) -> Iterator[ConfigError]:
        kept = self._topology.retention
        if kept is not None and kept.raw_us < _LEAST_RAW_US:
            what = "is less than 8 days: a probe's spool may still bring results of a week ago"
            yield self._fault(("retention", "raw"), what, "write 8d or more")
        if kept is not None and kept.results_us < max(kept.raw_us, _LEAST_RESULTS_US):
            what = "is less than 61 days, or than retention.raw: what comes late must find what came in time"
            yield self._fault(("retention", "results"), what, "write more")

    def _others(self) -> Iterator[ConfigError]:
        topology = self._topology
        yield from self._retention()
        for name, portal in topology.portals.items():
            if not is_url(portal.url, {"https", "http"}):
                yield self._fault(("portals", name, "url"), "is not a web address", "write https://host/path")
            for index, address in enumerate(portal.addresses):
                yield from self._literal(("portals", name, "addresses", index), address)
        for name, database in topology.databases.items():
            for index, replica in enumerate(database.replicas):
                yield from self._document.named(
                    ("databases", name, "replicas", index), "database", "databases", replica, topology.databases
                )
        for name, traffic in topology.traffic.items():
            yield from self._sbc(("traffic", name), name)
            if not is_url(traffic.prometheus, {"https", "http"}):
                yield self._fault(("traffic", name, "prometheus"), "is not a web address", "write http://host:9090")
            elif "@" in traffic.prometheus:
                what, mend = "has a login in it", "write it in a file, and name that under login"
                yield self._fault(("traffic", name, "prometheus"), what, mend)


def _same_header(one: Identify, other: Identify) -> bool:
    return one.header.casefold() == other.header.casefold()
