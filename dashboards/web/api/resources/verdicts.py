"""What is said of every element now."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import At, ElementName, Kind, Shape, State
from sereno.clock import iso
from sereno.told.verdicts import say
from sereno.topology.model import Topology

Watched = Literal["service", "site", "core", "sbc", "path", "portal", "database", "probe"]


class Verdict(Shape, frozen=True, kw_only=True):
    """An element's state, since when, and why."""

    kind: Kind
    name: str
    state: State
    since: At | None
    reason: str | None


class Verdicts(Shape, frozen=True, kw_only=True):
    """As `sereno verdicts --json`."""

    at: At
    elements: tuple[Verdict, ...]


class Asked(Shape, frozen=True, kw_only=True):
    """Everything, or one kind, or one name."""

    kind: Watched | UnsetType = UNSET
    name: ElementName | UnsetType = UNSET


def operations(context: Context) -> tuple[Operation, ...]:
    async def index(call: Call) -> Answer:
        now_us = context.clock.now_us()
        found = await context.workers.run(lambda: say(context.store, now_us))
        whole = call.caller.customers is None
        topology = None if whole else await context.workers.run(context.site.topology)
        wanted = [
            one for one in found
            if call.query.kind in {UNSET, one["kind"]}
            and call.query.name in {UNSET, one["name"]}
            and (whole or _concerns(call, one, topology))
        ]  # fmt: skip
        return Answer({"at": iso(now_us), "elements": wanted}, tag=wanted)

    return (
        Operation(
            "GET", "/verdicts", "verdicts", "What is said of every element now", "Verdicts", ("read",), index, Verdicts,
            in_query=Asked, limited=True, says="A path is named `SBC/CORE`, the service as the topology calls it.",
        ),
    )  # fmt: skip


def _concerns(call: Call, one: dict[str, Any], topology: Topology | None) -> bool:
    """Of the service, or of a site of a customer that the caller sees."""
    if one["kind"] == "site" and topology is not None and one["name"] in topology.sites:
        return call.caller.sees([topology.sites[one["name"]].customer])
    return bool(one["kind"] == "service")
