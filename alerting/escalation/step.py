"""A step: something that must happen to an incident at a time, and what became of it."""

from typing import Literal

import msgspec

StepKind = Literal["page", "quiet"]  # quiet: it was decided that nobody is woken
StepState = Literal[
    "pending", "held", "done", "cancelled"
]  # held: something hushes the incident, such as announced maintenance
Why = Literal["acknowledged", "assigned", "resolved", "closed", "merged", "eased", "replaced", "over"]


class Wait(msgspec.Struct, frozen=True, array_like=True):
    """A level that was paged has until then to acknowledge."""

    level: int
    due_us: int


class Called(msgspec.Struct, frozen=True, array_like=True):
    """A person was paged for the incident."""

    person: str
    at_us: int


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the table `steps`; the newest of an incident is where its escalation stands."""

    key: str  # incident/episode/place
    incident: int
    episode: int  # the incident's reopenings when it was planned
    place: int  # 0, 1, 2 … within the episode
    kind: StepKind
    what: str  # as the message will say: opened, promoted, reopened, escalated, repaged, audit
    due_us: int
    created_us: int
    state: StepState = "pending"
    done_us: int | None = None
    round: int = 1
    waits: tuple[Wait, ...] = ()  # levels that were paged and have not timed out, the next first
    paged: tuple[int, ...] = ()  # levels that were paged in this round, this step's too once it is done
    people: tuple[str, ...] = ()  # whom this step paged
    called: tuple[Called, ...] = ()  # everybody paged lately, so that nobody is paged twice within a minute
    unreached: tuple[str, ...] = ()  # of those whom the last page called
    assigned: str | None = None  # whose the incident was when the step was planned
    first_due_us: int | None = None  # it fell due then, while nobody could do it
    why: Why | None = None  # cancelled for this

    @property
    def living(self) -> bool:
        """It is still to be done."""
        return self.state in {"pending", "held"}


class StepChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A step was planned, done or cancelled."""

    step: Step
