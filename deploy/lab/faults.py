"""What can be broken: the words of `sereno lab break`, parsed. Pure.

core-a core-b sbc-1 sbc-2     killed, all its processes (a core's far ends too: the core is the machine)
ANY:freeze                    stopped, all its processes: silence, also for media
SBC:503                       answers 503 to all that it should forward; still answers for itself
SBC/CORE:503, SBC:503=CORE    the same towards that core only; phones are taken to the other core
SBC:drop                      drops every request, its own too
SBC:nofailover                takes phones to its primary core only
SBC:slow=1200ms               serves every request so much later
CORE:nodb                     answers OPTIONS; refuses REGISTER and INVITE with 503
"""

from dataclasses import dataclass
from typing import Literal

from deploy.lab.plan import Component, Plan
from sereno.clock import parse_duration
from sereno.errors import UsageError

FaultKind = Literal["kill", "freeze", "503", "drop", "nofailover", "slow", "nodb"]
_SBC_SWITCHES = ("503", "drop", "nofailover", "slow")
_FASTEST_US, _SLOWEST_US = 1_000, 60_000_000
CATALOGUE = (
    "core-a core-b sbc-1 sbc-2 (killed), each with :freeze; "
    "sbc-N:503 sbc-N/core-X:503 sbc-N:drop sbc-N:nofailover sbc-N:slow=1200ms; core-X:nodb"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break: `core` limits an SBC's 503 to that core, `milliseconds` is the delay of `slow`."""

    component: str
    kind: FaultKind
    core: str | None = None
    milliseconds: int | None = None

    @property
    def text(self) -> str:
        """The canonical spelling."""
        if self.kind == "kill":
            return self.component
        where = f"{self.component}/{self.core}" if self.core else self.component
        return f"{where}:{self.kind}" + (f"={self.milliseconds}ms" if self.kind == "slow" else "")

    @property
    def is_switch(self) -> bool:
        """Worked inside a living Kamailio, by its hash table."""
        return self.kind not in {"kill", "freeze"}


def parse(what: str, lab: Plan) -> Fault:
    """The fault that `what` names; UsageError lists what can be broken."""
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
        if fault == "nodb":
            return Fault(name, "nodb")
        raise _unknown(what)
    return _of_sbc(what, component, fault, core or None, lab)


def _of_sbc(what: str, sbc: Component, fault: str, core: str | None, lab: Plan) -> Fault:
    kind, equals, value = fault.partition("=")
    if kind not in _SBC_SWITCHES or (equals and kind not in {"503", "slow"}):
        raise _unknown(what)
    if kind == "slow":
        return Fault(sbc.name, "slow", milliseconds=_milliseconds(what, value))
    core = core or value or None
    if kind == "503" and (core is not None or equals) and core not in {one.name for one in lab.cores}:
        raise _unknown(what)
    return Fault(sbc.name, kind, core=core)  # type: ignore[arg-type]  # one of _SBC_SWITCHES


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
