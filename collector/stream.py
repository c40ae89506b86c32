"""Recorded results and events, one JSON object per line, read in order of time (docs/replay.md)."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from sereno.clock import SECOND_US, parse_instant
from sereno.errors import ConfigError, WireError
from sereno.topology.model import Topology
from sereno.wire import VERSION, Result, decode

_HORIZON_US = 60 * SECOND_US  # lines may be this much out of order (results written as they arrived)


class ScopeWords(msgspec.Struct, frozen=True):
    """What a maintenance window is about."""

    kind: Literal["service", "customer", "site", "core", "sbc", "path"]
    name: str | None = None


class Maintenance(msgspec.Struct, frozen=True, tag_field="event", tag="maintenance"):
    """Announced work."""

    v: int
    at: str
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()
    announced: str = msgspec.field()
    scope: ScopeWords = msgspec.field()
    critical_fix: bool = False


class ProbeState(msgspec.Struct, frozen=True, tag_field="event", tag="probe"):
    """A probe came or went."""

    v: int
    at: str
    probe: str
    state: Literal["online", "offline"]


class IncidentAct(msgspec.Struct, frozen=True, tag_field="event", tag="incident"):
    """Somebody worked on an incident."""

    v: int
    at: str
    action: Literal[
        "open", "request", "update", "ack", "start", "assign", "note", "priority", "pause", "resume", "redate",
        "resolve", "confirm", "close", "reopen", "merge", "split", "tell", "answer", "survey",
    ]  # fmt: skip
    by: str
    number: int | None = None
    note: str | None = None
    to: str | None = None  # assign
    title: str | None = None  # open, request, update, split
    customer: str | list[str] | None = None
    site: str | list[str] | None = None
    channel: str | None = None
    reporter: str | None = None
    contact: str | None = None
    extension: str | None = None
    direction: str | None = None
    counterpart: str | None = None
    occurred: str | None = None
    description: str | None = None
    priority: str | None = None
    urgency: str | None = None
    impact: str | None = None
    category: str | None = None  # resolve, close, confirm
    cause: str | None = None
    due: str | None = None  # redate
    reason: str | None = None
    into: int | None = None  # merge
    kind: str | None = None  # tell: opening, progress, question, solution
    text: str | None = None  # tell, answer
    score: int | None = None  # survey


class Cancel(msgspec.Struct, frozen=True, tag_field="event", tag="cancel"):
    """Announced work that was called off: the one of this scope and window."""

    v: int
    at: str
    from_: str = msgspec.field(name="from")
    to: str = msgspec.field()
    scope: ScopeWords = msgspec.field()


class Isolate(msgspec.Struct, frozen=True, tag_field="event", tag="isolate"):
    """An attacked SBC was taken out of service."""

    v: int
    at: str
    sbc: str


class Heal(msgspec.Struct, frozen=True, tag_field="event", tag="heal"):
    """It is back."""

    v: int
    at: str
    sbc: str


class AlertTold(msgspec.Struct, frozen=True, tag_field="event", tag="alert", rename="camel"):
    """Alertmanager told of an alert; the keys are its webhook's."""

    v: int
    at: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    group_labels: dict[str, str] = {}
    starts_at: str | None = None
    ends_at: str | None = None
    fingerprint: str | None = None


Event = Maintenance | Cancel | ProbeState | IncidentAct | Isolate | Heal | AlertTold
_events = msgspec.json.Decoder(Event)
_results = msgspec.json.Decoder(Result)


class _Kind(msgspec.Struct):
    event: Any = None


_kinds = msgspec.json.Decoder(_Kind)


class Line(NamedTuple):
    """One line: when it happened, where it stands, what it says."""

    at_us: int
    order: tuple[str, str, int]  # folding order: probe, boot, seq; events first
    number: int
    item: Result | Event
    arrived_us: int | None = None  # of a result that lay in a spool: when the collector got it
    where: str = ""  # the file


class _Arrival(msgspec.Struct):
    arrived: str | None = None


_arrivals = msgspec.json.Decoder(_Arrival)


class DisorderError(Exception):
    """A line lies too far back for reading as it comes."""


class Reader:
    """Parses and checks lines against a topology; errors name file and line."""

    def __init__(self, topology: Topology, where: str) -> None:
        self._topology, self._where = topology, where
        self.strangers: set[str] = set()  # probes that the topology does not name
        self._seen: set[tuple[str, str | None, str | None]] = set()  # probes, SBCs and cores that were looked up

    def lines(self, raw: Iterable[bytes]) -> Iterator[Line]:
        """Every line in folding order (at, probe, boot, seq); DisorderError when one comes over a minute late."""
        pending: list[Line] = []
        newest = 0
        for number, text in enumerate(raw, start=1):
            if not text.strip():
                continue
            line = self.parse(text, number)
            if line.at_us < newest - _HORIZON_US:
                raise DisorderError
            pending.append(line)
            if line.at_us > newest:
                newest = line.at_us
                if len(pending) > 1 and pending[0].at_us < newest - 2 * _HORIZON_US:
                    pending.sort()
                    kept = newest - _HORIZON_US
                    cut = next(index for index, one in enumerate(pending) if one.at_us >= kept)
                    yield from pending[:cut]
                    pending = pending[cut:]
        pending.sort()
        yield from pending

    def parse(self, text: bytes, number: int) -> Line:
        """One line; ConfigError says what is wrong with it and how to mend it."""
        if b'"event"' in text and self._is_event(text):
            return self._event(text, number)
        try:
            result = _results.decode(text)
            at_us = parse_instant(result.at)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            result, at_us = self._checked(text, number)
        new = (result.probe, result.sbc, result.core) not in self._seen
        if new or result.v != VERSION or result.seq < 1 or not result.boot:
            result, at_us = self._checked(text, number)
        arrived_us = self._arrived(text, number, result) if b'"arrived"' in text else None
        order = (result.probe, result.boot, result.seq)
        return Line(at_us, order, number, result, arrived_us, self._where)

    def _checked(self, text: bytes, number: int) -> tuple[Result, int]:
        """A result read with all its checks: the first of its kind, or one that cannot be taken."""
        try:
            result = decode(text, Result)
        except WireError as error:
            raise self._fault(
                number, _first_line(error), "write one result or event a line, as docs/replay.md says"
            ) from None
        self._check(number, "sbc", result.sbc, self._topology.sbcs)
        self._check(number, "core", result.core, self._topology.cores)
        if result.probe not in self._topology.probes:
            self.strangers.add(result.probe)
        self._seen.add((result.probe, result.sbc, result.core))
        return result, result.at_us

    @staticmethod
    def _is_event(text: bytes) -> bool:
        """Told by its own field, not by a word in some result's evidence."""
        try:
            return _kinds.decode(text).event is not None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return True

    def _arrived(self, text: bytes, number: int, result: Result) -> int | None:
        try:
            said = _arrivals.decode(text).arrived
        except msgspec.DecodeError as error:
            raise self._fault(number, f"arrived: {_first_line(error)}", "write an instant, or leave it out") from None
        if said is None:
            return None
        arrived_us = self._instant(said, number, "arrived")
        if arrived_us < result.at_us:
            raise self._fault(number, "it arrived before it was sent", "write arrived after at, or leave it out")
        return arrived_us

    def _event(self, text: bytes, number: int) -> Line:
        try:
            event = _events.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._fault(
                number,
                f"not an event: {_first_line(error)}",
                "write maintenance, cancel, probe, incident, isolate, heal or alert, with the fields of docs/replay.md",
            ) from None
        if event.v != VERSION:
            raise self._fault(number, f"unknown version {event.v}", f"write v: {VERSION}")
        if isinstance(event, Isolate | Heal):
            self._check(number, "sbc", event.sbc, self._topology.sbcs)
        if isinstance(event, Maintenance | Cancel):
            self._scope(event.scope, number)
            if self._instant(event.from_, number, "from") >= self._instant(event.to, number, "to"):
                raise self._fault(number, "the window ends before it begins", "write from before to")
        if isinstance(event, Maintenance):
            self._instant(event.announced, number, "announced")
        return Line(self._instant(event.at, number, "at"), ("", "", number), number, event, None, self._where)

    def _scope(self, scope: ScopeWords, number: int) -> None:
        topology = self._topology
        known: dict[str, Any] = {
            "service": {topology.service},
            "customer": topology.customers,
            "site": topology.sites,
            "core": topology.cores,
            "sbc": topology.sbcs,
            "path": {path.name for path in topology.paths()},
        }
        if scope.kind == "service" and scope.name is None:
            return
        self._check(number, scope.kind, scope.name or "", known[scope.kind])

    def _instant(self, text: str, number: int, key: str) -> int:
        try:
            return parse_instant(text)
        except ValueError as error:
            raise self._fault(number, f"{key}: {error}", "write an instant such as 2026-11-21T02:00:00Z") from None

    def _check(self, number: int, kind: str, name: str | None, known: Any) -> None:
        if name is not None and name not in known:
            names = ", ".join(sorted(known)[:8]) or "none"
            raise self._fault(number, f"no {kind} named {name!r} in the topology", f"name one of: {names}")

    def _fault(self, number: int, what: str, mend: str) -> ConfigError:
        return ConfigError(f"{self._where}:{number}", what, mend)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
