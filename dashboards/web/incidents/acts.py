"""What a person may do to an incident from its page: one entry for each verb of the desk, with the fields it reads.

The desk decides and refuses; here stands only what a form asks for and what of it can be said at once.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from dashboards.web.incidents.house import House
from dashboards.web.words import Words
from sereno.clock import iso
from sereno.contract.calendar import local_us
from sereno.incident import ACTIVE, PRIORITIES, IncidentRecord
from sereno.incident.moves import MOVES

Kind = Literal["line", "area", "choice", "several", "moment", "number"]
Choices = tuple[tuple[str, str], ...]  # (value, label)
MONITOR = "sereno"
URGENCIES, IMPACTS = ("alto", "medio", "bajo"), ("organizacion", "departamento", "individual")
BLAMES = ("plataforma", "cliente", "proveedor", "tercero")
TELLS = ("progress", "question", "opening", "solution")
CHANNELS = ("phone", "email", "portal")
LONGEST = {"line": 300, "area": 20_000, "moment": 40, "number": 9, "choice": 200, "several": 200}
_SCORES = ("5", "4", "3", "2", "1")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a form asks for. `label` and `hint` are ids of words."""

    name: str
    label: str
    kind: Kind = "line"
    needed: bool = False
    hint: str = ""
    choices: Callable[["Setting"], Choices] | None = None
    free: bool = False  # a choice that may be anything else, too


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the choices are made from."""

    house: House
    words: Words
    record: IncidentRecord | None = None
    others: tuple[tuple[int, str], ...] = ()  # open incidents: number and title
    person: str = ""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """`plain`: a button is enough, its fields are folded away. `grave`: what cannot be taken back easily."""

    verb: str
    label: str
    done: str
    fields: tuple[Field, ...] = ()
    plain: bool = False
    grave: bool = False
    of_people: bool = False  # not on what the monitor opened
    group: str = "work"


def _people(setting: Setting) -> Choices:
    desk = setting.house.desk
    names = dict.fromkeys([setting.person, *(desk.people if desk is not None else ())])
    return tuple((name, name) for name in names if name)


def _named(prefix: str, values: tuple[str, ...]) -> Callable[[Setting], Choices]:
    return lambda setting: tuple((value, setting.words.text(f"{prefix}:{value}")) for value in values)


def _priorities(setting: Setting) -> Choices:
    contracts = [setting.house.contract_of(name) for name in (setting.record.customers if setting.record else {})]
    found = []
    for priority in PRIORITIES:
        severities = {
            said for one in contracts if one is not None and (said := one.versions[-1].severity(priority)) is not None
        }
        found.append((priority, f"{priority} ({', '.join(sorted(severities))})" if severities else str(priority)))
    return tuple(found)


def _customers(setting: Setting) -> Choices:
    known = setting.house.topology.customers if setting.house.topology is not None else {}
    names = setting.record.customers if setting.record is not None else known
    return tuple((name, setting.house.customer_name(name)) for name in names)


def _sites(setting: Setting) -> Choices:
    known = setting.house.topology.sites if setting.house.topology is not None else {}
    return tuple((name, f"{name} · {setting.house.customer_name(site.customer)}") for name, site in known.items())


def _others(setting: Setting) -> Choices:
    return tuple((str(number), f"#{number} {title}") for number, title in setting.others)


_NOTE = Field(name="note", label="Note", kind="area")
_CATEGORY = Field(name="category", label="Category", hint="what kind of matter it was")
_CAUSE = Field(name="cause", label="Whose the cause was", kind="choice", choices=_named("blame", BLAMES))
_REPORT = (
    Field(name="channel", label="By which way it came", kind="choice", choices=_named("channel", CHANNELS), free=True),
    Field(name="reporter", label="Who reports it"),
    Field(name="contact", label="Contact", hint="whom to call back, and how"),
    Field(name="extension", label="Extension or user"),
    Field(
        name="direction",
        label="Incoming or outgoing",
        kind="choice",
        choices=_named("direction", ("incoming", "outgoing")),
    ),
    Field(name="counterpart", label="Counterpart's number"),
    Field(name="occurred", label="When it happened", kind="moment"),
)
_GRADE = (
    Field(name="urgency", label="Urgency", kind="choice", choices=_named("urgency", URGENCIES)),
    Field(name="impact", label="Impact", kind="choice", choices=_named("impact", IMPACTS)),
    Field(name="priority", label="or priority by name", kind="choice", choices=_priorities),
)  # fmt: skip

ACTS: tuple[Act, ...] = (
    Act(verb="ack", label="Take it", done="Taken: it is yours.", fields=(_NOTE,), plain=True),
    Act(verb="start", label="Start work", done="Work has begun.", fields=(_NOTE,), plain=True),
    Act(verb="note", label="Write a note", done="Noted.", fields=(msgspec.structs.replace(_NOTE, needed=True),)),
    Act(verb="assign", label="Assign", done="Assigned.", fields=(
        Field(name="to", label="To whom", kind="choice", needed=True, choices=_people, free=True), _NOTE)),
    Act(verb="priority", label="Change priority", done="Graded anew; its clocks follow.", of_people=True,
        fields=(*_GRADE, _NOTE)),
    Act(verb="update", label="Complete the report", done="The report is completed.", fields=(
        Field(name="title", label="Title"), *_REPORT, Field(name="description", label="Description", kind="area"),
        Field(name="customer", label="Customers", kind="several", choices=_customers), _NOTE)),
    Act(verb="pause", label="Ask and pause", done="Asked; the solution clock waits.", of_people=True, group="customer",
        fields=(
        Field(name="note", label="Question to the customer", kind="area", needed=True,
              hint="it is mailed to the customer's contacts, and the solution clock stops until he answers"),)),
    Act(verb="resume", label="Resume", done="The clock goes on.", of_people=True, group="customer", fields=(_NOTE,)),
    Act(verb="redate", label="Agree another date", done="Another date is agreed.", group="customer", fields=(
        Field(name="due", label="New date", kind="moment", needed=True),
        Field(name="reason", label="Why, as the customer was told", kind="area", needed=True))),
    Act(verb="tell", label="Tell the customer", done="The customer is written to.", group="customer", fields=(
        Field(name="kind", label="What it is", kind="choice", needed=True, choices=_named("tell", TELLS)),
        Field(name="text", label="Text", kind="area"),
        Field(name="customer", label="Only these customers", kind="several", choices=_customers))),
    Act(verb="answer", label="The customer answered", done="The answer is on the record.", group="customer", fields=(
        Field(name="text", label="What was said", kind="area", needed=True),
        Field(name="from", label="Who said it"))),
    Act(verb="merge", label="Merge into another", done="Merged.", grave=True, group="shape", fields=(
        Field(name="into", label="Into which", kind="choice", needed=True, choices=_others), _NOTE)),
    Act(verb="split", label="Split in two", done="Split.", group="shape", fields=(
        Field(name="title", label="What the new one is about", needed=True),
        Field(name="customer", label="Customers that go with it", kind="several", choices=_customers),
        Field(name="description", label="Description", kind="area"), _NOTE)),
    Act(verb="resolve", label="Resolve", done="Resolved.", grave=True, group="end", fields=(_CATEGORY, _CAUSE, _NOTE)),
    Act(verb="confirm", label="The customer confirms", done="Confirmed.", group="end",
        fields=(_CATEGORY, _CAUSE, _NOTE)),
    Act(verb="close", label="Close", done="Closed.", grave=True, group="end", fields=(_CATEGORY, _CAUSE, _NOTE)),
    Act(verb="reopen", label="Reopen", done="Open again.", group="end", fields=(_NOTE,)),
    Act(verb="survey", label="Survey's answer", done="The answer is kept.", group="end", fields=(
        Field(name="score", label="Score", kind="choice", needed=True,
              choices=lambda _: tuple((one, one) for one in _SCORES)),
        Field(name="comment", label="Comment", kind="area"))),
)  # fmt: skip
BY_VERB: Mapping[str, Act] = {act.verb: act for act in ACTS}
GROUPS = ("work", "customer", "shape", "end")
OPENING = Act(
    verb="open", label="Open a ticket", done="Registered.", fields=(
        Field(name="kind", label="What it is", kind="choice", needed=True,
              choices=_named("newticket", ("incident", "request"))),
        Field(name="title", label="Title", hint="one line; without it the first line of the description"),
        Field(name="description", label="Description", kind="area"),
        Field(name="customer", label="Customers", kind="several", choices=_customers),
        Field(name="site", label="Sites", kind="several", choices=_sites),
        *_REPORT, *_GRADE, _CATEGORY),
)  # fmt: skip


def offered(act: Act, record: IncidentRecord) -> bool:
    """Whether the desk would take this act now, as far as a page can tell."""
    if record.state not in MOVES[act.verb].sources or (act.of_people and record.opened_by == MONITOR):
        return False
    paused = record.state in ACTIVE and bool(record.pauses) and record.pauses[-1][1] is None
    if act.verb in {"pause", "redate", "merge", "split"}:
        return not paused
    return paused if act.verb == "resume" else True


class Refusal(msgspec.Struct, frozen=True):
    """A field that the desk need not even be asked with; the words are an id."""

    name: str
    text: str


def given(act: Act, form: Any) -> dict[str, Any]:
    """What the form holds, as it was typed: so that it can be shown again."""
    found: dict[str, Any] = {}
    for field in act.fields:
        if field.kind == "several":
            found[field.name] = [_clean(one, "several") for one in form.getlist(field.name) if str(one).strip()][:200]
        else:
            typed = str(form.get(f"{field.name}-other", "")).strip() if field.free else ""
            found[field.name] = _clean(typed or form.get(field.name, ""), field.kind)
    return found


def _clean(text: Any, kind: str) -> str:
    return str(text).replace("\x00", "�").replace("\r\n", "\n").strip()[: LONGEST[kind]]


def arguments(act: Act, typed: Mapping[str, Any], house: House) -> tuple[dict[str, Any], list[Refusal]]:
    """What the desk is asked with, and what is wrong with it already."""
    found: dict[str, Any] = {}
    wrong: list[Refusal] = []
    for field in act.fields:
        value = typed.get(field.name)
        if not value:
            if field.needed:
                wrong.append(Refusal(field.name, "This is needed."))
            continue
        if field.kind == "moment":
            at_us = moment_us(str(value), house.zone)
            if at_us is None:
                wrong.append(Refusal(field.name, "Write a date and a time."))
                continue
            value = iso(at_us)
        elif field.name in {"into", "score"}:
            if not str(value).isascii() or not str(value).isdigit():
                wrong.append(Refusal(field.name, "Write a number."))
                continue
            value = int(value)
        found[field.name] = value
    return found, wrong


def moment_us(text: str, zone: str) -> int | None:
    """The instant of a local time as a browser writes it (`2026-11-21T20:15`); None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return local_us(zone, moment.replace(tzinfo=None)) if moment.tzinfo is None else None
    except (ValueError, OverflowError):
        return None


__all__ = [
    "ACTS",
    "BY_VERB",
    "GROUPS",
    "OPENING",
    "Act",
    "Field",
    "Refusal",
    "Setting",
    "arguments",
    "given",
    "moment_us",
    "offered",
]
