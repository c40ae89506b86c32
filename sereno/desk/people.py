"""Who is told, and in which order: the models of `people:` and `levels:` in `desk.yaml`."""

from typing import Annotated

from pydantic import Field

from sereno.shape import Frozen, Name, Text


class Person(Frozen):
    """Somebody who is told, by each of `channels` in order."""

    email: Text | None = None
    channels: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    locale: Text = "es_CO"


class Level(Frozen):
    """One rung of escalation; `calendar` is one of the contract's, none: always."""

    name: Text
    people: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    calendar: Name | None = None
