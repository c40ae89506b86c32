"""`/incidents/N`: what happened, where, since when, what to do about it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web import queries
from dashboards.web.access import guarded
from dashboards.web.site import Site


class Incidents:
    """The pages of incidents."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        number = request.path_params["number"]

        def found() -> Response | None:
            with self._site.store.read() as connection:
                record = queries.incident(connection, number)
            return None if record is None else self._site.render(request, "incident.html", record=record)

        page = await self._site.threaded(found)
        return page or await self._site.missing(request, "There is no incident {number}.", number=number)


def routes(site: Site) -> list[BaseRoute]:
    return [Route("/incidents/{number:int}", guarded("read", Incidents(site).show), methods=["GET"])]
