"""`/paths`, `/paths/{sbc}/{core}`, `/sbcs/{sbc}`: how one of them is, how it was, and why it failed last."""

from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web import board, history
from dashboards.web.access import Permission, Person, guarded
from dashboards.web.days import Line
from dashboards.web.history import WINDOWS, Failures, History, Seen
from dashboards.web.ladder import ladder
from dashboards.web.live import Snapshot, Topic
from dashboards.web.matrix import GRAVITY, natural_order
from dashboards.web.records import Panorama as Page
from dashboards.web.records import PathCell, SbcRow
from dashboards.web.rtpseconds import rtp_seconds
from dashboards.web.site import Site
from dashboards.web.words import Words
from sereno.availability import Scope
from sereno.clock import SECOND_US, iso
from sereno.errors import WireError
from sereno.incident import IncidentRecord, decode_record
from sereno.incident.reading import titled
from sereno.topology.model import Topology
from sereno.verdict import ElementVerdict
from sereno.wire import Result, decode

MOST_RESULTS = 10
MOST_INCIDENTS = 400
LONGEST = 400  # characters of a list's argument
AGAIN_US = 3 * SECOND_US
DAY_US = 86_400 * SECOND_US
PATH_CHECKS = ("options", "register", "call")
SBC_CHECKS = ("edge", "natural")


class Thing(NamedTuple):
    """What a page is about: a path, or an SBC."""

    kind: str
    name: str

    @property
    def sbc(self) -> str:
        return self.name.partition("/")[0]

    @property
    def core(self) -> str:
        return self.name.partition("/")[2]

    @property
    def checks(self) -> tuple[str, ...]:
        return PATH_CHECKS if self.kind == "path" else SBC_CHECKS

    @property
    def address(self) -> str:
        return f"/{'paths' if self.kind == 'path' else 'sbcs'}/{self.name}"


class Touched(NamedTuple):
    """An incident that touched it."""

    number: int
    title: str
    state: str
    priority: str
    opened_us: int
    resolved_us: int | None


class Paths:
    """The pages, and what of them is live."""

    permission: Permission = "read"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._history = History(site.store)
        self._failures = Failures()
        self._incidents: tuple[int, list[IncidentRecord]] = (0, [])

    # -- live ----------------------------------------------------------------------------------------------------------

    def allowed(self, person: Person, argument: str) -> bool:
        return person.customers is None and self._asked(argument) is not None

    def fragments(self, argument: str, words: Words) -> Snapshot:
        asked = self._asked(argument)
        page = self._site.view.page(self._site.clock.now_us())
        if asked is None or page is None:
            return {}
        thing, window = asked
        row = next((row for row in page.rows if row.name == thing.sbc), None)
        if row is None or (thing.kind == "path" and thing.core not in row.cells):
            gone = words.text("{name} is not watched any more.", name=thing.name)
            return {"verdict": self._site.fragment("paths/gone.html", text=gone)}
        values: dict[str, Any] = {"page": page, "row": row, "thing": thing, "w": words, "window": window}
        values["cell"] = row.cells.get(thing.core)
        values["verdict"] = verdict_of(row, values["cell"])
        values |= self._seen(thing, page, words)
        return {
            name: self._site.fragment(f"paths/{name}.html", **values)
            for name in ("verdict", "newest", "failure", "standing", "touched")
        }

    def plots(self, argument: str, words: Words) -> bytes:
        asked = self._asked(argument)
        if asked is None:
            return b""
        thing, window = asked
        topology = self._site.topology()
        if topology is None or not watched(topology, thing):
            return b""
        picture = self._history.picture(thing.name, window, self._site.clock.now_us())
        found = history.series(picture, labels(words))
        return msgspec.json.encode({name: {"t": one.times, "v": one.values} for name, one in found.items()})

    def _asked(self, argument: str) -> tuple[Thing, str] | None:
        """`path/sbc-1/core-a/1h` or `sbc/sbc-1/10m`."""
        kind, _, rest = argument.partition("/")
        name, _, window = rest.rpartition("/")
        if kind not in ("path", "sbc") or window not in WINDOWS or not name:
            return None
        return Thing(kind, name), window

    def _seen(self, thing: Thing, page: Page, words: Words) -> dict[str, Any]:
        """What the store tells of its last results, failures and incidents, and the ledger of its days."""
        now_us = page.at_us
        with self._site.store.read() as connection:
            listed = history.newest(connection, thing.name, thing.checks, now_us, MOST_RESULTS)
            failure = self._failures.last(connection, thing.name, now_us)
            records = self._records(connection, now_us)
        line = self._site.days.lines([Scope(*thing)], page.topology_hash, page.timezone, now_us)[0]
        return {
            "listed": {check: [_told(seen) for seen in listed.get(check, ())] for check in thing.checks},
            "failure": failure, "failed": _told(failure) if failure else None,
            "exchange": ladder(words, failure.body) if failure else "",
            "seconds": rtp_seconds(words, failure.body) if failure else "",
            "incidents": touching(records, thing, words), "line": line, "spans": spans_of(words, line),
            "forensics": forensics(thing, failure),
        }  # fmt: skip

    def _records(self, connection: Connection, now_us: int) -> list[IncidentRecord]:
        """The incidents of the last months, newest first; read again every few seconds."""
        read_us, records = self._incidents
        if not 0 <= now_us - read_us < AGAIN_US:
            bodies = history.incident_bodies(connection, now_us - 90 * DAY_US, MOST_INCIDENTS)
            records = [decode_record(body) for body in bodies]
            self._incidents = now_us, records
        return records

    # -- pages ---------------------------------------------------------------------------------------------------------

    async def show(self, request: Request) -> Response:
        params = request.path_params
        core = params.get("core")
        thing = Thing("sbc", params["sbc"]) if core is None else Thing("path", f"{params['sbc']}/{core}")
        window = request.query_params.get("window", "10m")
        window = window if window in WINDOWS else "10m"

        def whole() -> Response | None:
            words = self._site.words(request)
            argument = f"{thing.kind}/{thing.name}/{window}"
            fragments = self.fragments(argument, words)
            if "newest" not in fragments:
                return None
            now_us = self._site.clock.now_us()
            with self._site.store.read() as connection:
                until_us = history.compacted_until(connection, now_us - WINDOWS[window][0] * SECOND_US)
            page = self._site.view.page(now_us)
            row = next(row for row in page.rows if row.name == thing.sbc) if page else None
            order = list(WINDOWS)
            place = order.index(window)
            return self._site.render(
                request, "path.html", fragments=fragments, thing=thing, window=window, windows=order, row=row,
                wider=order[place + 1] if place + 1 < len(order) else None,
                narrower=order[place - 1] if place else None, compacted_us=until_us, live=f"paths/{argument}",
                holds=self._site.view.holds(WINDOWS[window][1]),
            )  # fmt: skip

        page = await self._site.threaded(whole)
        return page or await self._site.missing(request, "{name} is not watched.", name=thing.name)

    async def listing(self, request: Request) -> Response:
        q = request.query_params.get("q", "").strip()[:80]

        def whole() -> Response:
            page = self._site.view.page(self._site.clock.now_us())
            return self._site.render(
                request, "paths.html", page=page, q=q, cells=cells_of(page, q), live=f"pathlist/{urlencode({'q': q})}"
            )

        return await self._site.threaded(whole)


class PathList:
    """The list of all paths, live."""

    permission: Permission = "read"

    def __init__(self, site: Site) -> None:
        self._site = site

    def allowed(self, person: Person, argument: str) -> bool:
        return person.customers is None and len(argument) < LONGEST

    def fragments(self, argument: str, words: Words) -> Snapshot:
        page = self._site.view.page(self._site.clock.now_us())
        q = parse_qs(argument).get("q", [""])[0]
        return {"list": self._site.fragment("paths/list.html", page=page, w=words, cells=cells_of(page, q))}

    def plots(self, argument: str, words: Words) -> bytes:
        del argument, words
        return b""


def cells_of(page: Page | None, q: str) -> list[tuple[SbcRow, PathCell]]:
    """Every path that is looked for, worst first."""
    wanted = q.casefold()
    found = [
        (row, cell)
        for row in (page.rows if page else ())
        for cell in row.cells.values()
        if wanted in f"{cell.name} {row.place or ''}".casefold()
    ]
    return sorted(found, key=lambda pair: (GRAVITY[pair[1].verdict.state], natural_order(pair[1].name)))


def watched(topology: Topology, thing: Thing) -> bool:
    """Whether the topology has it."""
    if thing.kind == "sbc":
        return thing.name in topology.sbcs
    return thing.name in {path.name for path in topology.paths()}


def verdict_of(row: SbcRow, cell: PathCell | None) -> ElementVerdict:
    return row.verdict if cell is None else cell.verdict


def labels(words: Words) -> dict[str, str]:
    """What the lines of the plots are called."""
    return {
        "worst": words.text("slowest"), "mean": words.text("mean"), "best": words.text("fastest"),
        "rx": words.text("received ↓"), "tx": words.text("sent ↑"), "took": words.text("time taken (ms)"),
        "expires": words.text("granted (s)"), "edge": words.text("Edge"), "natural": words.text("As a phone sees it"),
    }  # fmt: skip


def _told(seen: Seen) -> tuple[Seen, Result | None]:
    try:
        return seen, decode(seen.body.encode(), Result)
    except WireError:  # of a newer version: its columns are shown
        return seen, None


def touching(records: list[IncidentRecord], thing: Thing, words: Words) -> list[Touched]:
    """The incidents whose cause or symptoms are this, or its SBC or core."""
    own = {(thing.kind, thing.name), ("sbc", thing.sbc), ("core", thing.core)}
    return [
        Touched(one.number, titled(one, words.language), one.state, one.priority, one.opened_us, one.resolved_us)
        for one in records
        if own & _elements(one)
    ][:12]


def _elements(record: IncidentRecord) -> set[tuple[str, str]]:
    causes = {(one.kind, one.name) for one in (record.cause, *record.elements, *record.causes)}
    return causes | {(one.kind, one.name) for one in record.symptoms}


def spans_of(words: Words, line: Line) -> list[tuple[str, str, str]]:
    """Today so far, thirty days, ninety days: figure and what it is of."""
    found = [(words.text("today so far"), "", board.today_of(words, line))]
    for count in (30, 90):
        if line.days is None:
            found.append((words.text("{count} days", count=count), "", words.text("reading the ledger…")))
            continue
        part = Line(line.scope, line.days[-(count - 1) :], None)
        said = words.text("{down} down, {percent} of it measured", down=words.span(part.down_us),
                          percent=words.percent(part.measured, 1))  # fmt: skip
        found.append((words.text("{count} days", count=count), words.percent(part.observed), said))
    return found


def forensics(thing: Thing, failure: Seen | None) -> str:
    """Where the failure can be looked into: two minutes around it."""
    if failure is None:
        return f"/forensics?{thing.kind}={thing.name}"
    query = {
        "from": iso(failure.at_us - 120 * SECOND_US), "to": iso(failure.at_us + 120 * SECOND_US), thing.kind: thing.name
    }  # fmt: skip
    return f"/forensics?{urlencode(query)}"


def routes(site: Site) -> list[BaseRoute]:
    paths = Paths(site)
    return [
        Route("/paths", guarded("read", paths.listing), methods=["GET"]),
        Route("/paths/{sbc}/{core}", guarded("read", paths.show), methods=["GET"]),
        Route("/sbcs/{sbc}", guarded("read", paths.show), methods=["GET"]),
    ]


def topics(site: Site) -> dict[str, Topic]:
    return {"paths": Paths(site), "pathlist": PathList(site)}
