"""The ways out of a desk: the model of `channels:` in `desk.yaml`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sereno.shape import Frozen, Text
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
