"""`/reports`: the months of every customer at a glance, the report itself, issuing one and fetching its forms."""

import re
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.reports.html import stylesheet
from dashboards.reports.model import Report
from dashboards.reports.render import EDITIONS, FORMATS, LANGUAGES, Edition, render
from dashboards.web.access import address_of, checked_form, guarded, person
from dashboards.web.reports.glance import groups, recorded, visible
from dashboards.web.reports.models import Models, Wanted
from dashboards.web.reports.months import Month, parsed, present
from dashboards.web.site import Site
from sereno.errors import SerenoError
from sereno.press import File, Made, Press, PressError
from sereno.store.reports import issue_of
from sereno.topology.model import Topology

PATIENCE_SECONDS = 6.0  # that somebody waits for a page; then it says that the report is being made
_BODY = re.compile(r"<body class=\"(?P<edition>[^\"]*)\">(?P<inner>.*)</body>", re.DOTALL)
_TAGS = re.compile(r"<(/?)(main|header|footer)\b")


class Reports:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._models = Models(site.store)
        self._press = Press(site.store.url)

    # -- the list ----------------------------------------------------------------------------------------------------

    async def list(self, request: Request) -> Response:
        """The month's table; what is being made says so, and comes by itself."""
        return await self._listed(request, "reports/list.html")

    async def rows(self, request: Request) -> Response:
        """The table alone, for a page that waits for it."""
        return await self._listed(request, "reports/rows.html")

    async def _listed(self, request: Request, template: str) -> Response:
        topology = await self._site.threaded(self._site.topology)
        now = present(self._site.clock.now_us(), topology.timezone if topology is not None else "UTC")
        asked = request.query_params.get("month")
        month = parsed(asked) if asked is not None else now.before
        if month is None or month > now:
            return await self._site.missing(request, "There is no month {month} to report on.", month=asked)
        names = visible(topology, person(request).customers) if topology is not None else []
        marker = await self._site.threaded(self._models.marker)
        found = {name: self._models.look(Wanted(month.text, name), marker) for name in names}

        def made() -> Response:
            language = self._site.language(request)
            with self._site.store.read() as connection:
                issues, sendings = recorded(connection, month.text)
            rows = groups(topology, names, found, language, issues, sendings) if topology is not None else []
            return self._site.render(
                request, template, groups=rows, month=month, now=now, running=month == now,
                pending=sum(one.pending for one in rows), formats=FORMATS, editions=EDITIONS, languages=LANGUAGES,
                said=request.query_params.get("said"),
            )  # fmt: skip

        return await self._site.threaded(made)

    # -- one report --------------------------------------------------------------------------------------------------

    async def show(self, request: Request) -> Response:
        """The report on the page, made from the record as it stands now; nothing is issued by looking."""
        asked = await self._meant(request)
        if asked is None:
            return await self._site.missing(request, "There is no such report.")
        topology, customer, site, month, now = asked
        marker = await self._site.threaded(self._models.marker)
        found = await self._models.wait(Wanted(month.text, customer, site), marker, PATIENCE_SECONDS)
        chosen = _edition(request)

        def made() -> Response:
            language = self._site.language(request)
            sheet = _sheet(found.report, chosen, language) if found.report is not None else None
            return self._site.render(
                request, "reports/show.html", customer=customer, title=topology.customers[customer].name, site=site,
                sites=[name for name, one in topology.sites.items() if one.customer == customer], month=month, now=now,
                edition=chosen, sheet=sheet, fault=found.fault, editions=EDITIONS, formats=FORMATS,
                languages=LANGUAGES, address=_address,
            )  # fmt: skip

        return await self._site.threaded(made)

    async def sheet_rules(self, request: Request) -> Response:
        """The report's own stylesheet, for the paper that lies on our page."""
        del request
        rules = re.sub(r"(?<![\w.-])body(?![\w-])", ".paper-body", stylesheet()).replace(":root", ":host")
        return Response(rules, media_type="text/css", headers={"cache-control": "max-age=300"})

    async def copy(self, request: Request) -> Response:
        """One form as the record stands now; looking at it records nothing."""
        asked = await self._meant(request)
        form = request.path_params["name"].rpartition(".")[2]
        if asked is None or form not in FORMATS:
            return await self._site.missing(request, "There is no such report.")
        language = request.query_params.get("language")
        try:
            file = await self._press.copy(
                asked.month.text, form, customer=asked.customer, site=asked.site, edition=_edition(request),
                language=language if language in LANGUAGES else self._site.language(request),
            )  # fmt: skip
        except PressError as error:
            return await self._refused(request, str(error))
        return _download(file)

    async def _meant(self, request: Request) -> "_Meant | None":
        """Whose month is asked for, if he may read it."""
        customer, month = request.path_params["customer"], parsed(request.path_params["month"])
        topology = await self._site.threaded(self._site.topology)
        site = request.query_params.get("site") or None
        if topology is None or month is None or customer not in visible(topology, person(request).customers):
            return None
        now = present(self._site.clock.now_us(), topology.timezone)
        if month > now or (site and (site not in topology.sites or topology.sites[site].customer != customer)):
            return None
        return _Meant(topology, customer, site, month, now)

    # -- issuing -----------------------------------------------------------------------------------------------------

    async def issue(self, request: Request) -> Response:
        """Records a report with its model and who made it; its forms are then the same for ever."""
        form = await checked_form(request)
        given = {name: str(form.get(name, "")) for name in ("about", "month", "edition", "language")}
        customer, _, site = given["about"].partition("/")
        month, who = parsed(given["month"]), person(request)
        if not who.name:  # who issues has a name
            raise HTTPException(HTTPStatus.FORBIDDEN)
        topology = await self._site.threaded(self._site.topology)
        if topology is None or month is None or customer not in visible(topology, who.customers):
            return await self._site.missing(request, "There is no such report.")
        if site and (site not in topology.sites or topology.sites[site].customer != customer):
            return await self._site.missing(request, "There is no such report.")
        if given["edition"] not in EDITIONS or given["language"] not in LANGUAGES:
            return await self._site.missing(request, "There is no such report.")
        try:
            made = await self._press.issue(
                month.text, customer=customer, site=site or None, edition=given["edition"],
                language=given["language"], who=who.name, address=address_of(request),
            )  # fmt: skip
        except PressError as error:
            return await self._refused(request, str(error))
        return self._issued(made, str(form.get("form", "")))

    @staticmethod
    def _issued(made: Made, form: str) -> Response:
        """To the file that was asked for, or to the list, where all forms of it are."""
        if form in made.names:
            address = f"/reports/issues/{made.id}/{quote(made.names[form])}"
        else:
            address = f"/reports?{urlencode({'month': made.month, 'said': made.id})}#issue-{made.id}"
        return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)

    async def fetch(self, request: Request) -> Response:
        """One form of an issue, to the byte as it was first made."""
        number, form = request.path_params["number"], request.path_params["name"].rpartition(".")[2]
        who = person(request)

        def known() -> bool:
            with self._site.store.read() as connection:
                one = issue_of(connection, number)
            return one is not None and who.sees({one.customer})

        if form not in FORMATS or not await self._site.threaded(known):
            return await self._site.missing(request, "There is no such report.")
        try:
            file = await self._press.render(number, form)
        except PressError as error:
            return await self._refused(request, str(error))
        return _download(file)

    async def _refused(self, request: Request, why: str) -> Response:
        return await self._site.page(request, "reports/fault.html", status=HTTPStatus.INTERNAL_SERVER_ERROR, fault=why)


class _Meant(NamedTuple):
    """A report that is asked for."""

    topology: Topology
    customer: str
    site: str | None
    month: Month
    now: Month


def _edition(request: Request) -> Edition:
    return "executive" if request.query_params.get("edition") == "executive" else "full"


def _download(file: File) -> Response:
    headers = {"content-disposition": f'attachment; filename="{file.name}"', "cache-control": "private, no-store"}
    return Response(file.body, media_type=file.type, headers=headers)


def _sheet(report: Report, edition: Edition, language: str) -> tuple[str, Markup]:
    """(class of its body, the report without the frame of a document); its styles come from a sheet of their own."""
    html = render(report, "html", edition=edition, language=language, link="", css="/reports/sheet.css").decode()
    found = _BODY.search(html)
    if found is None:
        raise SerenoError("the report has no body")
    inner = _TAGS.sub(lambda tag: f'<{tag[1]}div data-was="{tag[2]}"' if not tag[1] else "</div", found["inner"])
    return found["edition"], Markup(inner)  # noqa: S704  # escaped by its own template


def _address(customer: str, month: Month, site: str | None = None, edition: str = "full") -> str:
    more = {
        name: value for name, value in (("site", site), ("edition", edition if edition != "full" else None)) if value
    }
    return f"/reports/{quote(customer)}/{month.text}" + (f"?{urlencode(more)}" if more else "")


def routes(site: Site) -> list[BaseRoute]:
    pages = Reports(site)
    return [
        Route("/reports", guarded("reports", pages.list), methods=["GET"]),
        Route("/reports/rows", guarded("reports", pages.rows), methods=["GET"]),
        Route("/reports/sheet.css", guarded("reports", pages.sheet_rules), methods=["GET"]),
        Route("/reports/issue", guarded("reports", pages.issue), methods=["POST"]),
        Route("/reports/issues/{number:int}/{name}", guarded("reports", pages.fetch), methods=["GET"]),
        Route("/reports/{customer}/{month}/{name}", guarded("reports", pages.copy), methods=["GET"]),
        Route("/reports/{customer}/{month}", guarded("reports", pages.show), methods=["GET"]),
    ]


__all__ = ["routes"]
