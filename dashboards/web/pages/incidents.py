"""`/incidents` and `/incidents/N`: what is wrong, where, since when, who has it, and what to do about it."""

import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import Permission, Person, checked_form, csrf, guarded, person
from dashboards.web.incidents import ordering
from dashboards.web.incidents.acts import ACTS, BY_VERB, GROUPS, OPENING, Act, Setting, arguments, given
from dashboards.web.incidents.evidence import Vitrine
from dashboards.web.incidents.filters import CLASSES, Filters, filters_of
from dashboards.web.incidents.house import House, Houses
from dashboards.web.incidents.listing import PAGE, Page, Past, listed
from dashboards.web.incidents.ordering import Answer, Ordering
from dashboards.web.incidents.sight import Sight, allowed, sight_named, sight_of
from dashboards.web.incidents.story import KINDS, reason_of
from dashboards.web.incidents.times import moment, place
from dashboards.web.incidents.whole import Whole, whole
from dashboards.web.live import Topic
from dashboards.web.site import Site
from dashboards.web.words import Words
from sereno.incident import PRIORITIES, STATES
from sereno.incident.reading import titled
from sereno.store.desk import incidents

PIECES = ("head", "promises", "next", "guide", "facts", "exhibits", "story", "related", "offered")
LIST_PIECES = ("counts", "open", "recent")
_HIGHEST = 2**63 - 1
_NUMBER = re.compile(r"[0-9]{1,18}")
_DONE = {act.verb: act.done for act in (*ACTS, OPENING)}


class _Shared:
    """What the list and the page have in common."""

    permission: Permission = "incidents"

    def __init__(self, site: Site, houses: Houses) -> None:
        self._site, self._houses = site, houses

    def allowed(self, person: Person, argument: str) -> bool:
        return allowed(person, sight_named(argument.partition("?")[0]))

    def plots(self, argument: str, words: Words) -> bytes:
        del argument, words
        return b""

    def _values(self, words: Words, now_us: int) -> dict[str, Any]:
        """What every piece is rendered with."""
        return {
            "w": words,
            "now_us": now_us,
            "at": lambda at_us, zone=None, seconds=True: moment(words, at_us, now_us, zone=zone, seconds=seconds),
            "place": lambda zone: place(words, zone, now_us),
            "reason": lambda code: reason_of(code, words),
            "pulse": self._site.view.page(now_us),
        }


class Listing(_Shared):
    """`/incidents`."""

    def __init__(self, site: Site, houses: Houses) -> None:
        super().__init__(site, houses)
        self._past = Past()

    def fragments(self, argument: str, words: Words) -> Mapping[str, str]:
        word, _, query = argument.partition("?")
        filters = filters_of(QueryParams(parse_qsl(query)))
        return self._pieces(filters, sight_named(word) or Sight(frozenset()), words)[1]

    def _pieces(self, filters: Filters, sight: Sight, words: Words, *, csrf: str = "") -> tuple[Page, dict[str, str]]:
        now_us = self._site.clock.now_us()
        with self._site.store.read() as connection:
            house = self._houses.read(connection)
            page = listed(connection, filters, sight, house.topology, words, self._past)
        values = self._values(words, now_us) | {"page": page, "filters": filters, "sight": sight, "house": house}
        values["csrf"] = csrf  # of whoever loads the page; pieces that go out live are for many
        return page, {name: self._site.fragment(f"incidents/{name}.html", **values) for name in LIST_PIECES}

    async def show(self, request: Request) -> Response:
        filters, sight = filters_of(request.query_params), sight_of(person(request))

        def found() -> Response:
            words = self._site.words(request)
            page, pieces = self._pieces(filters, sight, words, csrf=csrf(request))
            with self._site.store.read() as connection:
                house = self._houses.read(connection)
            topology = house.topology
            mine = [
                name for name in (topology.customers if topology else {})
                if sight.customers is None or name in sight.customers
            ]  # fmt: skip
            sites = [
                name for name, one in (topology.sites.items() if topology else ())
                if sight.customers is None or one.customer in sight.customers
            ]  # fmt: skip
            return self._site.render(
                request, "incidents/list.html", pieces=pieces, filters=filters, page=page, sight=sight, house=house,
                customers=mine, sites=sites, states=STATES, priorities=PRIORITIES, classes=CLASSES, per_page=PAGE,
                live=f"incidents/{sight.word}?{filters.query()}",
            )  # fmt: skip

        return await self._site.threaded(found)


class One(_Shared):
    """`/incidents/N`, and what is done there."""

    def __init__(self, site: Site, houses: Houses) -> None:
        super().__init__(site, houses)
        self._ordering, self._vitrine = Ordering(site), Vitrine()

    # -- looking -----------------------------------------------------------------------------------------------------

    def fragments(self, argument: str, words: Words) -> Mapping[str, str]:
        word, _, query = argument.partition("?")
        asked = dict(parse_qsl(query))
        number, sight = asked.get("n", ""), sight_named(word)
        if sight is None or _NUMBER.fullmatch(number) is None:
            return {}
        found = self._found(int(number), sight, words, oldest=asked.get("order") == "oldest")
        return self._pieces(found, sight, words) if found is not None else {}

    def _found(self, number: int, sight: Sight, words: Words, *, oldest: bool) -> Whole | None:
        if number > _HIGHEST:
            return None
        with self._site.store.read() as connection:
            house = self._houses.read(connection)
            now_us = self._site.clock.now_us()
            return whole(connection, number, sight, house, words, now_us, self._vitrine, oldest=oldest)

    def _pieces(self, found: Whole, sight: Sight, words: Words) -> dict[str, str]:
        values = self._values(words, found.now_us) | {"one": found, "record": found.record, "sight": sight}
        return {name: self._site.fragment(f"incidents/{name}.html", **values) for name in PIECES}

    async def show(self, request: Request) -> Response:
        said = await self._ordering.said(request, request.query_params.get("order-key", ""), _DONE)
        return await self._page(request, request.path_params["number"], answer=said)

    async def _page(
        self, request: Request, number: int, *, answer: Answer | None = None,
        typed: tuple[str, dict[str, Any]] | None = None, status: int = 200,
    ) -> Response:  # fmt: skip
        sight, oldest = sight_of(person(request)), request.query_params.get("order") == "oldest"
        hidden = [kind for kind in KINDS if kind in request.query_params.get("hide", "").split(",")]

        def found() -> Response | None:
            words = self._site.words(request)
            one = self._found(number, sight, words, oldest=oldest)
            if one is None:
                return None
            pieces = self._pieces(one, sight, words)
            return self._site.render(
                request, "incidents/show.html", status=status, one=one, record=one.record, pieces=pieces, sight=sight,
                oldest=oldest, hidden=hidden, kinds=KINDS, answer=answer, typed=typed, once=uuid.uuid4().hex,
                live=f"incident/{sight.word}?n={number}&order={'oldest' if oldest else 'newest'}",
                **(self._forms(request, one, words) if sight.acts else {}),
            )  # fmt: skip

        page = await self._site.threaded(found)
        return page or await self._site.missing(request, "There is no incident {number}.", number=number)

    def _forms(self, request: Request, one: Whole, words: Words) -> dict[str, Any]:
        with self._site.store.read() as connection:
            open_ = incidents(connection, states=("open", "acknowledged", "in_progress", "reopened"))
        others = tuple(
            (each.number, titled(each, words.language)) for each in open_ if each.number != one.record.number
        )
        setting = Setting(
            house=one.house, words=words, record=one.record, others=others, person=person(request).name
        )  # fmt: skip
        return {"setting": setting, "acts": ACTS, "groups": GROUPS}

    # -- doing -------------------------------------------------------------------------------------------------------

    async def act(self, request: Request) -> Response:
        """One verb on one incident."""
        number, verb = request.path_params["number"], request.path_params["verb"]
        act = BY_VERB.get(verb)
        form = await checked_form(request)
        if act is None or not await self._his(request, number):
            return await self._site.missing(request, "There is no incident {number}.", number=number)
        typed = given(act, form)
        answer = await self._asked(request, act, form, typed, number)
        if ordering.wants_json(request):
            return answer.as_json(self._site.words(request))
        if answer.status == HTTPStatus.OK:
            return RedirectResponse(f"/incidents/{number}?order-key={answer.key}", status_code=HTTPStatus.SEE_OTHER)
        return await self._page(request, number, answer=answer, typed=(verb, typed), status=answer.status)

    async def _his(self, request: Request, number: int) -> bool:
        """Whether there is such an incident, and he sees it."""
        sight = sight_of(person(request))
        if number > _HIGHEST:
            return False

        def look() -> bool:
            with self._site.store.read() as connection:
                found = incidents(connection, number=number)
            return bool(found) and sight.sees(found[0])

        return await self._site.threaded(look)

    async def _asked(
        self, request: Request, act: Act, form: FormData, typed: dict[str, Any], number: int | None
    ) -> Answer:
        def read() -> tuple[dict[str, Any], list[Any]]:
            with self._site.store.read() as connection:
                house = self._houses.read(connection)
            return arguments(act, typed, house)

        asked, wrong = await self._site.threaded(read)
        if wrong:
            return ordering.lacking(act, wrong)
        if number is not None:
            asked["number"] = number
        return await self._ordering.ask(request, f"incident.{act.verb}", asked, str(form.get("once", "")), act)

    # -- a new one ---------------------------------------------------------------------------------------------------

    async def new(self, request: Request) -> Response:
        typed = given(OPENING, request.query_params)
        typed["kind"] = typed["kind"] or "incident"
        return await self._form(request, typed)

    async def open(self, request: Request) -> Response:
        form = await checked_form(request)
        typed = given(OPENING, form)
        answer = await self._asked(request, OPENING, form, typed, None)
        if answer.number is not None:
            answer = answer.leading(f"/incidents/{answer.number}")
        if ordering.wants_json(request):
            return answer.as_json(self._site.words(request))
        if answer.status == HTTPStatus.OK and answer.next:
            return RedirectResponse(f"{answer.next}?order-key={answer.key}", status_code=HTTPStatus.SEE_OTHER)
        return await self._form(request, typed, answer=answer, status=answer.status)

    async def _form(
        self, request: Request, typed: dict[str, Any], *, answer: Answer | None = None, status: int = 200
    ) -> Response:
        def made() -> Response:
            words = self._site.words(request)
            with self._site.store.read() as connection:
                house = self._houses.read(connection)
            setting = Setting(house=house, words=words, person=person(request).name)
            now_us = self._site.clock.now_us()
            return self._site.render(
                request,
                "incidents/new.html",
                status=status,
                act=OPENING,
                setting=setting,
                typed=typed,
                answer=answer,
                once=uuid.uuid4().hex,
                house=house,
                wanted=_asked_for(house, now_us),
            )

        return await self._site.threaded(made)


def _asked_for(house: House, now_us: int) -> list[tuple[str, tuple[str, ...], bool]]:
    """What each contract asks for in a report of an incident, and whether attention waits for it."""
    terms = {name: contract.at(now_us).report for name, contract in house.contracts.items()}
    return [(name, one.incident, one.attention_from == "complete") for name, one in terms.items() if one.incident]


def routes(site: Site) -> list[BaseRoute]:
    houses = Houses()
    list_, one = Listing(site, houses), One(site, houses)
    return [
        Route("/incidents", guarded("incidents", list_.show), methods=["GET"]),
        Route("/incidents/new", guarded("act", one.new), methods=["GET"]),
        Route("/incidents/new", guarded("act", one.open), methods=["POST"]),
        Route("/incidents/{number:int}", guarded("incidents", one.show), methods=["GET"]),
        Route("/incidents/{number:int}/{verb}", guarded("act", one.act), methods=["POST"]),
    ]


def topics(site: Site) -> dict[str, Topic]:
    houses = Houses()
    return {"incidents": Listing(site, houses), "incident": One(site, houses)}


__all__ = ["routes", "topics"]
