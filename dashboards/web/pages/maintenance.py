"""`/maintenance`: announced work, what each contract makes of it, and the rule checked before one more is announced."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from babel.dates import format_date
from sqlalchemy import Connection, select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import Permission, Person, checked_form, csrf, guarded, person
from dashboards.web.incidents.filters import elements_of
from dashboards.web.incidents.house import House, Houses
from dashboards.web.incidents.ordering import Answer, Ordering, wants_json
from dashboards.web.incidents.times import moment, place
from dashboards.web.live import Topic
from dashboards.web.site import Site
from dashboards.web.words import Words
from dashboards.web.works import calendar
from dashboards.web.works.calendar import Work
from dashboards.web.works.proposal import Check, Proposal, arguments_of, check_of, proposal_of, scopes_of
from dashboards.web.works.saying import saying
from sereno.answers.works import Works
from sereno.incident import ACTIVE, IncidentRecord
from sereno.incident.reading import titled
from sereno.store.desk import incidents
from sereno.store.tables import isolations

PIECES = ("sheet", "works", "isolated")
MOST_LISTED = 200
_DAY_US = 86_400_000_000
_HIGHEST = 2**63 - 1


class Order(msgspec.Struct, frozen=True):
    """What is said when it is done."""

    verb: str
    done: str


ADD = Order("add", "Announced.")
CANCEL = Order("cancel", "Called off.")
ISOLATE = Order("isolate", "Taken out of service: nobody is woken for it.")
RETURN = Order("heal", "Back in service.")
_DONE = {order.verb: order.done for order in (ADD, CANCEL, ISOLATE, RETURN)}


class Maintenance:
    """The page, its live pieces, its form and its check."""

    permission: Permission = "read"

    def __init__(self, site: Site) -> None:
        self._site, self._houses, self._ordering = site, Houses(), Ordering(site)

    # -- looking -----------------------------------------------------------------------------------------------------

    def allowed(self, person: Person, argument: str) -> bool:
        return person.customers is None and (not argument.startswith("act?") or person.may("maintenance"))

    def fragments(self, argument: str, words: Words) -> Mapping[str, str]:
        word, _, query = argument.partition("?")
        asked = dict(parse_qsl(query))
        return self._pieces(asked.get("month", ""), asked.get("view", ""), words, acts=word == "act")

    def plots(self, argument: str, words: Words) -> bytes:
        del argument, words
        return b""

    def _pieces(self, month: str, view: str, words: Words, *, acts: bool, csrf: str = "") -> dict[str, str]:
        now_us = self._site.clock.now_us()
        with self._site.store.read() as connection:
            house = self._houses.read(connection)
            first = calendar.month_of(month, house.zone, now_us)
            from_us, to_us = calendar.month_window(first, house.zone)
            span = (None, None) if view == "list" else (from_us - 7 * _DAY_US, to_us + 7 * _DAY_US)
            found = calendar.read(connection, *span)[-MOST_LISTED:]
            notices = calendar.notices(connection, found)
            out = _isolated(connection)
        said = self._said(found)
        works = [
            Work(
                window=one, standing=calendar.standing(one, now_us), notices=notices[one.id],
                sayings=tuple(saying(word, house, words, now_us) for word in said.get(one.id, ())),
            )
            for one in found
        ]  # fmt: skip
        shown = (
            works
            if view == "list"
            else [one for one in works if one.window.from_us < to_us and one.window.to_us > from_us]
        )
        values = {
            "w": words, "now_us": now_us, "house": house, "acts": acts, "csrf": csrf, "view": view,
            "month": calendar.sheet(first, works, house.zone, now_us), "isolated": out,
            "works": sorted(shown, key=_first, reverse=view == "list"),
            "pulse": self._site.view.page(now_us), "month_name": format_date(first, "MMMM y", locale=words.locale),
            "at": lambda at_us, zone=None, seconds=False: moment(words, at_us, now_us, zone=zone, seconds=seconds),
            "place": lambda zone: place(words, zone, now_us),
        }  # fmt: skip
        return {name: self._site.fragment(f"maintenance/{name}.html", **values) for name in PIECES}

    def _said(self, found: list[Any]) -> Mapping[int, Any]:
        works = self._works
        if works is None or not found:
            return {}
        return works.announced(min(one.from_us for one in found), max(one.to_us for one in found))

    @property
    def _works(self) -> Works | None:
        """The engine that knows the contracts' rule; None where nobody can be asked."""
        found: Works | None = getattr(self._site.answers, "works", None)
        return found

    async def show(self, request: Request) -> Response:
        query = request.query_params
        answer = await self._ordering.said(request, query.get("order-key", ""), _DONE)
        return await self._page(request, answer=answer)

    async def _page(self, request: Request, *, answer: Answer | None = None, status: int = 200) -> Response:
        query, acts = request.query_params, person(request).may("maintenance")
        month, view = query.get("month", ""), "list" if query.get("view") == "list" else ""

        def found() -> Response:
            words = self._site.words(request)
            pieces = self._pieces(month, view, words, acts=acts, csrf=csrf(request))
            with self._site.store.read() as connection:
                house = self._houses.read(connection)
            now_us = self._site.clock.now_us()
            first = calendar.month_of(month, house.zone, now_us)
            return self._site.render(
                request, "maintenance/page.html", status=status, pieces=pieces, view=view, answer=answer, acts=acts,
                month=calendar.sheet(first, (), house.zone, now_us),
                live=f"maintenance/{'act' if acts else 'read'}?month={first:%Y-%m}&view={view}",
            )  # fmt: skip

        return await self._site.threaded(found)

    # -- the form, and its check -------------------------------------------------------------------------------------

    async def new(self, request: Request) -> Response:
        return await self._form(request, request.query_params)

    async def check(self, request: Request) -> Response:
        """What can be said of the form so far, as a piece of the page."""

        def found() -> Response:
            words = self._site.words(request)
            proposal, check, _ = self._checked(request.query_params, words)
            html = self._site.fragment("maintenance/check.html", w=words, proposal=proposal, check=check)
            return HTMLResponse(html, headers={"cache-control": "no-store"})

        return await self._site.threaded(found)

    def _checked(self, form: Mapping[str, Any], words: Words) -> tuple[Proposal, Check | None, House]:
        now_us = self._site.clock.now_us()
        with self._site.store.read() as connection:
            house = self._houses.read(connection)
            open_ = incidents(connection, states=sorted(ACTIVE))
        if house.topology is None:
            return Proposal(typed={}), None, house
        proposal = proposal_of(form, house.topology, house.zone, now_us)
        if proposal.window is None:
            return proposal, None, house
        works, down = self._works, self._down(now_us)
        judged = works.judge(proposal.window, down, now_us) if works is not None else None
        touched = _touched(proposal, open_, words)
        return proposal, check_of(proposal, judged, house, touched, words, now_us), house

    def _down(self, now_us: int) -> list[tuple[str, str]]:
        """What is down now: cores and SBCs, and paths that neither explains."""
        page = self._site.view.page(now_us)
        if page is None:
            return []
        cores = {one.name for one in page.cores if one.state == "down"}
        sbcs = {row.name for row in page.rows if row.verdict.state == "down"}
        paths = [cell for cell in page.paths if cell.verdict.state == "down"]
        alone = [cell.name for cell in paths if cell.core not in cores and cell.sbc not in sbcs]
        return [
            *(("core", name) for name in sorted(cores)), *(("sbc", name) for name in sorted(sbcs)),
            *(("path", name) for name in alone),
        ]  # fmt: skip

    async def _form(
        self, request: Request, form: Mapping[str, Any], *, answer: Answer | None = None, confirm: bool = False,
        status: int = 200,
    ) -> Response:  # fmt: skip
        def made() -> Response:
            words = self._site.words(request)
            proposal, check, house = self._checked(form, words)
            shown = answer is not None or proposal.window is not None
            return self._site.render(
                request, "maintenance/new.html", status=status, proposal=proposal, check=check, answer=answer,
                shown=shown, confirm=confirm, scopes=scopes_of(house.topology) if house.topology else [],
                once=uuid.uuid4().hex, mail=_mails(house),
            )  # fmt: skip

        return await self._site.threaded(made)

    # -- doing -------------------------------------------------------------------------------------------------------

    async def add(self, request: Request) -> Response:
        form = await checked_form(request)
        words = self._site.words(request)
        proposal, check, _ = await self._site.threaded(lambda: self._checked(form, words))
        if proposal.window is None:
            wrong = Answer(
                status=HTTPStatus.BAD_REQUEST, text="Something is missing in the form.", verb="add",
                fields=proposal.wrong or {"scope": "Choose what is worked on."},
            )  # fmt: skip
            return (
                wrong.as_json(words)
                if wants_json(request)
                else await self._form(request, form, answer=wrong, status=wrong.status)
            )
        if check is not None and check.grave and str(form.get("seen", "")) != check.seen:
            text = "Look at what is said of it, and announce it all the same if it must be."
            unseen = Answer(status=HTTPStatus.CONFLICT, text=text, verb="add")
            return (
                unseen.as_json(words)
                if wants_json(request)
                else await self._form(request, form, answer=unseen, confirm=True, status=unseen.status)
            )
        answer = await self._ordering.ask(
            request, "maintenance.add", arguments_of(proposal), str(form.get("once", "")), ADD
        )
        if answer.good:
            begins = proposal.typed["from"][:7]
            answer = answer.leading(f"/maintenance?month={begins}&order-key={answer.key}")
        if wants_json(request):
            return answer.as_json(words)
        if answer.good:
            return RedirectResponse(answer.next, status_code=HTTPStatus.SEE_OTHER)
        return await self._form(request, form, answer=answer, status=answer.status)

    async def cancel(self, request: Request) -> Response:
        form = await checked_form(request)
        asked = {"id": min(request.path_params["number"], _HIGHEST)}
        return await self._done(request, form, "maintenance.cancel", asked, CANCEL)

    async def isolate(self, request: Request) -> Response:
        form = await checked_form(request)
        return await self._done(request, form, "sbc.isolate", {"sbc": _name(form)}, ISOLATE)

    async def heal(self, request: Request) -> Response:
        form = await checked_form(request)
        return await self._done(request, form, "sbc.heal", {"sbc": _name(form)}, RETURN)

    async def _done(
        self, request: Request, form: FormData, verb: str, asked: dict[str, Any], order: Order
    ) -> Response:  # fmt: skip
        answer = await self._ordering.ask(request, verb, asked, str(form.get("once", "")), order)
        if wants_json(request):
            return answer.as_json(self._site.words(request))
        if answer.good:
            return RedirectResponse(f"/maintenance?order-key={answer.key}", status_code=HTTPStatus.SEE_OTHER)
        return await self._page(request, answer=answer, status=answer.status)


def _name(form: FormData) -> str:
    return str(form.get("sbc", "")).replace("\x00", "")[:64]


def _first(one: Work) -> tuple[int, int]:
    return one.window.from_us, one.number


def _isolated(connection: Connection) -> list[dict[str, Any]]:
    """SBCs that are out of service under attack."""
    rows = connection.execute(select(isolations).where(isolations.c.to_us.is_(None)).order_by(isolations.c.id))
    return [{"sbc": row.sbc, "from_us": row.from_us, "who": row.who} for row in rows]


def _touched(proposal: Proposal, open_: list[IncidentRecord], words: Words) -> list[IncidentRecord]:
    """Open incidents about what is worked on."""
    window = proposal.window
    if window is None:
        return []
    scope = (window.scope_kind, window.scope_name)
    found = []
    for one in open_:
        about = (
            elements_of(one) | {("site", name) for name in one.sites} | {("customer", name) for name in one.customers}
        )
        near = {part for kind, name in about if kind in {"path", "sbc", "core"} for part in name.split("/")}
        if one.class_ == "service" and (scope in about or window.scope_kind == "service" or window.scope_name in near):
            found.append(msgspec.structs.replace(one, title=titled(one, words.language)))
    return found


def _mails(house: House) -> bool:
    """The desk has a channel by which customers can be written to."""
    return house.desk is not None and any(one.smtp is not None for one in house.desk.channels.values())


def routes(site: Site) -> list[BaseRoute]:
    page = Maintenance(site)
    return [
        Route("/maintenance", guarded("read", page.show), methods=["GET"]),
        Route("/maintenance/new", guarded("maintenance", page.new), methods=["GET"]),
        Route("/maintenance/new", guarded("maintenance", page.add), methods=["POST"]),
        Route("/maintenance/check", guarded("maintenance", page.check), methods=["GET"]),
        Route("/maintenance/isolate", guarded("maintenance", page.isolate), methods=["POST"]),
        Route("/maintenance/return", guarded("maintenance", page.heal), methods=["POST"]),
        Route("/maintenance/{number:int}/cancel", guarded("maintenance", page.cancel), methods=["POST"]),
    ]


def topics(site: Site) -> dict[str, Topic]:
    return {"maintenance": Maintenance(site)}


__all__ = ["routes", "topics"]
