"""Which incident a cause takes: the one that bears its name, holds its alarms, was over lately, or a new one."""

from collections.abc import Mapping, Sequence

from alerting.book import MONITOR
from alerting.causes import BUDGET, RANK, Group, Key, below, is_fault
from alerting.machine import AlarmState
from alerting.reconcile.room import Room, faults_of
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import Element, IncidentRecord
from sereno.verdict import VERDICT

_BEFORE_US = 10 * 1_000_000
GRACE_US = 1_000_000
ECHO_US = 15 * 60 * 1_000_000  # the longest window in which alarms count calls
REOPEN_US = 30 * 60 * 1_000_000  # a cause that returns within this is the same incident


class Matcher:
    """Finds a group's incident; `waiting_us` is when one that has not settled yet will have."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.book = room.book
        self.waiting_us: int | None = None
        self._causes: set[tuple[str, Element, str]] = set()
        self._shrinking: dict[int, int] = {}  # incident -> since when only something smaller than its cause is left
        self._shrank: dict[int, int] = {}  # as of the round before

    def begin(self, groups: Sequence[Group]) -> None:
        """A round over these."""
        self.waiting_us = None
        self._shrinking, self._shrank = {}, self._shrinking
        self._causes = {(group.class_, group.cause, group.topic) for group in groups}

    def _free(self, record: IncidentRecord, group: Group) -> bool:
        """Another cause may have the incident: its own is none any more, and nobody merged this one into it."""
        stands = (record.class_, record.cause, self.room.topic(record)) in self._causes
        return not stands and group.cause not in record.absorbed

    def owner(self, group: Group, states: Mapping[Key, AlarmState], owners: Mapping[int, Group]) -> int | None:
        """The open incident whose cause this is, or becomes."""
        held = {states[key].incident for key in group.members}
        mine = [
            record for record in self.book.active()
            if record.class_ == group.class_ and record.number not in owners and record.opened_by == MONITOR
            and (record.cause == group.cause or (record.number in held and self._free(record, group)))
            and self.room.topic(record) == group.topic
        ]  # fmt: skip
        if not mine:
            return None
        best = min(mine, key=lambda one: (one.cause != group.cause, RANK.get(one.cause.kind, 9), one.number))
        return best.number

    def absorber(self, group: Group) -> int | None:
        """The open incident that a person merged this cause into: it is not told apart again."""
        mine = (
            record.number for record in self.book.active()
            if record.opened_by == MONITOR and record.class_ == group.class_ and group.cause in record.absorbed
        )  # fmt: skip
        return min(mine, default=None)

    def adopter(
        self, group: Group, states: Mapping[Key, AlarmState], owners: Mapping[int, Group], now_us: int
    ) -> int | None:
        """The open incident, of another cause now, that all of this was part of already: it stays its symptom.

        Not where it holds a site down: that is worth its own words. Not for what merely fell again much later.
        """
        if self.room.impact.down_sites(group, states):
            return None
        for number in owners:
            record = self.book.records[number]
            if self.room.topic(record) != group.topic:
                continue
            known = {(one.alarm, one.kind, one.name) for one in (*record.symptoms, *record.faults)}
            if record.class_ == group.class_ and all(
                states[key].incident == number
                or (
                    key in known
                    and record.since_us <= states[key].bad_since_us
                    and now_us - record.opened_us <= REOPEN_US
                )
                for key in group.members
            ):
                return number
        return None

    def new(
        self, group: Group, states: Mapping[Key, AlarmState], owners: Mapping[int, Group], now_us: int
    ) -> int | None:
        """The incident that it reopens or opens, once it has settled."""
        broken = [states[key] for key in group.members if states[key].bad]
        firing = [state for state in broken if state.phase == "firing"]
        if not any(is_fault(self.room.what(state)) or group.own(state) for state in firing):
            return None  # over before anybody was told
        if group.topic == BUDGET and any(state.incident is not None for state in broken):
            return None  # the outage that burnt it was told already
        due = max(self._opening_due(group, broken), self._echoes_until(group, firing))
        if now_us < due:
            self.waiting_us = min(due, self.waiting_us or due)
            return None
        faults = set(faults_of(group, states))
        return self._returned(group, broken, faults, owners, now_us) or self._open(group, broken, now_us)

    def _opening_due(self, group: Group, broken: list[AlarmState]) -> int:
        known = _known_us(group, broken)
        if self._urgent(broken):
            return self._dead_us(broken) + self._grace_us(broken)
        # an alert of others comes when its rule has waited already
        settled = group.class_ == "monitor" or group.cause.kind == "external"
        return known if settled else known + self.room.settle_us

    def _echoes_until(self, group: Group, firing: list[AlarmState]) -> int:
        """Until when what is only worse than usual may be the echo of an outage that is over, in a window of its own.

        Shares of calls and medians go on telling of it; what lasts longer than that is a matter of its own.
        """
        if group.topic or group.class_ != "service" or any(is_fault(self.room.what(state)) for state in firing):
            return 0
        topology, own = self.room.topology, group.cause
        return max((
            record.resolved_us + ECHO_US
            for record in self.book.records.values()
            if record.resolved_us is not None and record.opened_by == MONITOR and not self.room.topic(record)
            and self._was_outage(record)
            and any(below(topology, own, cause) or below(topology, cause, own) for cause in record.causes)
            and any(record.since_us <= state.bad_since_us <= record.resolved_us + ECHO_US for state in firing)
        ), default=0)  # fmt: skip

    def _was_outage(self, record: IncidentRecord) -> bool:
        """Something did not work, as opposed to worked badly."""
        return any((alarm := self.room.alarms.alarms.get(one.alarm)) and is_fault(alarm.what) for one in record.faults)

    def settling(self, record: IncidentRecord, group: Group, states: Mapping[Key, AlarmState], now_us: int) -> bool:
        """Another cause for an incident that is open: it must have settled too, but for the service itself."""
        broken = [states[key] for key in group.members if states[key].bad]
        same = group.cause == record.cause
        less = _smaller(group.cause, record) or (same and record.alarm not in {key[0] for key in group.members})
        if (same and not less) or record.version == 0 or not broken:
            return False
        due = _known_us(group, broken) + self.room.settle_us
        if self._urgent(broken):
            due = self._dead_us(broken) + self._grace_us(broken)
        if less and record.reopened_us != now_us:  # what recovers does so a moment apart
            since_us = self._shrinking[record.number] = self._shrank.get(record.number, now_us)
            due = max(due, since_us + self.room.settle_us)
        if now_us >= due:
            return False
        self.waiting_us = min(due, self.waiting_us or due)
        return True

    def _dead_us(self, broken: list[AlarmState]) -> int:
        return min(state.bad_at_us for state in broken if state.kind == "service" and self.room.what(state) == VERDICT)

    def _grace_us(self, broken: list[AlarmState]) -> int:
        """The service down is told at once; while some path is not known to be, a second later: with its cause."""
        down = {state.name for state in broken if state.kind == "path" and self.room.what(state) == VERDICT}
        every = {path.name for path in self.room.topology.paths() if not path.passive}
        return 0 if every <= down else min(self.room.settle_us // 2, GRACE_US)

    def _urgent(self, broken: list[AlarmState]) -> bool:
        return any(state.kind == "service" and self.room.what(state) == VERDICT for state in broken)

    def _returned(
        self, group: Group, broken: list[AlarmState], faults: set[Key], owners: Mapping[int, Group], now_us: int
    ) -> int | None:
        """The incident that resolved lately and had the same fault: the same alarm on the same element."""
        recent = [
            record for record in self.book.records.values()
            if record.state in {"resolved", "closed"} and record.class_ == group.class_
            and record.number not in owners and record.opened_by == MONITOR
            and record.resolved_at_us is not None and now_us - record.resolved_at_us <= REOPEN_US
            and self.room.topic(record) == group.topic
            and (_same_fault(record, faults) or self._belongs(record, broken))
        ]  # fmt: skip
        if not recent:
            return None
        record = max(recent, key=lambda one: one.number)
        self.room.reopen(record, now_us, MONITOR, say(DESK_LANGUAGE, "reopened: it returned"))
        return record.number

    def _belongs(self, record: IncidentRecord, broken: list[AlarmState]) -> bool:
        """All of it began within that outage, below its cause: noticed late, it is the same outage still."""
        end_us = record.resolved_us if record.resolved_us is not None else record.opened_us
        return all(
            record.since_us <= state.bad_since_us <= end_us
            and any(below(self.room.topology, Element(state.kind, state.name), cause) for cause in record.causes)
            for state in broken
        )

    def _open(self, group: Group, broken: list[AlarmState], now_us: int) -> int:
        number = self.book.next_number
        self.book.next_number += 1
        self.book.records[number] = IncidentRecord(
            number=number,
            state="open",
            class_=group.class_,
            priority="Baja",
            priority_peak="Baja",
            cause=group.cause,
            title="",
            since_us=min(state.bad_since_us for state in broken),
            opened_us=now_us,
            complete_us=now_us,  # the monitor's report holds all that it can ever hold
            policy=self.room.policy,
            version=0,
        )
        return number

    def taken(self, record: IncidentRecord, owners: Mapping[int, Group]) -> int | None:
        """The incident whose cause now explains this one's."""
        mine = {(part.kind, part.name) for part in (record.cause, *record.elements)}
        for number, group in owners.items():
            other = group.topic == self.room.topic(record) or group.cause != record.cause
            if number != record.number and other and any((key[1], key[2]) in mine for key in group.members):
                return number
        return None


def _known_us(group: Group, broken: list[AlarmState]) -> int:
    """When the cause began to show; of the sum of its parts, when the last of them did.

    What was wrong long before does not count: that it is explained by something new now makes the new no older.
    """
    own = [state for state in broken if group.own(state)]
    if not own:
        return min(state.bad_at_us for state in broken)
    if group.elements and not group.many:
        return max(state.bad_at_us for state in own)
    began_us = min(state.bad_since_us for state in own) - _BEFORE_US
    return min(state.bad_at_us for state in broken if state.bad_since_us >= began_us)


def _smaller(cause: Element, record: IncidentRecord) -> bool:
    """A part of the incident's cause, or something lesser."""
    return cause in record.elements or RANK.get(cause.kind, len(RANK)) > RANK.get(record.cause.kind, len(RANK))


def _same_fault(record: IncidentRecord, faults: set[Key]) -> bool:
    """The same alarm on the same element. A dead service is the same by its parts, where any of them is known yet."""
    known = {(one.alarm, one.kind, one.name) for one in record.faults} & faults
    parts = {key for key in faults if key[1] != "service"}
    return any(key[1] != "service" for key in known) or (bool(known) and not parts)
