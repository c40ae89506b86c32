"""One merged story of an incident: what the desk wrote, what was said of its elements, who was told, what was done.

The desk's timeline is the truth and stands here line by line; what other tables know beside it is put between.
"""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, or_, select

from dashboards.web.incidents.filters import elements_of
from dashboards.web.incidents.house import House
from dashboards.web.words import Words
from sereno.clock import SECOND_US
from sereno.incident import ACTIVE, IncidentRecord
from sereno.incident.titles import TITLES
from sereno.incident.told import finding, sort_of, told, worded
from sereno.store.desk_messages import Said, messages_of
from sereno.store.tables import alarm_states, commands, isolations, maintenance, outbox, verdict_changes
from sereno.verdict import VERDICT

KINDS = ("desk", "people", "verdict", "alarm", "notice", "customer", "work", "order")
BEFORE_US = 60 * SECOND_US  # what was said shortly before it began belongs to it
AFTER_US = 120 * SECOND_US
MOST = 400
_MONITOR = ("sereno", "ledger")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `written`: the language of words that a person or the desk wrote; "" are the reader's own."""

    at_us: int
    kind: str
    text: str
    who: str = ""
    written: str = ""
    detail: str = ""
    state: str = ""  # of a verdict
    bad: bool = False
    rank: int = 0  # of lines of one instant


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first, or oldest first; `cut`: there are earlier ones that are not shown."""

    entries: tuple[Entry, ...]
    counts: dict[str, int]
    cut: int


def story(
    connection: Connection, record: IncidentRecord, house: House, words: Words, now_us: int, *, oldest: bool
) -> Story:  # fmt: skip
    """Everything that is known of it, in order."""
    window = (record.since_us - BEFORE_US, _end_us(record, now_us))
    said = messages_of(connection, number=record.number)
    found = [
        *_timeline(record, words),
        *_verdicts(connection, record, house, words, window),
        *_alarms(connection, record, words),
        *_notices(connection, record, words),
        *(_message(one, words) for one in said),
        *_works(connection, record, words, window),
        *_orders(connection, record, words, window),
    ]
    found.sort(key=lambda one: (one.at_us, one.rank))
    counts = {kind: sum(one.kind == kind for one in found) for kind in KINDS}
    shown = found[-MOST:]
    return Story(
        entries=tuple(shown if oldest else reversed(shown)),
        counts={kind: count for kind, count in counts.items() if count},
        cut=len(found) - len(shown),
    )


def milestones(record: IncidentRecord, said: Collection[Said], words: Words) -> Story:
    """What a person who sees only his own customers may read of it: its states, and what was said to them."""
    steps = (
        (record.since_us, words.text("It began")), (record.opened_us, words.text("Opened")),
        (record.acknowledged_us, words.text("Acknowledged")), (record.resolved_us, words.text("Resolved")),
        (record.closed_us, words.text("Closed")),
    )  # fmt: skip
    found = [
        Entry(at_us=at_us, kind="desk", text=text, rank=place) for place, (at_us, text) in enumerate(steps) if at_us
    ]
    found += [_message(one, words) for one in said if one.customer in record.customers]
    found.sort(key=lambda one: (one.at_us, one.rank), reverse=True)
    counts = {kind: sum(one.kind == kind for one in found) for kind in KINDS}
    return Story(entries=tuple(found), counts={k: n for k, n in counts.items() if n}, cut=0)


def _end_us(record: IncidentRecord, now_us: int) -> int:
    if record.state in ACTIVE:
        return now_us + AFTER_US
    last = max(filter(None, (record.resolved_at_us, record.resolved_us, record.closed_us, record.opened_us)))
    return last + AFTER_US


def _timeline(record: IncidentRecord, words: Words) -> Iterator[Entry]:
    for place, one in enumerate(record.timeline):
        sort = sort_of(one.what)
        kind = sort or ("desk" if one.who in _MONITOR else "people")
        text, whole = told(one.what, words.language)
        yield Entry(
            at_us=one.at_us, kind=kind, text=text, who="" if one.who == "sereno" else one.who,
            written="" if whole else "es", rank=10 + place,
        )  # fmt: skip


def _verdicts(
    connection: Connection, record: IncidentRecord, house: House, words: Words, window: tuple[int, int]
) -> Iterator[Entry]:
    wanted = elements_of(record) | {("site", name) for name in record.sites}
    if house.topology is not None:
        wanted.add(("service", house.topology.service))
    columns = verdict_changes.c
    query = (
        select(columns.kind, columns.name, columns.what, columns.state, columns.since_us, columns.at_us, columns.reason)
        .where(columns.at_us >= window[0], columns.at_us < window[1], columns.kind.in_({kind for kind, _ in wanted}))
        .order_by(columns.id.desc())
        .limit(5 * MOST)
    )
    for row in connection.execute(query):
        if (row.kind, row.name) not in wanted or row.what == "page_undelivered":
            continue
        where = f"{words.text(f'kind:{row.kind}')} {row.name}"
        if row.what == VERDICT:
            text = f"{where}: {words.state(row.state)}"
            reason = reason_of(row.reason, words) if row.state != "up" else ""
            yield Entry(
                at_us=row.at_us, kind="verdict", text=f"{text} ({reason})" if reason else text, state=row.state,
                detail=_began(row.since_us, row.at_us, words), rank=1,
            )  # fmt: skip
        elif row.state in {"true", "false"}:
            what = finding(row.kind, row.what, row.name, words.language)
            over = words.text("{what}: over", what=what) if row.state == "false" else what
            yield Entry(at_us=row.at_us, kind="verdict", text=over, rank=2)


def reason_of(reason: str | None, words: Words) -> str:
    """A reason in words, of whatever is watched."""
    if not reason:
        return ""
    found = words.reason(reason)
    bare = reason.replace("_", " ")
    if found != bare:
        return found
    found = worded("reason", reason, words.language)
    return worded("finding", reason, words.language) if found == bare else found


def _began(since_us: int, at_us: int, words: Words) -> str:
    """A verdict is decided some time after it began by the samples."""
    return (
        words.text("by the samples since {moment}", moment=words.exactly(since_us))
        if at_us - since_us > SECOND_US // 2
        else ""
    )


class _Alarm(msgspec.Struct):
    """What of an alarm's stored state this page needs (`alerting/machine.py` writes it)."""

    phase: str
    bad_at_us: int
    bad_since_us: int
    good_at_us: int | None = None
    flapping: bool = False
    incident: int | None = None
    falls: tuple[int, ...] = ()


def _alarms(connection: Connection, record: IncidentRecord, words: Words) -> Iterator[Entry]:
    kinds = {kind for kind, _ in elements_of(record)}
    names = {name for _, name in elements_of(record)}
    columns = alarm_states.c
    query = select(alarm_states).where(columns.kind.in_(kinds), columns.name.in_(names))
    for row in connection.execute(query):
        state = msgspec.json.decode(row.body, type=_Alarm)
        if state.incident != record.number:
            continue
        where = _alarmed(row.kind, row.alarm, row.name, words)
        flaps = words.text("it comes and goes") if state.flapping else ""
        for at_us in state.falls or (state.bad_at_us,):
            text = words.text("alarm {alarm} fires: {where}", alarm=row.alarm, where=where)
            yield Entry(at_us=at_us, kind="alarm", text=text, detail=flaps, bad=True, rank=3)
        if state.phase in {"clearing", "idle"} and state.good_at_us is not None:
            text = words.text("alarm {alarm} holds no longer: {where}", alarm=row.alarm, where=where)
            yield Entry(at_us=state.good_at_us, kind="alarm", text=text, rank=3)


def _alarmed(kind: str, alarm: str, name: str, words: Words) -> str:
    """What an alarm says of its element; those of a verdict are named after it."""
    what = VERDICT if alarm.endswith("_down") else alarm
    return (
        finding(kind, what, name, words.language) if (kind, what) in TITLES else f"{words.text(f'kind:{kind}')} {name}"
    )


def _notices(connection: Connection, record: IncidentRecord, words: Words) -> Iterator[Entry]:
    """Messages that have not arrived; those that have stand in the timeline with their receipts."""
    columns = outbox.c
    query = select(
        columns.channel, columns.recipient, columns.state, columns.attempts, columns.error, columns.created_us,
        columns.due_us, columns.what,
    ).where(columns.incident == record.number, columns.state.in_(("pending", "expired", "obsolete")))  # fmt: skip
    for row in connection.execute(query.order_by(columns.id)):
        values = {"person": row.recipient, "channel": row.channel}
        if row.state == "pending" and row.attempts:
            text = words.text(
                "not delivered yet to {person} by {channel}; attempts: {count}", count=row.attempts, **values
            )
        elif row.state == "pending":
            text = words.text("on its way to {person} by {channel}", **values)
        elif row.state == "expired":
            text = words.text("given up: message to {person} by {channel}", **values)
        else:
            text = words.text("no longer needed: message to {person} by {channel}", **values)
        yield Entry(
            at_us=row.created_us, kind="notice", text=text, detail=str(row.error or ""), rank=30,
            bad=row.state == "expired" or (row.state == "pending" and bool(row.attempts)),
        )  # fmt: skip


def _message(one: Said, words: Words) -> Entry:
    what = words.text(f"message:{one.kind}")
    whom = one.address or one.customer or ""
    text = (
        words.text("{what} to {whom}", what=what, whom=whom)
        if one.direction == "out"
        else words.text("{what} of {whom}", what=what, whom=whom)
    )
    state = words.text(f"delivery:{one.state}") if one.state else words.text(f"delivery:{one.direction}")
    return Entry(
        at_us=one.at_us, kind="customer", text=f"{text} ({state})", who="" if one.who == "sereno" else one.who,
        detail="\n".join(part for part in (one.subject, one.body.strip(), one.error or "") if part), rank=31,
        bad=one.state in {"failed", "expired"}, written="es" if words.language != "es" else "",
    )  # fmt: skip


def _works(connection: Connection, record: IncidentRecord, words: Words, window: tuple[int, int]) -> Iterator[Entry]:
    about = elements_of(record) | {("site", name) for name in record.sites}
    about |= {("customer", name) for name in record.customers}
    near = {name for _, full in about for name in full.split("/")}
    columns = maintenance.c
    query = select(maintenance).where(columns.from_us < window[1], columns.to_us > window[0])
    for row in connection.execute(query.order_by(columns.id)):
        if row.scope_kind != "service" and row.scope_name not in near and (row.scope_kind, row.scope_name) not in about:
            continue
        where = f"{words.text(f'kind:{row.scope_kind}')} {row.scope_name}"
        text = words.text("maintenance {number} of {where} begins", number=row.id, where=where)
        yield Entry(at_us=row.from_us, kind="work", text=text, who=row.who, state="maintenance", rank=4)
        if row.cancelled_us is not None:
            text = words.text("maintenance {number} of {where} is called off", number=row.id, where=where)
            yield Entry(at_us=row.cancelled_us, kind="work", text=text, rank=4)
        elif row.to_us < window[1]:
            text = words.text("maintenance {number} of {where} ends", number=row.id, where=where)
            yield Entry(at_us=row.to_us, kind="work", text=text, rank=4)
    taken = isolations.c
    out = select(isolations).where(taken.from_us < window[1], or_(taken.to_us.is_(None), taken.to_us >= window[0]))
    for row in connection.execute(out):
        if row.sbc in near:
            text = words.text("SBC {name} is taken out of service under attack", name=row.sbc)
            yield Entry(at_us=row.from_us, kind="work", text=text, who=row.who, rank=4)
            if row.to_us is not None:
                text = words.text("SBC {name} is back in service", name=row.sbc)
                yield Entry(at_us=row.to_us, kind="work", text=text, rank=4)
    for place, one in enumerate(record.changes):
        where = f"{words.text(f'kind:{one.kind}')} {one.name}"
        text = words.text("changed shortly before: {what}, {where}", what=words.text(f"change:{one.what}"), where=where)
        yield Entry(at_us=one.at_us, kind="work", text=text, who=one.who or "", detail=one.text or "", rank=place)


def _orders(connection: Connection, record: IncidentRecord, words: Words, window: tuple[int, int]) -> Iterator[Entry]:
    """What people asked for and did not get, or not yet; what was done stands in the timeline."""
    columns = commands.c
    asked = and_(columns.at_us >= window[0], columns.at_us < window[1], columns.state.in_(("refused", "pending")))
    query = select(commands).where(asked, columns.verb.like("incident.%")).order_by(columns.id)
    for row in connection.execute(query.limit(MOST)):
        arguments: Any = msgspec.json.decode(row.arguments)
        if not isinstance(arguments, dict) or arguments.get("number") != record.number:
            continue
        verb = words.text(f"act:{row.verb.removeprefix('incident.')}")
        if row.state == "pending":
            yield Entry(at_us=row.at_us, kind="order", who=row.who, rank=40,
                        text=words.text("asked for and not answered yet: {verb}", verb=verb))  # fmt: skip
            continue
        why = _why(row.outcome)
        yield Entry(
            at_us=row.at_us, kind="order", who=row.who, text=words.text("refused: {verb}", verb=verb), detail=why,
            bad=True, rank=40,
        )  # fmt: skip


def _why(outcome: str | None) -> str:
    if not outcome:
        return ""
    try:
        said: Any = msgspec.json.decode(outcome)
    except msgspec.MsgspecError:
        return outcome
    return str(said.get("text", "")) if isinstance(said, dict) else str(said)
