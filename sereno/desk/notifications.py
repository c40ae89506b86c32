"""How much is told at once and for how long it is tried, and the sign of life: two sections of `desk.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from sereno.clock import SECOND_US
from sereno.shape import Frozen, PositiveDuration, Text
from sereno.topology.model import Secret

MINUTE_US = 60 * SECOND_US


class Notifications(Frozen):
    """Limits for each person on each channel, and deadlines of messages."""

    burst: Annotated[int, Field(ge=1, le=100)] = 2
    within_us: Annotated[PositiveDuration, Field(alias="within")] = MINUTE_US
    page_deadline_us: Annotated[PositiveDuration, Field(alias="page_deadline")] = 30 * MINUTE_US
    deadline_us: Annotated[PositiveDuration, Field(alias="deadline")] = 240 * MINUTE_US


class Heartbeat(Frozen):
    """A request that goes out while the monitor sees, decides and delivers; `{secret}` in the address stands for it."""

    url: Text
    every_us: Annotated[PositiveDuration, Field(alias="every")] = MINUTE_US
    method: Literal["GET", "POST"] = "POST"
    secret: Secret | None = None
