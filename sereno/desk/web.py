"""Who may look at the page, and by what way people come in: the models of `web:` in `desk.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from sereno.accounts.roles import Role
from sereno.accounts.sessions import IDLE_US, LONGEST_US
from sereno.shape import Frozen, PositiveDuration, Text
from sereno.topology.model import Secret


class SessionLives(Frozen):
    """How long who logged in stays so."""

    idle_us: Annotated[PositiveDuration, Field(alias="idle")] = IDLE_US
    longest_us: Annotated[PositiveDuration, Field(alias="longest")] = LONGEST_US


class Oidc(Frozen):
    """An identity provider (OpenID Connect). The role comes from a claim; who has none of `roles` is refused."""

    issuer: Text
    client_id: Text
    client_secret: Secret | None = None
    label: Text = "OpenID"
    scopes: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] = ("openid", "profile", "email")
    claim: Text = "groups"
    roles: Annotated[dict[Text, Role], Field(min_length=1)]
    customers: Text | None = None  # the claim that lists a manager's customers
    name: Text = "preferred_username"  # the claim that an account is called by


class Web(Frozen):
    """The page."""

    anonymous: Literal["viewer", "none"] = "none"
    sessions: SessionLives = SessionLives()
    oidc: Oidc | None = None
