"""Which incident each cause belongs to: opened, promoted, eased, merged, reopened, resolved (docs/alarms.md).

One rule keeps it small: a cause takes the incident that already bears its name, else one that holds an alarm it now
explains, else one that resolved within 30 minutes, else, once it has settled, a new one.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting import clocks, words
from alerting.book import MONITOR, Book
from alerting.causes import RANK, Group, Key, View, below, gravity
from alerting.impact import Impact
from alerting.machine import AlarmState
from alerting.words import DESK_LANGUAGE, say
from sereno.alarms import Alarms
from sereno.clock import iso
from sereno.contract import Contract
from sereno.incident import Clock, Element, IncidentRecord, Symptom
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change

REOPEN_US = 30 * 60 * 1_000_000  # a cause that returns within this is the same incident
QUIET_US = 30 * 60 * 1_000_000  # a flapping one, once announced, pages no more for this long
TELL_US = 30 * 1_000_000  # "it is over" waits this long: a fault that returns meanwhile was never over for anybody
STABLE_US = 10 * 60 * 1_000_000  # and is told to be over after this long without a return
MONITOR_CLOSE_US = 48 * 3_600 * 1_000_000
_LOUD = ("Urgente", "Alta")


class Reconciler:
    """Keeps the book in agreement with what is wrong now."""

    def __init__(
        self, *, topology: Topology, alarms: Alarms, contracts: Mapping[str, Contract], desk_contract: str | None,
        policy: tuple[str, ...], settle_us: int, book: Book,
    ) -> None:  # fmt: skip
        self.impact = Impact(topology, alarms, contracts, desk_contract)
        self.book = book
        self.alarms = alarms
        self.waiting_us: int | None = None
        self._topology = topology
        self.policy = policy
        self._settle_us = settle_us

    # -- the round -----------------------------------------------------------------------------------------------------

    def reconcile(self, view: View, states: dict[Key, AlarmState], world: Mapping[Key, Change], now_us: int) -> None:
        """One round: every cause finds its incident, every incident its cause or its end."""
        owners: dict[int, Group] = {}
        self.waiting_us = None
        for group in view.groups():
            number = self._owner(group, states, owners)
            if number is None and (number := self._adopter(group, states, owners, now_us)) is not None:
                for key in group.members:
                    states[key] = replace(states[key], incident=number)
                continue
            number = number or self._new(group, states, owners, now_us)
            if number is None:
                continue
            owners[number] = group
            before = self.book.records[number]
            self._follow(before, group, view, states, world, now_us)
            if before.state == "reopened" and before.reopened_us == now_us:
                self._announce_return(before, self.book.records[number], now_us)
            for key in group.members:
                states[key] = replace(states[key], incident=number)
        for record in self.book.active():
            if record.opened_by == MONITOR:
                self._end(record, owners, states, now_us)
        self._time(now_us)

    def _owner(self, group: Group, states: Mapping[Key, AlarmState], owners: Mapping[int, Group]) -> int | None:
        """The open incident whose cause this is, or becomes."""
        held = {states[key].incident for key in group.members}
        mine = [
            record for record in self.book.active()
            if record.class_ == group.class_ and record.number not in owners and record.opened_by == MONITOR
            and (record.cause == group.cause or record.number in held)
        ]  # fmt: skip
        if not mine:
            return None
        best = min(mine, key=lambda one: (one.cause != group.cause, RANK.get(one.cause.kind, 9), one.number))
        return best.number

    def _adopter(
        self, group: Group, states: Mapping[Key, AlarmState], owners: Mapping[int, Group], now_us: int
    ) -> int | None:
        """The open incident, of another cause now, that all of this was part of already: it stays its symptom.

        Not where it holds a site down: that is worth its own words. Not for what merely fell again much later.
        """
        if self.impact.down_sites(group, states):
            return None
        for number in owners:
            record = self.book.records[number]
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

    def _new(
        self, group: Group, states: Mapping[Key, AlarmState], owners: Mapping[int, Group], now_us: int
    ) -> int | None:
        """The incident that it reopens or opens, once it has settled."""
        broken = [states[key] for key in group.members if states[key].bad]
        if not any(state.phase == "firing" for state in broken):
            return None  # over before anybody was told
        due = self._opening_due(group, broken)
        if now_us < due:
            self.waiting_us = min(due, self.waiting_us or due)
            return None
        faults = set(_faults(group, states))
        return self._returned(group, broken, faults, owners, now_us) or self._open(group, broken, now_us)

    def _opening_due(self, group: Group, broken: list[AlarmState]) -> int:
        first = min(state.bad_at_us for state in broken)
        urgent = any(state.kind == "service" and self._what(state) == VERDICT for state in broken)
        return first if urgent or group.class_ == "monitor" else first + self._settle_us

    def _returned(
        self, group: Group, broken: list[AlarmState], faults: set[Key], owners: Mapping[int, Group], now_us: int
    ) -> int | None:
        """The incident that resolved lately and had the same fault: the same alarm on the same element."""
        recent = [
            record for record in self.book.records.values()
            if record.state in {"resolved", "closed"} and record.class_ == group.class_
            and record.number not in owners and record.opened_by == MONITOR
            and record.resolved_at_us is not None and now_us - record.resolved_at_us <= REOPEN_US
            and (
                _same_fault(record, faults)
                or self._belongs(record, broken)
            )
        ]  # fmt: skip
        if not recent:
            return None
        record = max(recent, key=lambda one: one.number)
        self.reopen(record, now_us, MONITOR, say(DESK_LANGUAGE, "reopened: it returned"))
        return record.number

    def _belongs(self, record: IncidentRecord, broken: list[AlarmState]) -> bool:
        """All of it began within that outage, below its cause: noticed late, it is the same outage still."""
        end_us = record.resolved_us if record.resolved_us is not None else record.opened_us
        return all(
            record.since_us <= state.bad_since_us <= end_us
            and any(below(self._topology, Element(state.kind, state.name), cause) for cause in record.causes)
            for state in broken
        )

    def reopen(self, record: IncidentRecord, now_us: int, who: str, line: str) -> IncidentRecord:
        """The same incident goes on; what its resolution had ended is owed again."""
        return self.book.put(
            record, now_us, line, who=who, state="reopened", resolved_us=None, resolved_at_us=None, closed_us=None,
            elements=(), good_us=None, eased_us=None, reopened_us=now_us,
            reopenings=record.reopenings + 1, over_told=record.told_resolved, told_resolved=True,
            clocks=clocks.again(record),
        )  # fmt: skip

    def _announce_return(self, before: IncidentRecord, record: IncidentRecord, now_us: int) -> None:
        """One page for a cause that returns; then quiet, for it flaps: the next words are that it is over, or worse."""
        if record.priority not in _LOUD or not record.pages or record.pages > before.pages or not before.over_told:
            return
        if record.quiet_until_us is not None and now_us < record.quiet_until_us:
            return
        record = self.book.put(record, now_us, quiet_until_us=now_us + QUIET_US)
        self.book.tell(record, "reopened", now_us, self.first_step(record), page=True)

    # -- opening and following -----------------------------------------------------------------------------------------

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
            policy=self.policy,
            version=0,
        )
        return number

    def _follow(
        self, record: IncidentRecord, group: Group, view: View, states: Mapping[Key, AlarmState],
        world: Mapping[Key, Change], now_us: int,
    ) -> None:  # fmt: skip
        """The incident takes the cause, gravity, symptoms and customers of its group."""
        fresh = record.version == 0
        broken = any(states[key].bad and states[key].phase == "firing" for key in group.members)
        if not fresh and not broken:
            return  # what remains is already good and only being watched: the fullest explanation stays to the end
        lead, urgency, impact, pages = gravity(view, group, states, self.alarms)
        base = self.impact.priority(urgency, impact, now_us)
        sites = self.impact.down_sites(group, states)
        priority = clocks.worst([base, *self.impact.site_priorities(sites, now_us)])
        customers = self.impact.customers(record, group, base, sites, world, now_us)
        elements = group.elements
        if record.cause == group.cause:  # on the way back up its parts leave one by one; the record keeps them all
            known = (*record.elements, *(part for part in group.elements if part not in record.elements))
            elements = tuple(sorted(known, key=lambda part: (part.kind, part.name)))
        core = world.get(("core", group.cause.name.partition("/")[2], VERDICT))
        title_id, values = words.title(
            self._topology, group.cause, elements, self.alarms.alarms[lead].what,
            unconfirmed=core is not None and core.state == "unknown",
        )  # fmt: skip
        lead_state = max(
            (states[key] for key in group.members if key[0] == lead), key=lambda state: (group.own(state), state.bad)
        )
        updated = replace(
            record,
            cause=group.cause,
            causes=tuple(dict.fromkeys((*record.causes, group.cause))),
            elements=elements,
            faults=self._known_faults(record, group, states),
            symptoms=self._symptoms(record, group, states),
            title_id=title_id,
            title_values=values,
            title=say(DESK_LANGUAGE, title_id, **values),
            alarm=lead,
            since_us=min([record.since_us, *(states[key].bad_since_us for key in group.members if fresh)]),
            evidence=words.evidence(DESK_LANGUAGE, lead_state) or record.evidence,
            priority=priority,
            priority_peak=clocks.worst([priority, record.priority_peak]),
            customers=customers,
        )
        updated = replace(
            updated, severity=self.impact.severity(updated), clocks=self.impact.owed(record, updated, now_us)
        )
        self._say(record, updated, now_us, fresh=fresh, pages=pages or bool(sites))

    def _say(self, before: IncidentRecord, after: IncidentRecord, now_us: int, *, fresh: bool, pages: bool) -> None:
        line = words.news(before, after, fresh=fresh)
        if line is None:
            self.book.put(after, now_us)
            return
        worse = not fresh and clocks.heavier(after.priority, before.priority)
        eased = not fresh and clocks.heavier(before.priority, after.priority)
        if after.cause != before.cause or eased:
            after = replace(after, good_us=None, eased_us=None)
        after = self.book.put(after, now_us, line)
        loud = pages and (after.priority in _LOUD or after.class_ == "monitor")
        if fresh and loud:
            self.book.tell(after, "opened", now_us, self.first_step(after), page=True)
        elif fresh:
            self.book.put(after, now_us, say(DESK_LANGUAGE, "nobody is woken for this"))
        elif worse and loud:
            gravest = clocks.heavier(after.priority, before.priority_peak)
            if gravest or (after.promoted_us is not None and now_us - after.promoted_us >= QUIET_US):
                after = self.book.put(after, now_us, promoted_us=now_us)
                self.book.tell(after, "promoted", now_us, self.first_step(after), page=True)

    @staticmethod
    def _known_faults(record: IncidentRecord, group: Group, states: Mapping[Key, AlarmState]) -> tuple[Symptom, ...]:
        now = (Symptom(kind=key[1], name=key[2], alarm=key[0]) for key in _faults(group, states))
        return tuple(dict.fromkeys((*record.faults, *now)))

    def _symptoms(self, record: IncidentRecord, group: Group, states: Mapping[Key, AlarmState]) -> tuple[Symptom, ...]:
        """All that it has brought with it, the past ones too: people read it afterwards."""
        now = (Symptom(kind=key[1], name=key[2], alarm=key[0]) for key in group.members if self.broken(states[key]))
        every = dict.fromkeys((*record.symptoms, *now))
        return tuple(one for one in every if Element(one.kind, one.name) != group.cause)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def cleared(self, state: AlarmState) -> None:
        """An alarm of an incident cleared: if it spoke of the cause, that recovered at its first good sample."""
        record = self.book.records.get(state.incident or 0)
        if record is None or state.good_since_us is None:
            return
        if _speaks(record, state.key):
            record = replace(record, good_us=max(state.good_since_us, record.good_us or 0))
        if state.kind in {"service", "site"} and self._what(state) == VERDICT:
            record = replace(record, eased_us=state.good_since_us)
        self.book.records[record.number] = record

    def _end(
        self, record: IncidentRecord, owners: Mapping[int, Group], states: Mapping[Key, AlarmState], now_us: int
    ) -> None:
        group = owners.get(record.number)
        mine = [state for state in states.values() if state.incident == record.number]
        if any(self.broken(state) for state in mine):
            return
        if group is not None and any(_speaks(record, key) for key in group.members):
            return  # good, and being watched
        if group is None and not mine and (taken := self._taken(record, owners)):
            self.book.put(
                record, now_us, say(DESK_LANGUAGE, "merged into {number}", number=taken), state="merged",
                merged_into=taken, clocks=clocks.end(record, frozenset({"attention", "solution"}), now_us),
            )  # fmt: skip
            return
        self.resolve(record, now_us, MONITOR, good_us=record.good_us)

    def _taken(self, record: IncidentRecord, owners: Mapping[int, Group]) -> int | None:
        """The incident whose cause now explains this one's."""
        for number, group in owners.items():
            if number != record.number and any((key[1], key[2]) == _pair(record.cause) for key in group.members):
                return number
        return None

    def resolve(self, record: IncidentRecord, now_us: int, who: str, *, good_us: int | None) -> IncidentRecord:
        """Over since the first good sample; decided now."""
        resolved_us = max(record.opened_us, good_us if good_us is not None else now_us)
        ended = replace(record, clocks=clocks.end(record, frozenset({"attention", "solution"}), resolved_us))
        line = say(DESK_LANGUAGE, "resolved: good since {since}", since=iso(resolved_us))
        return self.book.put(
            ended, now_us, line, who=who, state="resolved", resolved_us=resolved_us, resolved_at_us=now_us,
            told_resolved=not record.pages,
        )  # fmt: skip

    def _tell_resolved(self, record: IncidentRecord, now_us: int) -> IncidentRecord:
        record = self.book.put(record, now_us, told_resolved=True)
        return self.book.tell(record, "resolved", now_us, "", page=False)

    # -- time ----------------------------------------------------------------------------------------------------------

    def next_due_us(self) -> int | None:
        """The next instant at which time alone changes an incident."""
        dues = [self.waiting_us]
        for record in self.book.living():
            dues += [clocks.next_due_us(record), self._closing_due(record), _telling_due(record)]
        return min((due for due in dues if due is not None), default=None)

    def _time(self, now_us: int) -> None:
        for record in sorted(self.book.living(), key=lambda one: one.number):
            passed = clocks.passed(record, now_us)
            if passed != record.clocks:
                record = self._missed(record, passed, now_us)  # noqa: PLW2901 - the record, one version on
            telling = _telling_due(record)
            if telling is not None and telling <= now_us:
                record = self._tell_resolved(record, now_us)  # noqa: PLW2901
            closing = self._closing_due(record)
            if closing is not None and closing <= now_us:
                self.book.put(record, now_us, say(DESK_LANGUAGE, "closed by itself"), state="closed", closed_us=now_us)

    def _missed(self, record: IncidentRecord, passed: tuple[Clock, ...], now_us: int) -> IncidentRecord:
        lines = [
            say(DESK_LANGUAGE, "clock missed: {clock} of {contract}", clock=say(DESK_LANGUAGE, new.clock),
                contract=new.customer or new.contract)
            for old, new in zip(record.clocks, passed, strict=True) if old != new
        ]  # fmt: skip
        return self.book.put(record, now_us, *lines, clocks=passed)

    def _closing_due(self, record: IncidentRecord) -> int | None:
        """When it closes by itself: the longest of its contracts' times; never where one wants a confirmation."""
        if record.state != "resolved" or record.resolved_at_us is None:
            return None
        if record.class_ == "monitor":
            return record.resolved_at_us + MONITOR_CLOSE_US
        names = {clock.contract for clock in record.clocks} or {self.impact.desk_contract}
        waits = [self.impact.version(name, record.opened_us).closing.after_resolved_us for name in names]
        if any(wait is None for wait in waits):
            return None
        return record.resolved_at_us + max(wait for wait in waits if wait is not None)

    # -- small things --------------------------------------------------------------------------------------------------

    @property
    def service(self) -> str:
        return self._topology.service

    @property
    def customers(self) -> frozenset[str]:
        return frozenset(self._topology.customers)

    def graded(self, record: IncidentRecord, now_us: int) -> IncidentRecord:
        """With the severity and clocks that its priority and customers bring."""
        return replace(record, severity=self.impact.severity(record), clocks=self.impact.owed(record, record, now_us))

    def first_step(self, record: IncidentRecord) -> str:
        alarm = self.alarms.alarms.get(record.alarm or "")
        return alarm.first_step if alarm else ""

    def broken(self, state: AlarmState) -> bool:
        """It keeps an incident open: an alarm that fires now, or a verdict of down on its way to fire."""
        return state.phase == "firing" or (state.phase == "pending" and self._what(state) == VERDICT)

    def _what(self, state: AlarmState) -> str:
        return self.alarms.alarms[state.alarm].what


def _faults(group: Group, states: Mapping[Key, AlarmState]) -> list[Key]:
    """The alarms that speak of the cause itself, or of its parts."""
    return [key for key in group.members if states[key].phase != "pending" and group.own(states[key])]


def _same_fault(record: IncidentRecord, faults: set[Key]) -> bool:
    """The same alarm on the same element. A service down alone says too little: it is the same by its parts, if any."""
    known = {(one.alarm, one.kind, one.name) for one in record.faults} & faults
    parts = {key for key in faults if key[1] != "service"} or record.elements
    return any(key[1] != "service" for key in known) or (bool(known) and not parts)


def _speaks(record: IncidentRecord, key: Key) -> bool:
    """The alarm is of the incident's cause itself, or of one of its parts."""
    mine = Element(key[1], key[2])
    return mine == record.cause or mine in record.elements


def _pair(element: Element) -> tuple[str, str]:
    return element.kind, element.name


def _telling_due(record: IncidentRecord) -> int | None:
    if record.state != "resolved" or record.told_resolved or record.resolved_at_us is None:
        return None
    flapping = record.quiet_until_us is not None and record.resolved_at_us < record.quiet_until_us
    return record.resolved_at_us + (STABLE_US if flapping else TELL_US)
