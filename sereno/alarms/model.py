"""Alarms are declared, not programmed: the model of `alarms.yaml`, and the shipped set.

A verdict alarm watches what is said of one kind of element: its verdict, or a finding (`sereno.verdict.Change.what`).
"""

from typing import Annotated, Literal

from pydantic import Field

from sereno.shape import Duration, Frozen, Name
from sereno.verdict import VERDICT

Urgency = Literal["alto", "medio", "bajo"]
Impact = Literal["organizacion", "departamento", "individual"]
AlarmKind = Literal["service", "site", "core", "sbc", "path", "probe", "account", "network", "monitor"]


class Alarm(Frozen):
    """One declared alarm: what it watches, how long it must hold, how grave it is, what to do first."""

    kind: AlarmKind
    what: Annotated[str, Field(pattern=r"^[a-z_]{2,40}$")]
    states: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    urgency: Urgency
    impact: Impact
    page: bool
    first_step: Annotated[str, Field(min_length=1)]
    for_us: Duration = Field(alias="for", default=0)
    clear_us: Duration = Field(alias="clear", default=30_000_000)
    class_: Literal["service", "monitor"] = Field(alias="class", default="service")

    def bad(self, state: str) -> bool | None:
        """True: the condition holds; False: it is known not to; None: nobody can say (unknown, maintenance)."""
        if state in self.states:
            return True
        if self.what == VERDICT:
            return False if state in {"up", "degraded"} else None
        return False if state == "false" else None


class Alarms(Frozen):
    """The whole file."""

    alarms: Annotated[dict[Name, Alarm], Field(min_length=1)]

    def watching(self, kind: str, what: str) -> list[tuple[str, Alarm]]:
        """The alarms that a change of (kind, what) concerns."""
        return [(name, alarm) for name, alarm in self.alarms.items() if (alarm.kind, alarm.what) == (kind, what)]
