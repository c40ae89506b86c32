"""Rules for calls that come back to an account of ours: across the cores, and over the PSTN, where they cost money."""

import re
from collections.abc import Callable, Iterator

from sereno.errors import ConfigError
from sereno.topology.address import parse_sip
from sereno.topology.model import PstnCheck, Topology
from sereno.yamlfile import Document, Where

_NUMBER = re.compile(r"\+?[0-9]{3,15}")  # E.164 has fifteen digits; no *, # or pause: nothing but a number
_PUBLIC = re.compile(r"\+|00")
_HOUR_US = 3_600_000_000
_LONGEST_US = 300_000_000
_DISPLAY = re.compile(r"[A-Za-z0-9 ._-]{3,40}")  # stands in quotes in From (RFC 3261 section 25.1)

Uri = Callable[[Where, str], Iterator[ConfigError]]


def faults(document: Document, topology: Topology, uri: Uri) -> Iterator[ConfigError]:
    """Everything that is wrong with `checks.terminating`, `checks.pstn` and who answers them."""
    call = topology.checks.call
    if call is not None and _public(call.to):
        yield document.fault(
            ("checks", "call", "to"),
            f"{call.to!r} dials a public number",
            "write it under checks.pstn, with its limits",
        )
    yield from _terminating(document, topology, uri)
    if topology.checks.pstn is not None:
        yield from _pstn(document, topology, topology.checks.pstn, uri)


def _public(to: str) -> bool:
    """A number that leaves the platform: + or 00 in front (E.123)."""
    try:
        user = parse_sip(re.sub(r"\{[^{}]*\}", "x", to)).user
    except ValueError:
        return False  # told elsewhere
    return user is not None and _PUBLIC.match(user) is not None


def _terminating(document: Document, topology: Topology, uri: Uri) -> Iterator[ConfigError]:
    given = topology.checks.terminating
    if given is None:
        return
    where: Where = ("checks", "terminating")
    for key, name in (("account", given.account), ("callee", given.callee)):
        yield from document.named((*where, key), "account", "accounts", name, topology.accounts)
    yield from uri((*where, "to"), given.to.replace("{user}", "x"))
    if len(topology.cores) == 1:
        yield document.fault(where, "needs two cores", "take it out, or name the other core")
    yield from _own_callee(document, topology, (*where, "callee"), given.callee, {given.account}, "terminating")


def _pstn(document: Document, topology: Topology, given: PstnCheck, uri: Uri) -> Iterator[ConfigError]:
    where: Where = ("checks", "pstn")
    yield from document.named((*where, "account"), "account", "accounts", given.account, topology.accounts)
    yield from document.named((*where, "sbc"), "SBC", "SBCs", given.sbc, topology.sbcs)
    yield from document.named((*where, "core"), "core", "cores", given.core, topology.cores)
    if {given.sbc} <= set(topology.sbcs) and (given.sbc, given.core) not in {(p.sbc, p.core) for p in topology.paths()}:
        yield document.fault((*where, "core"), f"{given.sbc} does not lead to {given.core}", "name a core of that SBC")
    for number, account in given.numbers.items():
        place: Where = (*where, "numbers", number)
        if not _NUMBER.fullmatch(number):
            yield document.fault(place, f"{number!r} is no number", "write 3 to 15 digits, with + in front or not")
        yield from document.named(place, "account", "accounts", account, topology.accounts)
        yield from _own_callee(document, topology, place, account, {given.account}, "pstn")
    yield from _limits(document, given)
    if given.to.count("{number}") != 1:
        yield document.fault((*where, "to"), "does not say where the number goes", 'write "sip:{number}@{core}"')
    else:
        yield from uri((*where, "to"), given.to.replace("{number}", "x"))
    if not _DISPLAY.fullmatch(given.display):
        yield document.fault(
            (*where, "display"), f"{given.display!r} is no mark", "write 3 to 40 letters, digits and spaces"
        )


def _limits(document: Document, given: PstnCheck) -> Iterator[ConfigError]:
    where: Where = ("checks", "pstn")
    planned = len(given.numbers) * _HOUR_US / given.every_us
    if planned > given.max_per_hour:
        yield document.fault(
            (*where, "every"),
            f"makes {planned:g} calls an hour, `max_per_hour` allows {given.max_per_hour}",
            "call more rarely, or allow more",
        )
    if given.max_duration_us > _LONGEST_US:
        yield document.fault((*where, "max_duration"), "is longer than 300 s", "a test call needs seconds")
    if given.hold_us > given.max_duration_us:
        yield document.fault((*where, "hold"), "is longer than `max_duration`", "hold the call for less")


def _own_callee(
    document: Document, topology: Topology, where: Where, account: str, callers: set[str], kind: str
) -> Iterator[ConfigError]:
    """Who answers must be registered by nobody else: the core would ring another of our own phones."""
    checks = topology.checks
    registering = checks.register_.accounts if checks.register_ is not None else ()
    if account in registering:
        yield document.fault(where, f"{account} registers in checks.register too", "name an account of its own")
    if account in callers:
        yield document.fault(where, f"{account} would call itself", "name another account")
    other = checks.terminating.callee if kind == "pstn" and checks.terminating is not None else None
    if account == other:
        yield document.fault(where, f"{account} answers checks.terminating too", "name an account of its own")
    makers = [name for name, probe in topology.probes.items() if probe.checks is None or kind in probe.checks]
    if len(makers) > 1:
        yield document.fault(
            where,
            f"{account} would be registered by {', '.join(makers)} at once",
            f"leave {kind} to one probe: name the `checks:` of the others",
        )
