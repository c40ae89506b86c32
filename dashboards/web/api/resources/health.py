"""The monitor itself: its probes, its collectors, its version, and who one is to it."""

from typing import Literal

import msgspec

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import At, Seconds, Shape, State
from dashboards.web.machines import health_json
from sereno.clock import iso
from sereno.told.probes import say
from sereno.version import __version__


class Hole(Shape, frozen=True, kw_only=True):
    """Results of one boot that never came."""

    boot: str
    from_: int = msgspec.field(name="from")
    to: int


class Quarantined(Shape, frozen=True, kw_only=True):
    """The last result that was refused, and why."""

    at: At
    why: str


class Probe(Shape, frozen=True, kw_only=True):
    """How a probe stands."""

    name: str
    state: State
    reason: str | None
    last_result: At | None
    last_result_took_seconds: Seconds | None
    boots: int
    committed: int
    missing: int
    waited_for: int
    holes: tuple[Hole, ...]
    quarantined: int
    quarantined_last: Quarantined | None
    status_at: At | None
    boot: str | None
    version: str | None
    spooled: int | None
    topology_current: bool | None
    clock_offset_seconds: Seconds | None
    clock_error_seconds: Seconds | None


class Probes(Shape, frozen=True, kw_only=True):
    """As `sereno probes --json`."""

    at: At
    probes: tuple[Probe, ...]


class Collector(Shape, frozen=True, kw_only=True):
    """One collector, as it said in the last seconds."""

    host: str
    role: Literal["leader", "standby"]
    page: str | None
    reaches_broker: bool | None


class Heartbeat(Shape, frozen=True, kw_only=True):
    """Whether the outgoing sign of life goes out, since when, and why not."""

    goes_out: bool
    since: At
    why_not: str | None


class Health(Shape, frozen=True, kw_only=True):
    """As `/healthz`."""

    collector_alive: bool
    version: str
    role: str
    leader: str | None
    epoch: int | None
    collectors: tuple[Collector, ...]
    heartbeat: Heartbeat | None


class Version(Shape, frozen=True, kw_only=True):
    """Of this process."""

    version: str


class Who(Shape, frozen=True, kw_only=True):
    """Who the caller is here, and what he may."""

    name: str
    standing: Literal["token", "client", "person", "anonymous", "local"]
    role: str | None
    scopes: tuple[str, ...] | None
    permissions: tuple[str, ...]
    customers: tuple[str, ...] | None


def operations(context: Context) -> tuple[Operation, ...]:
    async def probes(call: Call) -> Answer:
        del call
        now_us = context.clock.now_us()
        found = await context.workers.run(lambda: say(context.store, now_us))
        return Answer({"at": iso(now_us), "probes": found}, tag=found)

    async def health(call: Call) -> Answer:
        del call
        return Answer(await context.workers.run(lambda: health_json(context.site)))

    async def version(call: Call) -> Answer:
        del call
        return Answer({"version": __version__})

    async def whoami(call: Call) -> Answer:
        who = call.caller
        return Answer({
            "name": who.name, "standing": who.standing, "role": who.role, "scopes": who.scopes,
            "permissions": sorted(who.may), "customers": None if who.customers is None else sorted(who.customers),
        })  # fmt: skip

    return (
        Operation("GET", "/probes", "probes", "How each probe stands", "Monitor", ("read",), probes, Probes),
        Operation("GET", "/health", "health", "Whether somebody watches", "Monitor", ("read",), health, Health),
        Operation(
            "GET", "/version", "version", "The version of the monitor", "Monitor", (), version, Version, limited=True
        ),
        Operation(
            "GET",
            "/whoami",
            "whoami",
            "Who the caller is here, and what he may",
            "Monitor",
            (),
            whoami,
            Who,
            limited=True,
        ),
    )
