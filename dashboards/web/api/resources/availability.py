"""How much of a window a scope was up, and what that proves: the JSON of `sereno availability --json`."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dashboards.web.api.caller import Caller
from dashboards.web.api.context import Context, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import END, At, Free, Instant, Month, Ratio, Seconds, Shape
from dashboards.web.refusal import Refused
from sereno.answers.availability import Asked as Question
from sereno.clock import SECOND_US
from sereno.topology.model import Topology

LONGEST_US = 400 * 86_400 * SECOND_US
_NAME = "[A-Za-z0-9@][A-Za-z0-9@._+-]{0,63}"
_SCOPE = f"^(?:service|(?:site|sbc|core|customer):{_NAME}|path:{_NAME}/{_NAME}){END}"
Judgement = Literal["met", "missed", "not_provable"]


class Figures(Shape, frozen=True, kw_only=True):
    """Ratios of one site."""

    site: str
    low: Ratio | None
    observed: Ratio | None
    high: Ratio | None
    down_seconds: Seconds
    excluded_seconds: Seconds
    unknown_seconds: Seconds
    target: Ratio | None
    verdict: Judgement | None


class Availability(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """As `sereno availability --json`; `sites` and what belongs to them only of scopes with several."""

    scope: str
    from_: At = msgspec.field(name="from")
    to: At
    low: Ratio | None
    observed: Ratio | None
    high: Ratio | None
    down_seconds: Seconds
    excluded_seconds: Seconds
    unknown_seconds: Seconds
    total_seconds: Seconds
    target: Ratio | None
    verdict: Judgement | None
    timezone: str
    outages: int
    bound_seconds: Seconds
    budget_seconds: Seconds | None
    budget_remaining_seconds: Seconds | None
    revisions: tuple[Free, ...]
    weighted_down_seconds: Seconds | UnsetType = UNSET
    worst_site: Figures | UnsetType = UNSET
    sites: tuple[Figures, ...] | UnsetType = UNSET


class Asked(Shape, frozen=True, kw_only=True):
    """A scope, and either a month or a window; neither: the month that is running."""

    scope: Annotated[str, Meta(
        pattern=_SCOPE, description="service, site:X, sbc:X, core:X, path:S/C or customer:X.",
        examples=["service", "site:acme-bog"],
    )]  # fmt: skip
    month: Month | UnsetType = UNSET
    from_: Instant | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Instant | UnsetType = UNSET


def operations(context: Context) -> tuple[Operation, ...]:
    async def show(call: Call) -> Answer:
        now_us = context.clock.now_us()
        topology = await context.workers.run(context.site.topology)
        _refuse_strange(call.caller, call.query.scope, topology)
        question = _question(call.query, now_us, topology)
        found: dict[str, Any] = await context.workers.run(
            lambda: context.answers.availability.answer(question, now_us), heavy=True
        )
        return Answer(found)

    return (
        Operation(
            "GET", "/availability", "availability", "Availability of a scope in a window", "Availability",
            ("read", "reports"), show, Availability, in_query=Asked, may_be=(404, 409), heavy=True, limited=True,
            says="With a target, `verdict` is met, missed or not_provable (docs/availability.md). Who answers for some"
            " customers only may ask for these and for their sites.",
        ),
    )  # fmt: skip


def _refuse_strange(caller: Caller, scope: str, topology: Topology | None) -> None:
    """404 for what there is not, and for what is none of the caller's business."""
    if topology is None:
        raise Refused(404, "no topology was accepted yet: there is nothing to be available")
    kind, _, name = scope.partition(":")
    known = {
        "service": [""], "site": topology.sites, "sbc": topology.sbcs, "core": topology.cores,
        "customer": topology.customers, "path": [path.name for path in topology.paths()],
    }  # fmt: skip
    mine = caller.customers is None
    if kind == "customer":
        mine = mine or caller.sees([name])
    elif kind == "site" and name in topology.sites:
        mine = mine or caller.sees([topology.sites[name].customer])
    if name not in known[kind] or not mine:
        raise Refused(404, f"there is no {scope}")


def _question(asked: Any, now_us: int, topology: Topology | None) -> Question:
    if asked.month is not UNSET:
        if asked.from_ is not UNSET or asked.to is not UNSET:
            raise Refused(409, "month is a window by itself; leave out from and to")
        return Question(asked.scope, month=asked.month)
    if asked.from_ is UNSET and asked.to is UNSET:
        return Question(asked.scope, month=_month(now_us, topology))
    if asked.from_ is UNSET or asked.to is UNSET:
        raise Refused(409, "give from and to, or a month")
    from_us, to_us = instant(asked.from_), instant(asked.to)
    if from_us >= to_us:
        raise Refused(409, "from is not before to; give a window that ends after it begins")
    if to_us - from_us > LONGEST_US:
        raise Refused(409, "the window is longer than 400 days")
    return Question(asked.scope, from_us, to_us)


def _month(now_us: int, topology: Topology | None) -> str:
    from datetime import UTC
    from zoneinfo import ZoneInfo

    from sereno.clock import to_datetime

    zone = ZoneInfo(topology.timezone) if topology is not None else UTC
    return to_datetime(now_us).astimezone(zone).strftime("%Y-%m")
