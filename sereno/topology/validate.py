"""References and rules between the sections of a topology; shapes were checked before."""

import re
from collections.abc import Iterable, Iterator
from zoneinfo import available_timezones

from babel import localedata

from sereno.contract import known_contract
from sereno.errors import ConfigError
from sereno.topology.address import check_canary, parse_sip
from sereno.topology.model import SignallingCheck, Topology
from sereno.wire import CHECKS
from sereno.yamlfile import Document, Where, nearest

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACEHOLDERS = ("core", "core.prefix", "sbc", "domain")


def check(document: Document, topology: Topology) -> None:
    """Raises the first fault by line."""
    faults = list(_Checker(document, topology).faults())
    if faults:
        raise min(faults, key=lambda fault: int(fault.where.rsplit(":", 1)[1]))


class _Checker:
    def __init__(self, document: Document, topology: Topology) -> None:
        self._document, self._topology = document, topology

    def faults(self) -> Iterator[ConfigError]:
        yield from self._top()
        yield from self._elements()
        yield from self._customers()
        yield from self._checks()
        yield from self._probes()

    def _fault(self, where: Where, what: str, mend: str) -> ConfigError:
        return self._document.fault(where, what, mend)

    def _known(self, where: Where, kind: str, name: str, names: Iterable[str]) -> Iterator[ConfigError]:
        listed = list(names)
        if name not in listed:
            known = f"known: {', '.join(listed)}" if listed else f"there is no {kind} in this file"
            yield self._fault(
                where, f"no {kind} named {name}", f"name one that exists{nearest(name, listed)} ({known})"
            )

    def _words(self, where: Where, error: ValueError) -> ConfigError:
        what, _, mend = str(error).partition(": ")
        return self._fault(where, what, mend or "correct the value")

    def _sip(self, where: Where, text: str) -> Iterator[ConfigError]:
        try:
            parse_sip(text)
        except ValueError as error:
            yield self._words(where, error)

    def _top(self) -> Iterator[ConfigError]:
        if self._topology.timezone not in available_timezones():
            close = nearest(self._topology.timezone, available_timezones())
            yield self._fault(
                ("timezone",),
                f"{self._topology.timezone!r} is not an IANA time zone",
                f"write one such as America/Bogota{close}",
            )

    def _elements(self) -> Iterator[ConfigError]:
        topology = self._topology
        for name, core in topology.cores.items():
            yield from self._sip(("cores", name, "uri"), core.uri)
        for name, sbc in topology.sbcs.items():
            for index, address in enumerate(sbc.addresses):
                yield from self._sip(("sbcs", name, "addresses", index), address)
            yield from self._known(("sbcs", name, "primary"), "core", sbc.primary, topology.cores)
            if sbc.backup is not None:
                yield from self._known(("sbcs", name, "backup"), "core", sbc.backup, topology.cores)
            if sbc.steer is not None:
                for key, text in (("header", sbc.steer.header), ("to", sbc.steer.to)):
                    if text is not None:
                        yield from self._placeholders(("sbcs", name, "steer", key), text)
        for name in topology.traffic:
            yield from self._known(("traffic", name), "SBC", name, topology.sbcs)

    def _placeholders(self, where: Where, text: str) -> Iterator[ConfigError]:
        for found in _PLACEHOLDER.findall(text):
            if found not in PLACEHOLDERS:
                listed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                yield self._fault(where, f"unknown placeholder {{{found}}}", f"use one of {listed}")

    def _customers(self) -> Iterator[ConfigError]:
        topology = self._topology
        for name, customer in topology.customers.items():
            if not localedata.exists(customer.locale):
                yield self._fault(
                    ("customers", name, "locale"), f"{customer.locale!r} is not a locale", "write es_CO, es_CR, en_US…"
                )
            fault = known_contract(customer.contract, beside=self._document.name)
            if fault:
                yield self._fault(("customers", name, "contract"), *fault)
        for name, site in topology.sites.items():
            yield from self._known(("sites", name, "customer"), "customer", site.customer, topology.customers)
            for index, sbc in enumerate(site.sbcs):
                yield from self._known(("sites", name, "sbcs", index), "SBC", sbc, topology.sbcs)

    def _checks(self) -> Iterator[ConfigError]:
        topology, checks = self._topology, self._topology.checks
        for kind in ("edge", "options", "natural", "register", "call"):
            settings = checks.register_ if kind == "register" else getattr(checks, kind)
            if settings is None:
                continue
            for key in ("every", "timeout"):
                if getattr(settings, f"{key}_us") <= 0:
                    yield self._fault(("checks", kind, key), "must be longer than nothing", "write 1s, 900ms…")
            if isinstance(settings, SignallingCheck) and settings.timeout_us > settings.every_us:
                yield self._fault(
                    ("checks", kind, "timeout"), "is longer than `every`", "wait less than the interval (900ms for 1s)"
                )
        if checks.natural is not None and topology.domain is None:
            yield self._fault(("checks", "natural"), "needs the service's `domain`", "add `domain:` at the top")
        if checks.register_ is not None:
            for index, name in enumerate(checks.register_.accounts):
                yield from self._known(("checks", "register", "accounts", index), "account", name, topology.accounts)
        if checks.call is not None:
            yield from self._known(("checks", "call", "account"), "account", checks.call.account, topology.accounts)
            yield from self._placeholders(("checks", "call", "to"), checks.call.to)
            yield from self._sip(("checks", "call", "to"), _PLACEHOLDER.sub("x", checks.call.to))

    def _probes(self) -> Iterator[ConfigError]:
        for name, probe in self._topology.probes.items():
            for index, canary in enumerate(probe.canaries):
                try:
                    check_canary(canary)
                except ValueError as error:
                    yield self._words(("probes", name, "canaries", index), error)
            for index, kind in enumerate(probe.checks or ()):
                yield from self._known(("probes", name, "checks", index), "check", kind, CHECKS)
