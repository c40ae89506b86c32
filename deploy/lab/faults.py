"""What can be broken: the words of `sereno lab break`, parsed. Pure.

core-a core-b sbc-1 sbc-2     killed, all its processes (a core's far ends too: the core is the machine)
ANY:freeze                    stopped, all its processes: silence, also for media
SBC:503                       answers 503 to all that it should forward; still answers for itself
SBC/CORE:503, SBC:503=CORE    the same towards that core only; phones are taken to the other core
SBC:drop                      drops every request, its own too
SBC:nofailover                takes phones to its primary core only
SBC:slow=1200ms               serves every request so much later
SBC:oneway, SBC:oneway=tx     no RTP comes to the probe through it (tx: none that the probe sends gets through)
media:SBC:KEY=VALUE,…         its media, RTP and RTCP, suffer what deploy/lab/impair.py lists; a new one takes its place
CORE:nodb                     answers OPTIONS; refuses REGISTER and INVITE with 503
CORE:noreplication            neither tells the other core where phones are, nor believes what it is told
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from deploy.lab.impair import DIRECTIONS, KEYS, Direction, Impairment, parse_impairment
from deploy.lab.plan import Component, Plan
from sereno.clock import parse_duration
from sereno.errors import UsageError

FaultKind = Literal["kill", "freeze", "503", "drop", "nofailover", "slow", "nodb", "noreplication", "oneway", "media"]
_SBC_SWITCHES = ("503", "drop", "nofailover", "slow", "oneway")
_CORE_SWITCHES = ("nodb", "noreplication")
_MEDIA = "media:"
_FASTEST_US, _SLOWEST_US = 1_000, 60_000_000
CATALOGUE = (
    "core-a core-b sbc-1 sbc-2 (killed), each with :freeze; "
    "sbc-N:503 sbc-N/core-X:503 sbc-N:drop sbc-N:nofailover sbc-N:slow=1200ms sbc-N:oneway "
    "sbc-N:oneway=tx; media:sbc-N:loss=5%,jitter=30ms; core-X:nodb core-X:noreplication"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break: `core` limits an SBC's 503 to that core, `milliseconds` is the delay of `slow`."""

    component: str
    kind: FaultKind
    core: str | None = None
    milliseconds: int | None = None
    direction: Direction | None = None
    """Of `oneway`: what is lost, as seen from the probe."""
    impairment: Impairment | None = None
    """Of `media`."""

    @property
    def text(self) -> str:
        """The canonical spelling."""
        if self.kind == "kill":
            return self.component
        if self.impairment is not None:
            return f"{_MEDIA}{self.component}:{self.impairment.text}"
        if self.kind == "oneway" and self.direction != "rx":
            return f"{self.component}:oneway={self.direction}"
        where = f"{self.component}/{self.core}" if self.core else self.component
        return f"{where}:{self.kind}" + (f"={self.milliseconds}ms" if self.kind == "slow" else "")

    @property
    def is_switch(self) -> bool:
        """Worked inside a living Kamailio, by its hash table."""
        return self.kind not in {"kill", "freeze"} and not self.is_media

    @property
    def is_media(self) -> bool:
        """Worked in an SBC's media relay."""
        return self.kind in {"oneway", "media"}

    def replaces(self, other: "Fault") -> bool:
        """Whether it takes the other's place: another delay, another impairment of the same SBC."""
        mine, its = ((one.component, one.kind, one.core, one.direction) for one in (self, other))
        return mine == its


def parse(what: str, lab: Plan) -> Fault:
    """The fault that `what` names; UsageError lists what can be broken."""
    if what.startswith(_MEDIA):
        return _of_media(what, lab)
    target, colon, fault = what.partition(":")
    name, slash, core = target.partition("/")
    component = next((one for one in lab.components if one.name == name), None)
    if component is None or (colon and not fault) or (slash and fault != "503"):
        raise _unknown(what)
    if not colon:
        return Fault(name, "kill")
    if fault == "freeze":
        return Fault(name, "freeze")
    if component.kind == "core":
        if fault in _CORE_SWITCHES:
            return Fault(name, fault)  # type: ignore[arg-type]  # one of _CORE_SWITCHES
        raise _unknown(what)
    return _of_sbc(what, component, fault, core or None, lab)


def _of_sbc(what: str, sbc: Component, fault: str, core: str | None, lab: Plan) -> Fault:
    kind, equals, value = fault.partition("=")
    if kind not in _SBC_SWITCHES or (equals and kind not in {"503", "slow", "oneway"}):
        raise _unknown(what)
    if kind == "oneway":
        if equals and value not in DIRECTIONS:
            raise UsageError(
                f"lab: {what!r}: write {sbc.name}:oneway (the probe hears nothing) or {sbc.name}:oneway=tx"
            )
        return Fault(sbc.name, "oneway", direction="tx" if value == "tx" else "rx")
    if kind == "slow":
        return Fault(sbc.name, "slow", milliseconds=_milliseconds(what, value))
    core = core or value or None
    if kind == "503" and (core is not None or equals) and core not in {one.name for one in lab.cores}:
        raise _unknown(what)
    return Fault(sbc.name, kind, core=core)  # type: ignore[arg-type]  # one of _SBC_SWITCHES


def _of_media(what: str, lab: Plan) -> Fault:
    name, colon, words = what.removeprefix(_MEDIA).partition(":")
    if name not in {one.name for one in lab.sbcs}:
        known = " or ".join(one.name for one in lab.sbcs)
        raise UsageError(f"lab: {what!r}: media pass an SBC, {known}; write such as media:sbc-1:loss=5%,jitter=30ms")
    if not colon or not words:
        raise UsageError(
            f"lab: {what!r} needs what its media suffer, such as media:{name}:loss=5%,jitter=30ms; keys are {KEYS}"
        )
    return Fault(name, "media", impairment=parse_impairment(what, words))


def healable(what: str, lab: Plan) -> None:
    """UsageError for a word that names nothing that could ever be healed."""
    if what not in {f"{_MEDIA}{sbc.name}" for sbc in lab.sbcs}:
        parse(what, lab)


def healed(what: str, lab: Plan, active: Iterable[Fault]) -> list[Fault]:
    """The active faults that `what` names: one, all of a component, or, as media:SBC, the impairment of its media."""
    known = list(active)
    if what in {f"{_MEDIA}{sbc.name}" for sbc in lab.sbcs}:
        found = [one for one in known if one.kind == "media" and what == f"{_MEDIA}{one.component}"]
    else:
        fault = parse(what, lab)
        if fault.kind == "kill":
            return [one for one in known if one.component == fault.component]
        found = [one for one in known if one == fault]
    if not found:
        broken = ", ".join(one.text for one in known) or "nothing"
        raise UsageError(f"lab: {what!r} is not broken; broken now: {broken}")
    return found


def _milliseconds(what: str, value: str) -> int:
    try:
        delay_us = parse_duration(value)
    except ValueError:
        raise UsageError(f"lab: {what!r} needs how slow, such as sbc-1:slow=1200ms") from None
    if not _FASTEST_US <= delay_us <= _SLOWEST_US:
        raise UsageError(f"lab: {what!r}: write from 1ms to 60s, such as sbc-1:slow=1200ms")
    return delay_us // 1000


def _unknown(what: str) -> UsageError:
    return UsageError(f"lab: cannot break {what!r}; can be broken: {CATALOGUE}")
