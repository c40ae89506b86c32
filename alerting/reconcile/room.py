"""What every part of the round works with: the book, what was declared and promised, and who is told."""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting import clocks
from alerting.book import Book
from alerting.causes import Group, Key, is_echo, is_fault, topic_of
from alerting.escalation.machine import Escalation
from alerting.impact import Impact
from alerting.letters.times import moment
from alerting.machine import AlarmState
from alerting.words import DESK_LANGUAGE, say
from sereno.alarms import Alarms
from sereno.contract import Contract
from sereno.incident import Element, IncidentRecord
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

ALL_CLOCKS = frozenset({"attention", "solution"})


class Room:
    """Shared by the parts of the round; the acts of people go through it too."""

    def __init__(
        self, *, topology: Topology, alarms: Alarms, contracts: Mapping[str, Contract], desk_contract: str | None,
        policy: tuple[str, ...], settle_us: int, book: Book, escalation: Escalation,
    ) -> None:  # fmt: skip
        self.impact = Impact(topology, alarms, contracts, desk_contract)
        self.book = book
        self.escalation = escalation
        self.alarms = alarms
        self.topology = topology
        self.policy = policy
        self.settle_us = settle_us

    @property
    def service(self) -> str:
        return self.topology.service

    @property
    def customers(self) -> frozenset[str]:
        return frozenset(self.topology.customers)

    def graded(self, record: IncidentRecord, now_us: int) -> IncidentRecord:
        """With the severity and clocks that its priority and customers bring."""
        return replace(record, severity=self.impact.severity(record), clocks=self.impact.owed(record, record, now_us))

    def moment(self, at_us: int) -> str:
        """An instant as the desk's people read it."""
        return moment(at_us, DESK_LANGUAGE, self.book.teller.zone)

    def first_step(self, record: IncidentRecord) -> str:
        alarm = self.alarms.alarms.get(record.alarm or "")
        return alarm.first_step if alarm else ""

    def broken(self, state: AlarmState) -> bool:
        """It keeps an incident open: an alarm that fires now, or a verdict of down on its way to fire."""
        if is_echo(state):
            return False
        return state.phase == "firing" or (state.phase == "pending" and self.what(state) == VERDICT)

    def what(self, state: AlarmState) -> str:
        return self.alarms.alarms[state.alarm].what

    def topic(self, record: IncidentRecord) -> str:
        """The standing matter that the incident is about; empty for an outage."""
        alarm = self.alarms.alarms.get(record.alarm or "")
        return topic_of(alarm.what) if alarm is not None else ""

    def holds(self, record: IncidentRecord, state: AlarmState) -> bool:
        """It keeps this incident open: what does not work, or what speaks of its very cause."""
        what = self.what(state)
        return self.broken(state) and (
            is_fault(what) or (speaks(record, state.key) and topic_of(what) in {"", self.topic(record)})
        )

    def reopen(self, record: IncidentRecord, now_us: int, who: str, line: str) -> IncidentRecord:
        """The same incident goes on; what its resolution had ended is owed again."""
        return self.book.put(
            record, now_us, line, who=who, state="reopened", resolved_us=None, resolved_at_us=None, closed_us=None,
            elements=(), good_us=None, eased_us=None, reopened_us=now_us,
            reopenings=record.reopenings + 1, over_told=record.told_resolved, told_resolved=True,
            clocks=clocks.again(record),
        )  # fmt: skip

    def resolve(self, record: IncidentRecord, now_us: int, who: str, *, good_us: int | None) -> IncidentRecord:
        """Over since the first good sample; decided now."""
        resolved_us = max(record.opened_us, good_us if good_us is not None else now_us)
        ended = replace(record, clocks=clocks.end(record, ALL_CLOCKS, resolved_us))
        line = say(DESK_LANGUAGE, "resolved: good since {since}", since=self.moment(resolved_us))
        return self.book.put(
            ended, now_us, line, who=who, state="resolved", resolved_us=resolved_us, resolved_at_us=now_us,
            told_resolved=not record.pages,
        )  # fmt: skip


def faults_of(group: Group, states: Mapping[Key, AlarmState]) -> list[Key]:
    """The alarms that speak of the cause itself, or of its parts."""
    return [key for key in group.members if states[key].phase != "pending" and group.own(states[key])]


def speaks(record: IncidentRecord, key: Key) -> bool:
    """The alarm is of the incident's cause itself, or of one of its parts."""
    mine = Element(key[1], key[2])
    return mine == record.cause or mine in record.elements
