"""An incident follows its cause: gravity, title, symptoms, customers and clocks; and what is said of the change."""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting import changes, clocks, naming, words
from alerting.causes import SBC_GONE, Group, Key, View, gravity, is_echo, is_fault
from alerting.external.words import alert_evidence, alert_title
from alerting.guides import guide
from alerting.machine import AlarmState
from alerting.reconcile.room import Room, faults_of
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import Element, IncidentRecord, Symptom
from sereno.incident.titles import TITLES
from sereno.verdict import VERDICT, Change

QUIET_US = 30 * 60 * 1_000_000  # a flapping one, once announced, pages no more for this long
_LOUD = ("Urgente", "Alta")
_MENDING_US = 30 * 1_000_000
UNCONFIRMED = "Path {name} down; core {core} unconfirmed"


class Follower:
    """Brings a record up to date with its group, and tells people what they must hear of it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.book = room.book

    def follow(
        self, record: IncidentRecord, group: Group, view: View, states: Mapping[Key, AlarmState],
        world: Mapping[Key, Change], now_us: int,
    ) -> None:  # fmt: skip
        """The incident takes the cause, gravity, symptoms and customers of its group."""
        fresh = record.version == 0
        firing = (states[key] for key in group.members if states[key].phase == "firing")
        broken = any(is_fault(self.room.what(state)) or group.own(state) for state in firing)
        if not fresh and not broken:
            return  # what remains is already good and only being watched: the fullest explanation stays to the end
        lead, urgency, impact, pages = gravity(view, group, states, self.room.alarms)
        base = self.room.impact.priority(urgency, impact, now_us)
        sites = self.room.impact.down_sites(group, states)
        priority = clocks.worst([base, *self.room.impact.site_priorities(sites, now_us)])
        updated = replace(
            self._named(record, group, states, world, lead, now_us),
            cause=group.cause,
            causes=tuple(dict.fromkeys((*record.causes, group.cause))),
            faults=self._known_faults(record, group, states),
            symptoms=self._symptoms(record, group, states),
            since_us=min([record.since_us, *(states[key].bad_since_us for key in group.members if fresh)]),
            priority=priority,
            priority_peak=clocks.worst([priority, record.priority_peak]),
            customers=self.room.impact.customers(record, group, base, sites, world, now_us),
            sites=self.room.impact.sites(record, group, sites, world),
        )
        updated = replace(
            updated, severity=self.room.impact.severity(updated), clocks=self.room.impact.owed(record, updated, now_us)
        )
        if fresh or clocks.heavier(updated.priority, record.priority):
            updated = self._correlated(updated, world, updated.since_us if fresh else now_us, now_us)
        self._say(record, updated, now_us, fresh=fresh, pages=pages or bool(sites))

    def _correlated(
        self, record: IncidentRecord, world: Mapping[Key, Change], since_us: int, now_us: int
    ) -> IncidentRecord:
        """With what was changed shortly before it began, or became worse."""
        if record.class_ == "monitor":
            return record
        found = changes.before(world.values(), since_us, now_us)
        return replace(record, changes=tuple(dict.fromkeys((*record.changes, *found))))

    def _named(
        self, record: IncidentRecord, group: Group, states: Mapping[Key, AlarmState], world: Mapping[Key, Change],
        lead: str, now_us: int,
    ) -> IncidentRecord:  # fmt: skip
        """With the title, the parts and the evidence of what leads it."""
        elements = group.elements
        if record.cause == group.cause:  # on the way back up its parts leave one by one; the record keeps them all
            known = (*record.elements, *(part for part in group.elements if part not in record.elements))
            elements = tuple(sorted(known, key=lambda part: (part.kind, part.name)))
        # a core that comes back is seen before its last path is: what was said while they were gone stays
        core = world.get(("core", group.cause.name.partition("/")[2], VERDICT))
        title_id, values = naming.title(
            self.room.topology, group, elements, self.room.alarms.alarms[lead],
            unconfirmed=core is not None
            and (core.state == "unknown" or (record.title_id == UNCONFIRMED and now_us - core.at_us < _MENDING_US)),
            gone=any(key[1] == "sbc" and self.room.what(states[key]) in SBC_GONE for key in group.members),
        )  # fmt: skip
        lead_state = max(
            (states[key] for key in group.members if key[0] == lead), key=lambda state: (group.own(state), state.bad)
        )
        if group.cause.kind == "path" and lead_state.reason == "wrong_core":  # it answers: not dead, but not proved
            title_id = TITLES["path", "wrong_core"]
        seen = words.evidence(DESK_LANGUAGE, lead_state)
        if lead_state.kind == "external":
            (title_id, values), seen = alert_title(lead_state), alert_evidence(DESK_LANGUAGE, lead_state)
        return replace(
            record, elements=elements, title_id=title_id, title_values=values, alarm=lead,
            guide=guide(self.room.alarms.alarms[lead]), title=say(DESK_LANGUAGE, title_id, **values),
            evidence=seen or record.evidence,
        )  # fmt: skip

    def _say(self, before: IncidentRecord, after: IncidentRecord, now_us: int, *, fresh: bool, pages: bool) -> None:
        line = words.news(before, after, fresh=fresh)
        if line is None:
            self.book.put(after, now_us)
            return
        worse = not fresh and clocks.heavier(after.priority, before.priority)
        eased = not fresh and clocks.heavier(before.priority, after.priority)
        if after.cause != before.cause or eased:
            after = replace(after, good_us=None, eased_us=None)
        fresh_changes = (one for one in after.changes if one not in before.changes)
        noted = [
            say(DESK_LANGUAGE, "there was a change: {change}, {at}", at=self.room.moment(one.at_us),
                change=naming.change_line(DESK_LANGUAGE, one))
            for one in fresh_changes
        ]  # fmt: skip
        after = self.book.put(after, now_us, line, *noted)
        loud = pages and (after.priority in _LOUD or after.class_ == "monitor")
        if fresh and loud:
            self.room.escalation.page(after, "opened", now_us)
        elif fresh:
            self.book.put(after, now_us, say(DESK_LANGUAGE, "nobody is woken for this"))
        elif worse and loud:
            gravest = clocks.heavier(after.priority, before.priority_peak)
            if gravest or (after.promoted_us is not None and now_us - after.promoted_us >= QUIET_US):
                after = self.book.put(after, now_us, promoted_us=now_us)
                self.room.escalation.page(after, "promoted", now_us)
        if not after.pages:
            self.room.escalation.quiet(after, now_us)

    def announce_return(self, before: IncidentRecord, record: IncidentRecord, now_us: int) -> None:
        """One page for a cause that returns; then quiet, for it flaps: the next words are that it is over, or worse."""
        if record.priority not in _LOUD or not record.pages or record.pages > before.pages or not before.over_told:
            return
        if record.quiet_until_us is not None and now_us < record.quiet_until_us:
            return
        record = self.book.put(record, now_us, quiet_until_us=now_us + QUIET_US)
        self.room.escalation.page(record, "reopened", now_us)

    @staticmethod
    def _known_faults(record: IncidentRecord, group: Group, states: Mapping[Key, AlarmState]) -> tuple[Symptom, ...]:
        now = (Symptom(kind=key[1], name=key[2], alarm=key[0]) for key in faults_of(group, states))
        return tuple(dict.fromkeys((*record.faults, *now)))

    def _symptoms(self, record: IncidentRecord, group: Group, states: Mapping[Key, AlarmState]) -> tuple[Symptom, ...]:
        """All that it has brought with it, the past ones too: people read it afterwards."""
        now = (
            Symptom(kind=key[1], name=key[2], alarm=key[0])
            for key in group.members
            if self.room.broken(states[key]) or (is_echo(states[key]) and states[key].bad)
        )
        every = dict.fromkeys((*record.symptoms, *now))
        return tuple(one for one in every if Element(one.kind, one.name) != group.cause)
