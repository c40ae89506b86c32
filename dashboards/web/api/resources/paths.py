"""Paths (an SBC to a core) with their verdicts and newest results, and a path's results one by one."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection, select

from dashboards.web import queries
from dashboards.web.api.context import Context, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import At, Free, Instant, Name, Shape, State, TextCursor
from dashboards.web.refusal import Refused
from sereno.clock import SECOND_US, iso
from sereno.store.queries.forensics import window
from sereno.store.queries.results import of_elements
from sereno.store.tables import results
from sereno.told.verdicts import say
from sereno.topology.model import Path, Topology
from sereno.wire import AnsweredBy, CheckName, Outcome, Reason

NEWEST_US = 3_600 * SECOND_US  # a result older than this is no news
LONGEST_US = 86_400 * SECOND_US
PLANES: dict[CheckName, str] = {"options": "options", "register": "register_", "call": "call"}  # as the model has them
USUAL, MOST = 25, 100
_DIGITS = 6  # of a place in the list
_Limit = Annotated[int, Meta(ge=1, le=MOST, description=f"How many at most; {USUAL} unless told.")]
USUAL_RESULTS, MOST_RESULTS = 100, 1_000


class Measured(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """A result as on the wire; what was not measured is absent."""

    v: int
    probe: str
    boot: str
    seq: int
    at: At
    check: CheckName
    outcome: Outcome
    sbc: str | UnsetType = UNSET
    core: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    transport: str | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    code: int | UnsetType = UNSET
    phrase: str | UnsetType = UNSET
    answered_by: AnsweredBy | UnsetType = UNSET
    answered_core: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    duration_seconds: float | UnsetType = UNSET
    rtt_seconds: float | UnsetType = UNSET
    answered_after_seconds: float | UnsetType = UNSET
    retransmissions: int | UnsetType = UNSET
    retry_after_seconds: float | UnsetType = UNSET
    setup_seconds: float | UnsetType = UNSET
    post_dial_delay_seconds: float | UnsetType = UNSET
    disconnect_seconds: float | UnsetType = UNSET
    expires_seconds: float | UnsetType = UNSET
    account: str | UnsetType = UNSET
    codec: str | UnsetType = UNSET
    media: dict[str, Free] | UnsetType = UNSET
    facts: Free | UnsetType = UNSET


class OnePath(Shape, frozen=True, kw_only=True):
    """A path: its role, its verdict, and the newest result of each of its checks within the last hour."""

    name: str
    sbc: str
    core: str
    role: str
    place: str | None
    state: State
    since: At | None
    reason: str | None
    newest: dict[str, Measured | None]


class Paths(Shape, frozen=True, kw_only=True):
    """A page of them."""

    at: At
    paths: tuple[OnePath, ...]
    next: str | None


class Results(Shape, frozen=True, kw_only=True):
    """A page of a path's results, newest window first asked is first answered: by time."""

    path: str
    results: tuple[Measured, ...]
    next: str | None


class Page(Shape, frozen=True, kw_only=True):
    """Which of them."""

    limit: _Limit = USUAL
    cursor: TextCursor | UnsetType = UNSET
    sbc: Name | UnsetType = UNSET
    core: Name | UnsetType = UNSET


class Place(Shape, frozen=True, kw_only=True):
    """A path by its two ends."""

    sbc: Name
    core: Name


class Window(Shape, frozen=True, kw_only=True):
    """The last ten minutes unless told; a day at most."""

    from_: Instant | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Instant | UnsetType = UNSET
    check: CheckName | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_RESULTS, description=f"{USUAL_RESULTS} unless told.")] = USUAL_RESULTS
    cursor: TextCursor | UnsetType = UNSET


def operations(context: Context) -> tuple[Operation, ...]:
    paths = Resource(context)
    return (
        Operation(
            "GET", "/paths", "paths", "Paths with their newest results", "Paths", ("read",), paths.index, Paths,
            in_query=Page, paged=True, may_be=(409,),
        ),
        Operation(
            "GET", "/paths/{sbc}/{core}", "path", "One path with its newest results", "Paths", ("read",),
            paths.show, OnePath, in_path=Place,
        ),
        Operation(
            "GET", "/paths/{sbc}/{core}/results", "pathResults", "Results of a path, by time", "Paths", ("read",),
            paths.results, Results, in_path=Place, in_query=Window, paged=True, may_be=(409,),
            says="Without the SIP messages and RTP seconds; `/forensics` has them.",
        ),
    )  # fmt: skip


class Resource:
    """Reads the store."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def index(self, call: Call) -> Answer:
        asked, now_us = call.query, self._context.clock.now_us()

        def look() -> tuple[list[dict[str, Any]], str | None]:
            said = {one["name"]: one for one in say(self._context.store, now_us) if one["kind"] == "path"}
            with self._context.store.read() as connection:
                topology = _topology(connection)
                every = [] if topology is None else [
                    path for path in topology.paths()
                    if asked.sbc in {UNSET, path.sbc} and asked.core in {UNSET, path.core}
                ]  # fmt: skip
                first = _index(asked.cursor)
                chosen = every[first : first + asked.limit]
                more = str(first + asked.limit) if first + asked.limit < len(every) else None
                return [_shown(connection, topology, path, said, now_us) for path in chosen if topology], more

        found, following = await self._context.workers.run(look)
        answer = {"at": iso(now_us), "paths": found, "next": following}
        return Answer(answer, following=following, tag=found)

    async def show(self, call: Call) -> Answer:
        now_us = self._context.clock.now_us()

        def look() -> dict[str, Any]:
            said = {one["name"]: one for one in say(self._context.store, now_us) if one["kind"] == "path"}
            with self._context.store.read() as connection:
                topology, path = _path(connection, call.path)
                return _shown(connection, topology, path, said, now_us)

        return Answer(await self._context.workers.run(look))

    async def results(self, call: Call) -> Answer:
        asked, now_us = call.query, self._context.clock.now_us()
        to_us = now_us + SECOND_US if asked.to is UNSET else instant(asked.to)
        from_us = to_us - 600 * SECOND_US if asked.from_ is UNSET else instant(asked.from_)
        if not from_us < to_us <= from_us + LONGEST_US:
            raise Refused(409, "the window ends before it begins, or is longer than a day")
        after = _place(asked.cursor)

        def look(connection: Connection) -> tuple[list[msgspec.Raw], str | None]:
            _, path = _path(connection, call.path)
            begin_us = from_us if after is None else max(from_us, after[0])
            found: list[msgspec.Raw] = []
            last = ""
            rows = window(connection, [path.name], None, begin_us, to_us)
            for row in rows:
                if after is not None and (row.at_us, row.probe, row.boot, row.seq) <= after:
                    continue
                if asked.check not in {UNSET, row.check} or asked.outcome not in {UNSET, row.outcome}:
                    continue
                if len(found) == asked.limit:
                    return found, last
                found.append(bare(row.body))
                last = f"{row.at_us}.{row.seq}.{_hex(row.probe)}.{_hex(row.boot)}"
            return found, None

        found, following = await self._context.read(look)
        name = f"{call.path.sbc}/{call.path.core}"
        return Answer({"path": name, "results": found, "next": following}, following=following)


def bare(body: str) -> msgspec.Raw:
    """A stored result without its evidence, whatever else it holds."""
    found: dict[str, Any] = msgspec.json.decode(body)
    found.pop("evidence", None)
    known = {field.encode_name for field in msgspec.structs.fields(Measured)}
    return msgspec.Raw(msgspec.json.encode({key: value for key, value in found.items() if key in known}))


def _shown(
    connection: Connection, topology: Topology, path: Path, said: dict[str, dict[str, Any]], now_us: int
) -> dict[str, Any]:
    verdict = said.get(path.name) or {"state": "unknown", "since": None, "reason": "no_data"}
    return {
        "name": path.name, "sbc": path.sbc, "core": path.core, "role": path.role,
        "place": topology.sbcs[path.sbc].place, "state": verdict["state"], "since": verdict["since"],
        "reason": verdict["reason"],
        "newest": {check: _newest(connection, path.name, check, now_us) for check in _checks(topology)},
    }  # fmt: skip


def _checks(topology: Topology) -> list[str]:
    return [name for name, key in PLANES.items() if getattr(topology.checks, key) is not None]


def _newest(connection: Connection, name: str, check: str, now_us: int) -> msgspec.Raw | None:
    """Looked for in ever longer pieces of the last hour."""
    columns, until_us = results.c, now_us + 10 * SECOND_US
    for span_us in (15 * SECOND_US, 90 * SECOND_US, 600 * SECOND_US, NEWEST_US):
        query = of_elements(select(columns.body), connection, [name], now_us - span_us, until_us)
        query = query.where(columns.check == check).order_by(columns.at_us.desc(), columns.seq.desc()).limit(1)
        body = connection.execute(query).scalar()
        if body is not None:
            return bare(body)
    return None


def _topology(connection: Connection) -> Topology | None:
    found = queries.current_topology(connection)
    return None if found is None else found[1]


def _path(connection: Connection, asked: Any) -> tuple[Topology, Path]:
    topology = _topology(connection)
    for path in topology.paths() if topology is not None else ():
        if topology is not None and (path.sbc, path.core) == (asked.sbc, asked.core):
            return topology, path
    raise Refused(404, f"there is no path {asked.sbc}/{asked.core}")


def _index(cursor: Any) -> int:
    if cursor is UNSET:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS):
        raise Refused(409, "this cursor is not of this list")
    return int(cursor)


def _place(cursor: Any) -> tuple[int, str, str, int] | None:
    if cursor is UNSET:
        return None
    try:
        at, seq, probe, boot = cursor.split(".")
        return int(at), bytes.fromhex(probe).decode(), bytes.fromhex(boot).decode(), int(seq)
    except (ValueError, UnicodeDecodeError):
        raise Refused(409, "this cursor is not of this list") from None


def _hex(text: str) -> str:
    return text.encode().hex()


__all__ = ["Measured", "bare", "operations"]
