"""What the pages of accounts share: the site, the door, the vault, and forms that are read before one is logged in."""

from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dashboards.web.access import Person, checked_form, person
from dashboards.web.accounts import cookies
from dashboards.web.accounts.door import Door
from dashboards.web.accounts.vault import Vault
from dashboards.web.site import Site
from sereno.accounts import Act, secret, sessions
from sereno.accounts.users import User
from sereno.clock import SECOND_US

SEE_OTHER = 303


class Room:
    """One for each application."""

    def __init__(self, site: Site, door: Door, vault: Vault) -> None:
        self.site, self.door, self.vault = site, door, vault

    async def form_page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page with a form for somebody who may have no session: its key comes with a cookie of its own."""
        cookie = cookies.read("form", request)
        fresh = not request.state.session and not secret.is_secret(cookie)
        if fresh:
            cookie = secret.fresh()
            request.state.csrf = secret.form_key(cookie)
        page = await self.site.page(request, template, status=status, **values)
        if fresh:
            cookies.put(page, "form", request, cookie, None)
        return page

    async def entered(self, request: Request, act: Act, user: User, towards: str) -> Response:
        """Logged in: a new session, whatever this browser had before; `act` says by what way."""
        agent = request.headers.get("user-agent")
        made = await self.door.written(
            lambda c: sessions.begin(c, act, user, agent=agent, lives=self.door.access.lives)
        )
        return self.with_session(request, RedirectResponse(towards, SEE_OTHER), made)

    def with_session(self, request: Request, answer: Response, cookie: str) -> Response:
        cookies.put(answer, "session", request, cookie, self.door.access.lives.longest_us // SECOND_US)
        cookies.drop(answer, "form", request)
        return answer


async def own_form(request: Request) -> FormData | None:
    """The form if it came from a page of ours; None where its key is too old, so that the page can say so."""
    try:
        return await checked_form(request)
    except HTTPException:
        return None


def said(form: FormData, name: str) -> str:
    """A field's text; the octets of what is no text are nothing."""
    found = form.get(name, "")
    return found if isinstance(found, str) else ""


def landing(who: Person) -> str:
    """The first page of somebody's role."""
    return "/" if who.may("read") else "/reports" if who.may("reports") else "/account"


def me(request: Request) -> Person:
    return person(request)
