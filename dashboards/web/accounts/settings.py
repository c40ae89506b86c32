"""What the door is told: where the page listens, who may look without logging in, how long a session lasts."""

import msgspec

from dashboards.web.accounts.provider import Provider
from sereno.accounts.sessions import Lives


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """`loopback`: the listener is, and no proxy stands before it. `anonymous`: a viewer's pages need no login."""

    loopback: bool = True
    anonymous: bool = False
    lives: Lives = Lives()
    provider: Provider | None = None
