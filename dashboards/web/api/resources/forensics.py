"""Everything that happened in a window, in order, in pieces: the entries of `sereno forensics --ndjson`."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dashboards.web.api.context import Context, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import END, At, Element, ElementName, Free, Instant, Name, Number, Shape, TextCursor
from dashboards.web.refusal import Refused
from sereno.answers.cases import Asked as Question
from sereno.clock import SECOND_US, iso
from sereno.wire import CheckName

USUAL, MOST = 200, 2_000
_Limit = Annotated[int, Meta(ge=1, le=MOST, description=f"How many at most; {USUAL} unless told.")]
LONGEST_US = 31 * 86_400 * SECOND_US
USUAL_US = 600 * SECOND_US
NAMES = ("path", "sbc", "core", "site", "probe", "target", "incident")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened at an instant; `source` leads to the rows that say so. docs/forensics.md has it field by field."""

    at: At
    kind: str
    element: Element
    what: str
    source: Free
    to: At | UnsetType = UNSET
    arrived: At | UnsetType = UNSET
    facts: Free | UnsetType = UNSET
    result: Free | UnsetType = UNSET


class Timeline(Shape, frozen=True, kw_only=True):
    """A piece of the timeline, read up to `read`; fewer than asked for is not the end, `next` null is."""

    entries: tuple[Entry, ...]
    read: At
    next: str | None


class Asked(Shape, frozen=True, kw_only=True):
    """A window and at most one thing that it is about; an incident brings its own window. Ten minutes unless told."""

    from_: Instant | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Instant | UnsetType = UNSET
    path: Annotated[str, Meta(pattern="^[A-Za-z0-9@._+-]{1,64}/[A-Za-z0-9@._+-]{1,64}" + END)] | UnsetType = UNSET
    sbc: Name | UnsetType = UNSET
    core: Name | UnsetType = UNSET
    site: Name | UnsetType = UNSET
    probe: Name | UnsetType = UNSET
    target: ElementName | UnsetType = UNSET
    incident: Number | UnsetType = UNSET
    check: tuple[CheckName, ...] | UnsetType = UNSET
    only: Literal["changes", "failures"] | UnsetType = UNSET
    limit: _Limit = USUAL
    cursor: TextCursor | UnsetType = UNSET


def operations(context: Context) -> tuple[Operation, ...]:
    async def show(call: Call) -> Answer:
        now_us = context.clock.now_us()
        question = _question(call.query, now_us)
        after = None if call.query.cursor is UNSET else call.query.cursor
        found = await context.workers.run(
            lambda: context.answers.cases.entries(question, after, call.query.limit, now_us), heavy=True
        )
        raw = b'{"entries":[%s],"next":%s,"read":"%s"}' % (
            b",".join(found.lines), msgspec.json.encode(found.next), iso(found.read_us).encode(),
        )  # fmt: skip
        return Answer(raw=raw, following=found.next)

    return (
        Operation(
            "GET", "/forensics", "forensics", "Everything that happened in a window, in order", "Forensics",
            ("forensics",), show, Timeline, in_query=Asked, heavy=True, paged=True, may_be=(409,),
        ),
    )  # fmt: skip


def _question(asked: Any, now_us: int) -> Question:
    given = [name for name in NAMES if getattr(asked, name) is not UNSET]
    if len(given) > 1:
        raise Refused(409, f"{' and '.join(given)} exclude each other; give one")
    from_us = None if asked.from_ is UNSET else instant(asked.from_)
    to_us = None if asked.to is UNSET else instant(asked.to)
    if asked.incident is UNSET:
        to_us = now_us if to_us is None else to_us
        from_us = max(0, to_us - USUAL_US) if from_us is None else from_us
    if from_us is not None and to_us is not None and not from_us < to_us <= from_us + LONGEST_US:
        raise Refused(409, "the window ends before it begins, or is longer than 31 days")
    return Question(
        from_us=from_us, to_us=to_us, checks=None if asked.check is UNSET else frozenset(asked.check),
        only=None if asked.only is UNSET else asked.only,
        **{name: None if getattr(asked, name) is UNSET else getattr(asked, name) for name in NAMES},
    )  # fmt: skip
