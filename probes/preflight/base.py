"""What every test of a preflight takes (`Plan`) and gives (`Line`)."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from probes.sip.tls import TlsSettings
from probes.sip.uri import SipUri

State = Literal["ok", "warning", "failed", "unknown"]
MARKS: dict[State, str] = {"ok": "✓", "warning": "▲", "failed": "✕", "unknown": "?"}
MOST_CALLS = 50
MOST_SECONDS = 10.0


class Say(msgspec.Struct, frozen=True):
    """A sentence: its English text, which is also its id in the catalogues, and what goes into it."""

    text: str
    values: dict[str, Any] = {}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. `tested` is false where something was missing that the test needs: no fault, no answer either."""

    test: str
    subject: str
    state: State
    said: Say
    remedy: Say | None = None
    tested: bool = True
    facts: dict[str, Any] = {}


class Sbc(msgspec.Struct, frozen=True, kw_only=True):
    """An SBC as the topology has it."""

    name: str
    addresses: tuple[SipUri, ...]
    tls: TlsSettings | None = None
    rtp_ports: tuple[int, int] | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is tested: one SBC, the others that phones move to, portals, and by whose help."""

    sbc: Sbc
    others: tuple[Sbc, ...] = ()
    portals: tuple[tuple[str, str, int], ...] = ()  # name, host, port
    resolvers: tuple[str, ...] = ()
    responder: tuple[str, int] | None = None
    calls: int = 10
    seconds: float = 5.0
    timeout_seconds: float = 2.0


def overall(lines: Iterable[Line]) -> State:
    """The worst of what was tested; what was not is no fault of anybody's."""
    states = {line.state for line in lines if line.tested}
    order: tuple[State, ...] = ("failed", "unknown", "warning", "ok")
    return next((state for state in order if state in states), "unknown")


def untested(test: str, subject: str, said: Say, remedy: Say | None = None) -> Line:
    """A line for what could not be tried with what was given."""
    return Line(test=test, subject=subject, state="unknown", said=said, remedy=remedy, tested=False)


NEEDS_RESPONDER = Say(
    "start `sereno preflight --respond HOST:5060` on a server outside this network, and add --responder HOST:5060"
)
