"""The auditor, pure: did everything happen that was due? It reads what the machine wrote and trusts none of it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from alerting.escalation.ladder import rungs_in
from alerting.escalation.machine import WAITING, loud
from alerting.escalation.step import Step
from sereno.clock import SECOND_US
from sereno.incident import IncidentRecord

GRACE_US = 60 * SECOND_US
Fault = Literal["overdue", "missing", "no_step", "no_page", "no_message"]


class Sent(NamedTuple):
    """A message that waits in the outbox, or went through it; `incident` None: it speaks of several."""

    incident: int | None
    person: str
    created_us: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something did not happen."""

    fault: Fault
    incident: int
    key: str = ""
    due_us: int | None = None
    person: str | None = None


def audit(
    records: Iterable[IncidentRecord], steps: Iterable[Step], sent: Collection[Sent], now_us: int,
    *, reachable: Collection[str] = (), since_us: int = 0,
) -> list[Finding]:  # fmt: skip
    """What is wrong, by incident.

    `reachable` are the people who have a channel; `sent` holds the messages since `since_us`: what was paged before
    that is not asked about.
    """
    mine: dict[int, list[Step]] = {}
    for step in steps:
        mine.setdefault(step.incident, []).append(step)
    found = [Finding(fault="overdue", incident=step.incident, key=step.key, due_us=step.due_us)
             for own in mine.values() for step in own
             if step.state == "pending" and step.due_us + GRACE_US < now_us]  # fmt: skip
    for record in records:
        found += _of(record, mine.get(record.number, []), now_us)
    told = _told(sent)
    for own in mine.values():
        for step in own:
            found += _messages(step, told, reachable, since_us)
    return sorted(found, key=lambda one: (one.incident, one.key, one.fault, one.person or ""))


def _of(record: IncidentRecord, steps: list[Step], now_us: int) -> Iterable[Finding]:
    """What an incident that nobody has acknowledged should have, and has not."""
    episode = [step for step in steps if step.episode == record.reopenings]
    places = {step.place for step in episode}
    for place in range(max(places, default=-1) + 1):
        if place not in places:
            yield Finding(fault="missing", incident=record.number, key=f"{record.number}/{record.reopenings}/{place}")
    if record.state not in WAITING or not loud(record) or record.kind != "incident":
        return
    began_us = max(record.opened_us, record.reopened_us or 0)
    if not episode:
        if not record.pages and not steps and now_us - began_us > GRACE_US and record.class_ == "service":
            yield Finding(fault="no_page", incident=record.number)
        elif record.pages and rungs_in(record) and now_us - began_us > GRACE_US:
            yield Finding(fault="no_step", incident=record.number)
        return
    last = max(episode, key=lambda step: step.place)
    given_up = last.why in {"assigned", "acknowledged"} or last.kind == "quiet"
    if rungs_in(record) and not last.living and not given_up:
        yield Finding(fault="no_step", incident=record.number, key=last.key)


def _told(sent: Collection[Sent]) -> Mapping[tuple[int | None, str], int]:
    """The newest message to a person of an incident, or of several at once."""
    newest: dict[tuple[int | None, str], int] = {}
    for one in sent:
        key = (one.incident, one.person)
        newest[key] = max(one.created_us, newest.get(key, 0))
    return newest


def _messages(
    step: Step, told: Mapping[tuple[int | None, str], int], reachable: Collection[str], since_us: int
) -> Iterable[Finding]:
    if step.kind != "page" or step.state != "done" or step.done_us is None or step.done_us < since_us:
        return
    for person in step.people:
        newest = max(told.get((step.incident, person), -1), told.get((None, person), -1))
        if person in reachable and newest < step.done_us:
            yield Finding(fault="no_message", incident=step.incident, key=step.key, person=person)
