"""`/invite/TOKEN`: a one-time link. Looking shows a form and uses nothing; sending it sets name and password."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import address_of, for_all
from dashboards.web.accounts.door import person_of
from dashboards.web.accounts.room import Room, landing, own_form, said
from dashboards.web.accounts.saying import told, why
from sereno.accounts import AccountError, Act, invitations
from sereno.accounts.invitations import Invitation
from sereno.accounts.names import checked_name, checked_password

LOCALES = {"es": ("es_CO", "es_CR", "es_MX", "en_US"), "en": ("en_US", "es_CO", "es_CR", "es_MX")}


class Links:
    """The pages."""

    def __init__(self, room: Room) -> None:
        self._room, self._site, self._door = room, room.site, room.door

    async def show(self, request: Request) -> Response:
        found = await self._opened(request)
        return await (self._over(request) if found is None else self._page(request, found))

    async def use(self, request: Request) -> Response:
        token, form = request.path_params["token"], await own_form(request)
        found = await self._opened(request)
        if found is None:
            return await self._over(request)
        words = await self._site.threaded(lambda: self._site.words(request))
        if form is None:
            return await self._page(request, found, told(words, "form"), status=403)
        name, password = found.user or said(form, "name"), said(form, "password")
        locale, address = said(form, "locale"), address_of(request)
        try:
            name = found.user or checked_name(name)
            checked_password(password, name, said(form, "again"))
            hashed = await self._room.vault.hashed(password)
            now_us = self._door.now_us()
            kept = locale if locale in LOCALES["es"] else LOCALES["es"][0]
            user = await self._door.written(
                lambda c: invitations.redeem(c, token, name, hashed, now_us, address=address, locale=kept)
            )
        except AccountError as error:
            if error.fault == "link":  # somebody was quicker
                return await self._over(request)
            return await self._page(request, found, why(words, error), name=said(form, "name"), status=422)
        act = Act(who=user.name, how="link", at_us=self._door.now_us(), address=address)
        return await self._room.entered(request, act, user, landing(person_of(user)))

    async def _opened(self, request: Request) -> Invitation | None:
        token, now_us = request.path_params["token"], self._door.now_us()
        try:
            return await self._door.read(lambda c: invitations.opened(c, token, now_us))
        except AccountError:
            return None

    async def _page(self, request: Request, found: Invitation, fault: str = "", **values: Any) -> Response:
        language = self._site.language(request)
        given: dict[str, Any] = {"status": 200, "name": "", **values}
        return await self._room.form_page(
            request, "accounts/invite.html", found=found, fault=fault, locales=LOCALES[language], **given
        )

    async def _over(self, request: Request) -> Response:
        return await self._site.page(request, "accounts/over.html", status=410)


def routes(room: Room) -> list[BaseRoute]:
    links = Links(room)
    return [
        Route("/invite/{token}", for_all(links.show), methods=["GET"]),
        Route("/invite/{token}", for_all(links.use), methods=["POST"]),
    ]
