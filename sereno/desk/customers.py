"""What customers are told by themselves, their survey, and what makes a problem: models of `desk.yaml`."""

from typing import Annotated

from pydantic import Field

from sereno.shape import Duration, Frozen, Name, PositiveDuration


class CustomerMail(Frozen):
    """Messages to `customers.NAME.contacts` of the topology; by `channel`, else by the first that sends mail."""

    channel: Name | None = None
    opening: bool = True
    solution: bool = True
    question: bool = True
    wait_us: Annotated[Duration, Field(alias="wait")] = 0


class Recurrence(Frozen):
    """When incidents of one cause become a problem by themselves."""

    times: Annotated[int, Field(ge=2, le=1_000)] = 3
    within_us: Annotated[PositiveDuration, Field(alias="within")] = 30 * 86_400_000_000
    reopenings: Annotated[int, Field(ge=1, le=1_000)] = 3
