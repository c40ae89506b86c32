"""What every check takes and gives: `Target` (what to measure), `Runtime` (what to measure with), `result()`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from sereno.clock import Clock, iso
from sereno.topology.model import Topology
from sereno.wire import VERSION, CheckName, Outcome, Reason, Result

if TYPE_CHECKING:
    from probes.checks.sip_standing import SipStandings
    from probes.sip.client import SipClient


BY_WORKERS = frozenset({"register", "call", "terminating", "pstn"})  # what pjsua2 does, in processes of its own


class Callee(msgspec.Struct, frozen=True, kw_only=True):
    """The far end of a call that comes back to us: an account, registered through this SBC at this core."""

    account: str
    sbc: str
    core: str
    address: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a probe measures again and again; what makes it differ from others is its `key`.

    `core` is None for edge and natural. `address` is the SBC's address as written in the topology, `transport` what
    it means (`udp`, `tcp`, `tls`); for an SBC given by name `address` is one of the literals it leads to (RFC 3263),
    `name` the name and `written` the address as the topology has it. `account` names the topology's account, `to` is
    the Request-URI of a call with `{core}` already filled in. `phase` 0..1 spreads the targets of a kind over their
    interval.
    """

    check: CheckName
    sbc: str | None = None
    core: str | None = None
    address: str | None = None
    transport: str | None = None
    every_us: int = 1_000_000
    timeout_us: int = 900_000
    account: str | None = None
    to: str | None = None
    expires_us: int | None = None
    hold_us: int | None = None
    codecs: tuple[str, ...] = ()
    callee: "Callee | None" = None
    name: str | None = None
    written: str | None = None
    phase: float = 0.0

    @property
    def key(self) -> tuple[str | None, ...]:
        """What identifies a target: equal keys are the same series of measurements."""
        return (self.check, self.sbc, self.core, self.address, self.account, self.name)

    @property
    def timeout_seconds(self) -> float:
        return self.timeout_us / 1_000_000

    @property
    def every_seconds(self) -> float:
        return self.every_us / 1_000_000


@dataclass(slots=True)
class Runtime:
    """What a check measures with; one per probe process. What a check kind does not need may be absent.

    `emit` takes results that come after a check has returned (a late reply, see `probes.checks`); whoever owns the
    runtime sets it. `secret` gives the password of an account by its name, or None when this probe was not told it.
    `calls` is the pool of pjsua2 workers (`probes.sip.pool`), `meter` the live RTP meter or a factory of it.
    `standings` is what is held of the SBCs' TLS. `extras` goes with the topology, `kept` outlives it.
    """

    clock: Clock
    topology: Topology
    probe: str = "sereno"
    sip: "SipClient | None" = None
    emit: Callable[[Result], None] = lambda result: None  # noqa: ARG005  # nobody listens by default
    secret: Callable[[str], str | None] = lambda account: None  # noqa: ARG005
    calls: Any = None
    meter: Any = None
    standings: "SipStandings | None" = None
    kept: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)


CheckFunction = Callable[[Target, Runtime], Awaitable[Result]]


def result(
    target: Target,
    at_us: int,
    outcome: Outcome,
    reason: Reason | None = None,
    **fields: Any,
) -> Result:
    """A result of `target` sent at `at_us`; the agent stamps probe, boot and seq (`msgspec.structs.replace`)."""
    return Result(
        v=VERSION,
        probe="",
        boot="",
        seq=0,
        at=iso(at_us),
        check=target.check,
        outcome=outcome,
        reason=reason,
        sbc=target.sbc,
        core=target.core,
        address=target.address,
        transport=target.transport,
        account=target.account,
        target=target.name,
        **fields,
    )
