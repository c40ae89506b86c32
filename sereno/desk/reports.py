"""Reports that go out by themselves: the models of `reports:` in `desk.yaml`."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sereno.shape import Frozen, Name, Text

Format = Literal["pdf", "html", "xlsx", "csv", "json"]
Edition = Literal["full", "executive"]
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _time(value: Any) -> str:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(f'{value!r} is no time of day: write "08:00"')
    return value


class Schedule(Frozen):
    """A month's reports, sent in the next one: of customers as a whole, and of single sites.

    With neither customers nor sites it is every customer's. `to` are mail addresses; the customer's contacts otherwise.
    """

    customers: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    sites: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    day: Annotated[int, Field(ge=1, le=28)] = 2
    at: Annotated[str, BeforeValidator(_time)] = "08:00"
    formats: Annotated[tuple[Format, ...], Field(min_length=1, strict=False)] = ("pdf",)
    edition: Edition = "full"
    language: Literal["es", "en"] | None = None
    to: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    @property
    def hour(self) -> int:
        return int(self.at[:2])

    @property
    def minute(self) -> int:
        return int(self.at[3:])


class Reports(Frozen):
    """`channel`: by which mail goes; the one for customers by default."""

    channel: Name | None = None
    schedules: Annotated[tuple[Schedule, ...], Field(strict=False)] = ()
