"""The ways out of a desk: the model of `channels:` in `desk.yaml`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sereno.shape import Frozen, Text
from sereno.topology.model import Secret

ChannelKind = Literal["webhook", "smtp", "pagerduty", "apprise"]
KINDS: tuple[ChannelKind, ...] = ("webhook", "smtp", "pagerduty", "apprise")
PAGERDUTY = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
_MEND = "`webhook: URL`, `smtp: smtp://host:25`, `pagerduty: us` or `apprise: {env: NAME}`"


class ChannelConfig(Frozen):
    """One way out; which of the four it is, is told by the one of `webhook smtp pagerduty apprise` that it has.

    `secret` is the webhook's signing key, the mail user's password or PagerDuty's routing key.
    """

    webhook: Text | None = None
    format: Literal["sereno", "alertmanager"] | None = None
    smtp: Text | None = None
    from_: Annotated[Text | None, Field(alias="from")] = None
    reply_to: Text | None = None
    starttls: Literal["opportunistic", "required", "never"] | None = None
    ca: Text | None = None
    user: Text | None = None
    pagerduty: Text | None = None
    apprise: Secret | None = None
    secret: Secret | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: Any) -> Any:
        if isinstance(value, dict):
            found = [kind for kind in KINDS if value.get(kind) is not None]
            if not found:
                raise ValueError(f"leads nowhere: write {_MEND}")
            if len(found) > 1:
                raise ValueError(f"is {' and '.join(found)} at once: write one of {_MEND}")
        return value

    @property
    def kind(self) -> ChannelKind:
        """Which of the four it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def keeps_state(self) -> bool:
        """The far end keeps an open alert of its own, which wants to be told of acknowledgement and end."""
        return self.pagerduty is not None or self.format == "alertmanager"


def message_id(key: str, sender: str) -> str:
    """The Message-ID (RFC 5322 §3.6.4) of a message by its key: a second delivery is recognised as the same."""
    domain = sender.rpartition("@")[2].rstrip("> ") or "localhost"
    return f"<sereno.{key.replace('/', '.')}@{domain}>"
