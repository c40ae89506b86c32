"""Who is told and how: the frozen model of `desk.yaml`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sereno.shape import Frozen, Name, Text
from sereno.topology.model import Secret


class ChannelConfig(Frozen):
    """One way out: a webhook (signed with `secret`) or a mail server (logged into with `user` and `secret`)."""

    webhook: Text | None = None
    smtp: Text | None = None
    from_: Annotated[Text | None, Field(alias="from")] = None
    user: Text | None = None
    secret: Secret | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: Any) -> Any:
        if isinstance(value, dict) and (value.get("webhook") is None) == (value.get("smtp") is None):
            which = (
                "neither webhook nor mail server" if value.get("smtp") is None else "webhook and mail server at once"
            )
            raise ValueError(f"is {which}: write `webhook: URL` or `smtp: smtp://host:25`")
        return value

    @property
    def kind(self) -> Literal["webhook", "smtp"]:
        """Which of the two it is."""
        return "webhook" if self.webhook is not None else "smtp"


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


class Desk(Frozen):
    """The whole file. `contract` is the operator's own desk: matrix, priorities, calendars."""

    contract: Name
    channels: Annotated[dict[Name, ChannelConfig], Field(default_factory=dict)]
    people: Annotated[dict[Name, Person], Field(default_factory=dict)]
    levels: Annotated[tuple[Level, ...], Field(strict=False)] = ()
