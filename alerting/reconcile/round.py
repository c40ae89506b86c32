"""One round of the desk: every cause finds its incident, every incident its cause or its end."""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting import clocks
from alerting.book import MONITOR, Book
from alerting.causes import Group, Key, View, topic_of
from alerting.escalation.machine import Escalation
from alerting.machine import AlarmState
from alerting.reconcile.follow import Follower
from alerting.reconcile.match import Matcher
from alerting.reconcile.room import Room, speaks
from alerting.reconcile.timers import Timers
from alerting.words import DESK_LANGUAGE, say
from sereno.alarms import Alarms
from sereno.contract import Contract
from sereno.incident import IncidentRecord
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change


class Reconciler(Room):
    """Keeps the book in agreement with what is wrong now."""

    def __init__(
        self, *, topology: Topology, alarms: Alarms, contracts: Mapping[str, Contract], desk_contract: str | None,
        policy: tuple[str, ...], settle_us: int, book: Book, escalation: Escalation,
    ) -> None:  # fmt: skip
        super().__init__(
            topology=topology, alarms=alarms, contracts=contracts, desk_contract=desk_contract, policy=policy,
            settle_us=settle_us, book=book, escalation=escalation,
        )  # fmt: skip
        self._matcher = Matcher(self)
        self._follower = Follower(self)
        self._timers = Timers(self)
        self.waiting_us: int | None = None

    def reconcile(self, view: View, states: dict[Key, AlarmState], world: Mapping[Key, Change], now_us: int) -> None:
        """One round."""
        owners: dict[int, Group] = {}
        groups = view.groups()
        self._matcher.begin(groups)
        for group in groups:
            self._place(group, owners, view, states, world, now_us)
        self.waiting_us = self._matcher.waiting_us
        for record in self.book.active():
            if record.opened_by == MONITOR:
                self._end(record, owners, states, view.hushed, now_us)
        self._timers.run(now_us)

    def _place(
        self, group: Group, owners: dict[int, Group], view: View, states: dict[Key, AlarmState],
        world: Mapping[Key, Change], now_us: int,
    ) -> None:  # fmt: skip
        """The group's incident, brought up to date with it."""
        match = self._matcher
        number = match.owner(group, states, owners)
        if number is None and (number := match.absorber(group)) is not None:
            _belong(group, states, number)
            return
        if number is None and (number := match.adopter(group, states, owners, now_us)) is not None:
            _belong(group, states, number)
            return
        number = number or match.new(group, states, owners, now_us)
        if number is None:
            return
        owners[number] = group
        before = self.book.records[number]
        if match.settling(before, group, states, now_us):
            return
        self._follower.follow(before, group, view, states, world, now_us)
        if before.state == "reopened" and before.reopened_us == now_us:
            self._follower.announce_return(before, self.book.records[number], now_us)
        _belong(group, states, number)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def cleared(self, state: AlarmState) -> None:
        """An alarm of an incident cleared: if it spoke of the cause, that recovered at its first good sample."""
        record = self.book.records.get(state.incident or 0)
        if record is None or state.good_since_us is None:
            return
        if speaks(record, state.key) and topic_of(self.what(state)) in {"", self.topic(record)}:
            record = replace(record, good_us=max(state.good_since_us, record.good_us or 0))
        if state.kind in {"service", "site"} and self.what(state) == VERDICT:
            record = replace(record, eased_us=state.good_since_us)
        self.book.records[record.number] = record

    def _end(
        self, record: IncidentRecord, owners: Mapping[int, Group], states: Mapping[Key, AlarmState],
        hushed: frozenset[Key], now_us: int,
    ) -> None:  # fmt: skip
        group = owners.get(record.number)
        mine = [
            state for state in states.values()  # what a silenced cause brings holds no other incident open
            if state.incident == record.number and (state.key not in hushed or speaks(record, state.key))
        ]  # fmt: skip
        if any(self.holds(record, state) for state in mine):
            return
        own = {(part.kind, part.name) for part in (record.cause, *record.elements)}
        if group is not None and any(key[1:] in own for key in group.members):
            return  # good, and being watched
        if group is None and not mine and (taken := self._matcher.taken(record, owners)):
            kept, moved = clocks.merged(record, into := self.book.records[taken], now_us)
            self.book.put(
                record, now_us, say(DESK_LANGUAGE, "merged into {number}", number=taken), state="merged",
                merged_into=taken, clocks=kept,
            )  # fmt: skip
            self.book.put(into, now_us, clocks=moved)
            return
        self.resolve(record, now_us, MONITOR, good_us=record.good_us)

    def next_due_us(self) -> int | None:
        """The next instant at which time alone changes an incident."""
        dues = (self.waiting_us, self._timers.next_due_us())
        return min((due for due in dues if due is not None), default=None)


def _belong(group: Group, states: dict[Key, AlarmState], number: int) -> None:
    """The group's alarms are the incident's."""
    for key in group.members:
        if states[key].incident != number:
            states[key] = replace(states[key], incident=number)


__all__ = ["Reconciler"]
