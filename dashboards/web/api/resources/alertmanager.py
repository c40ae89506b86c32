"""Alertmanager's webhook, version 4 (docs/inbound.md)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import END, Shape
from dashboards.web.inbound.alerts import MOST_BYTES, Alertmanager
from sereno.alertmanager import MOST_ALERTS, MOST_LABELS

_DAY = (
    "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_Moment = Annotated[str, Meta(pattern=f"^{_DAY}T{_TIME}{END}")]
_Labels = Annotated[dict[str, str], Meta(max_length=MOST_LABELS)]
Status = Literal["firing", "resolved"]


class PostedAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert; a firing one ends in the year 1."""

    status: Status
    labels: _Labels
    fingerprint: Annotated[str, Meta(pattern="^[A-Za-z0-9]{1,64}" + END)]
    starts_at: _Moment
    annotations: _Labels = {}
    ends_at: _Moment | None = None
    generator_url: str = msgspec.field(default="", name="generatorURL")


class Posted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Alertmanager posts; newer servers may add keys, which are left alone."""

    version: Literal["4"]
    group_key: str
    status: Status
    receiver: str
    alerts: Annotated[list[PostedAlert], Meta(max_length=MOST_ALERTS)]
    truncated_alerts: int = 0
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(default="", name="externalURL")


class Taken(Shape, frozen=True, kw_only=True):
    """How many were news, and how many the desk knew."""

    taken: int
    known: int


def operations(context: Context) -> tuple[Operation, ...]:
    webhook = Alertmanager(context.store, context.clock, context.asker)

    async def take(call: Call) -> Answer:
        return Answer(await webhook.take(call.caller.name, call.body))

    return (
        Operation(
            "POST", "/alertmanager", "alertmanager", "Alertmanager's webhook, version 4", "Alarms", ("alerts",), take,
            Taken, body=bytes, described=Posted, malformed=400, most_bytes=MOST_BYTES,
            says="200 once the desk has it. Alertmanager tries again after 5xx and drops what is answered 4xx.",
        ),
    )  # fmt: skip
