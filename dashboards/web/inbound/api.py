"""The API: incidents read, and acted on as the command line does. Answers and errors are JSON, errors one line."""

import hashlib
import uuid
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.web.inbound.asking import Asker, body
from dashboards.web.inbound.gate import Gate, Refused
from sereno.incident import ACTIVE, STATES, incident_json
from sereno.store import Store
from sereno.store.commands import Outcome
from sereno.store.desk import incidents

MOST_BYTES = 64 * 1024
LONGEST_KEY = 100
_HIGHEST = 2**63 - 1
_NOTE = frozenset({"note"})
_ENDING = frozenset({"note", "category", "cause"})
_REPORT = frozenset({
    "title", "description", "reporter", "contact", "customer", "site", "extension", "direction", "counterpart",
    "occurred", "urgency", "impact", "category",
})  # fmt: skip
VERBS: dict[str, frozenset[str]] = {  # what may be said with each
    "ack": _NOTE,
    "start": _NOTE,
    "note": _NOTE,
    "assign": frozenset({"to", "note"}),
    "priority": frozenset({"priority", "urgency", "impact", "note"}),
    "update": _REPORT - {"urgency", "impact"},
    "pause": _NOTE,
    "resume": _NOTE,
    "redate": frozenset({"due", "reason"}),
    "tell": frozenset({"kind", "text", "customer"}),
    "answer": frozenset({"text", "from"}),
    "merge": frozenset({"into", "note"}),
    "resolve": _ENDING,
    "confirm": _ENDING,
    "close": _ENDING,
    "reopen": _NOTE,
    "survey": frozenset({"score", "comment"}),
}
OPENING = _REPORT | {"kind", "note", "priority", "channel"}
NEEDED = {
    "note": ("note",), "assign": ("to",), "pause": ("note",), "redate": ("due", "reason"), "answer": ("text",),
    "merge": ("into",), "survey": ("score",),
}  # fmt: skip
_NUMBERS = frozenset({"into", "score"})
_Given = dict[str, str | int]


class Api:
    """Incidents for programs."""

    def __init__(self, store: Store, asker: Asker, gate: Gate) -> None:
        self._store, self._asker, self._gate = store, asker, gate

    async def index(self, request: Request) -> Response:
        self._gate.who(request, "incidents")
        asked = request.query_params.getlist("state")
        for state in asked:
            if state not in STATES:
                raise Refused(400, f"no state {state[:40]!r}; they are {', '.join(STATES)}")
        return JSONResponse({"incidents": await self._asker.threaded(lambda: self._read(asked, None))})

    async def show(self, request: Request) -> Response:
        self._gate.who(request, "incidents")
        return JSONResponse(await self._incident(request.path_params["number"]))

    async def open(self, request: Request) -> Response:
        """A ticket opened by a program: as by hand, and it says by whom."""
        who = self._gate.who(request, "incidents")
        given = await _arguments(request, OPENING)
        if "title" not in given:
            raise Refused(400, "an incident needs a title")
        outcome = await self._ask(request, "open", given, who)
        number = outcome.number or 0
        return JSONResponse(
            {"done": outcome.text, "number": number, "incident": await self._incident(number)}, status_code=201
        )

    async def act(self, request: Request) -> Response:
        """One verb on one incident."""
        number, verb = request.path_params["number"], request.path_params["verb"]
        who = self._gate.who(request, "incidents")
        if verb not in VERBS:
            raise Refused(404, f"no act {verb[:40]!r}; they are {', '.join(VERBS)}")
        given = await _arguments(request, VERBS[verb])
        for name in NEEDED.get(verb, ()):
            if name not in given:
                raise Refused(400, f"{verb} needs {name!r}")
        await self._incident(number)
        outcome = await self._ask(request, verb, {"number": number, **given}, who)
        return JSONResponse({"done": outcome.text, "incident": await self._incident(number)})

    async def _ask(self, request: Request, verb: str, given: dict[str, Any], who: str) -> Outcome:
        by = str(given.pop("by", "")) or who
        said = request.headers.get("idempotency-key", uuid.uuid4().hex)
        if len(said) > LONGEST_KEY:
            raise Refused(400, f"Idempotency-Key has over {LONGEST_KEY} characters")
        once = f"{who}/{verb}/{given.get('number')}/{said}"
        key = f"api/{hashlib.sha256(once.encode()).hexdigest()[:40]}"
        outcome = await self._asker.ask(f"incident.{verb}", given, by if by == who else f"{by} ({who})", key)
        if outcome.state == "pending":
            raise Refused(202, "the desk has not answered yet; the order stays in its inbox", retry_after="5")
        if outcome.state == "refused":
            raise Refused(409, outcome.text)
        return outcome

    async def _incident(self, number: int) -> dict[str, Any]:
        found = await self._asker.threaded(lambda: self._read([], number)) if number <= _HIGHEST else []
        if not found:
            raise Refused(404, f"there is no incident {number}")
        return found[0]

    def _read(self, states: list[str], number: int | None) -> list[dict[str, Any]]:
        """Of these states, else those that people still work on; or the one with this number."""
        wanted = None if number is not None else states or [*ACTIVE, "resolved"]
        with self._store.read() as connection:
            return [incident_json(record) for record in incidents(connection, states=wanted, number=number)]


async def _arguments(request: Request, allowed: frozenset[str]) -> _Given:
    """What the body says: an object of texts and numbers, each of them known; nothing at all is an empty one."""
    raw = await body(request, MOST_BYTES)
    try:
        given: _Given = msgspec.json.decode(raw or b"{}", type=_Given)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Refused(400, f"not a JSON object of texts: {error}") from None
    for name, value in given.items():
        if name not in allowed and name != "by":
            known = ", ".join(sorted({*allowed, "by"}))
            raise Refused(400, f"{name[:40]!r} says nothing here; known are {known}")
        if isinstance(value, int) != (name in _NUMBERS):
            raise Refused(400, f"{name!r} is {'a number' if name in _NUMBERS else 'text'}")
    kept = {name: value if isinstance(value, int) else value.replace("\x00", "�") for name, value in given.items()}
    return {name: value for name, value in kept.items() if isinstance(value, int) or value.strip()}
