"""The incident desk, pure: what is said of elements, commands and time go in; incidents and messages come out.

`change` only records what was said; the desk decides at the next `tick`, or when something said later arrives, so that
what was decided in one instant (both cores, every path, the service) is understood together.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from alerting import changes, machine, retro
from alerting.acts import Act, apply
from alerting.book import Book
from alerting.bundle import Bundle
from alerting.causes import Key, View, hushed
from alerting.dues import Dues
from alerting.effects import AlarmCleared, AlarmRaised, Effect
from alerting.escalation.machine import Escalation, Stands
from alerting.escalation.step import Step
from alerting.machine import AlarmState
from alerting.maintained import Maintained
from alerting.papers import Papers
from alerting.people import policy
from alerting.reconcile import Reconciler
from alerting.silences import SILENCING, Silences
from alerting.telling import Teller
from sereno.activity import Activity
from sereno.alarms import Alarms
from sereno.alarms.silence import Silence
from sereno.contract import Contract
from sereno.desk import Desk
from sereno.incident import Element, IncidentRecord
from sereno.oncall import Roster, rungs_of
from sereno.problem import ProblemRecord
from sereno.topology.model import Topology
from sereno.verdict import LEDGER_REVISED, Change

DEFAULT_OPTIONS_US = 1_000_000
STORM = 100  # alarms at once from which on the desk looks at them ten times a second, and not at every word
STORM_LOOK_US = 100_000


class DeskSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the machine remembers."""

    now_us: int
    dirty_us: int | None
    next_number: int
    world: tuple[Change, ...]
    alarms: tuple[AlarmState, ...]
    incidents: tuple[IncidentRecord, ...]
    bundles: tuple[Bundle, ...] = ()
    steps: tuple[Step, ...] = ()
    problems: tuple[ProblemRecord, ...] = ()
    activities: tuple[Activity, ...] = ()
    silences: tuple[Silence, ...] = ()


class DeskMachine:
    """Alarms, root cause, incidents and clocks of one desk."""

    def __init__(
        self, topology: Topology, desk: Desk | None, contracts: Mapping[str, Contract], alarms: Alarms,
        url: str | None = None,
    ) -> None:  # fmt: skip
        self.alarms = alarms
        self.states: dict[Key, AlarmState] = {}
        self.resting: dict[Key, AlarmState] = {}  # idle ones whose falls still count
        self._forget_us = 0
        self.silences = Silences(alarms)
        self.world: dict[Key, Change] = {}
        self._dues = Dues(alarms, self.states)
        self._maintained = Maintained()
        self.now_us = 0
        self.made: int | None = None  # the number of what the last command made
        self.topology = topology
        self.model, self.contracts = desk, contracts
        self._dirty_us: int | None = None
        owners = {name: site.customer for name, site in topology.sites.items() if site.customer is not None}
        self.teller = Teller(topology.service, desk, alarms, url, _zone(topology, desk, contracts), owners)
        self._book = Book(self.teller)
        self.escalation = self._escalation(desk, contracts)
        options = topology.checks.options
        self._incidents = Reconciler(
            topology=topology,
            alarms=alarms,
            contracts=contracts,
            desk_contract=desk.contract if desk is not None else next(iter(contracts), None),
            policy=policy(desk),
            settle_us=2 * (options.every_us if options is not None else DEFAULT_OPTIONS_US),
            book=self._book,
            escalation=self.escalation,
        )
        self.papers = Papers(self._book, topology, desk, contracts, self._incidents.impact.desk_contract)

    # -- inputs --------------------------------------------------------------------------------------------------------

    def change(self, change: Change) -> list[Effect]:
        """Something is said of an element. What fell due before it is decided first."""
        self._advance(change.at_us - 1)
        at_us = max(change.at_us, self.now_us)
        self.now_us = at_us
        self.world[change.kind, change.name, change.what] = change
        for said in self._maintained.heard(change, self.world):
            for name, alarm in self.alarms.watching(said.kind, said.what):
                key = (name, said.kind, said.name)
                before = self.states.get(key) or self.resting.get(key)
                self._settle(key, before, machine.on_change(name, alarm, before, said, self.alarms.flapping))
        if change.what == "page_undelivered" and change.facts.get("reached") is False:
            self.escalation.undelivered(change.facts["incident"], change.facts["person"], at_us)
        if change.what == LEDGER_REVISED:
            retro.take(self._incidents, self.topology, self.alarms, change, at_us)
            self._book.settle(at_us)
        self._dirty_us = self._looked_us(at_us)
        return self._book.take()

    def command(self, verb: str, arguments: Mapping[str, object], who: str, at_us: int) -> list[Effect]:
        """What a person does; `RefusedError`, or an error that names what there is not, when it cannot be."""
        self._advance(at_us)
        at_us = max(at_us, self.now_us)
        self.made = None
        if verb in SILENCING:
            SILENCING[verb](self.silences, arguments, who, at_us)
            self._dirty_us = at_us  # what is no longer silent speaks at the next look
        else:
            self._act(verb, arguments, who, at_us)
        self.papers.run(at_us)
        self.escalation.settle(at_us)
        self._book.settle(at_us)
        return self._book.take()

    def _act(self, verb: str, arguments: Mapping[str, object], who: str, at_us: int) -> None:
        """All of it or nothing: what is refused half-way leaves no trace."""
        book, papers, states = self._book.mark(), self.papers.mark(), dict(self.states)
        try:
            self.made = apply(Act(self._incidents, self.states, self.papers, arguments, who, at_us), verb)
        except BaseException:
            self._book.back_to(book)
            self.papers.back_to(papers)
            self.states.clear()
            self.states.update(states)
            raise

    def tick(self, now_us: int) -> list[Effect]:
        """Everything that time alone decides, up to now, each at its own instant."""
        self._advance(now_us)
        return self._book.take()

    def next_due_us(self) -> int | None:
        """When `tick` will next have something to do; None if only news will."""
        dues = (
            self._dirty_us,
            self._looked_us(self._dues.first_us()),
            self._incidents.next_due_us(),
            self.teller.bundler.next_due_us(),
            self.escalation.next_due_us(),
            self.papers.next_due_us(),
            self.silences.next_due_us(self.now_us),
        )
        return min((due for due in dues if due is not None), default=None)

    # -- what it knows -------------------------------------------------------------------------------------------------

    def incidents(self) -> list[IncidentRecord]:
        """Every incident, by number."""
        return [record for _, record in sorted(self._book.records.items())]

    def snapshot(self) -> DeskSnapshot:
        return DeskSnapshot(
            now_us=self.now_us,
            dirty_us=self._dirty_us,
            next_number=self._book.next_number,
            world=tuple(self.world.values()),
            alarms=tuple(self.remembered().values()),
            incidents=tuple(self.incidents()),
            bundles=tuple(self.teller.bundler.bundles.values()),
            steps=self.escalation.snapshot(),
            problems=tuple(self.papers.problems.records.values()),
            activities=tuple(self.papers.activities.records.values()),
            silences=tuple(self.silences.known.values()),
        )

    def remembered(self) -> dict[Key, AlarmState]:
        """All that is known of alarms: those that are not idle, and those that fell lately."""
        return {**self.resting, **self.states}

    def restore(self, snapshot: DeskSnapshot) -> None:
        """Become what was remembered; alarms that are no longer declared are forgotten."""
        self.now_us, self._dirty_us = snapshot.now_us, snapshot.dirty_us
        self.world = {(change.kind, change.name, change.what): change for change in snapshot.world}
        known = {state.key: state for state in snapshot.alarms if state.alarm in self.alarms.alarms}
        self.states = {key: state for key, state in known.items() if state.phase != "idle"}
        self.resting = {key: state for key, state in known.items() if state.phase == "idle"}
        self.silences.restore(snapshot.silences)
        self._dues.restart(self.states)
        self._maintained.restore(snapshot.world)
        self._book.records = {record.number: record for record in snapshot.incidents}
        self._book.next_number = snapshot.next_number
        self.teller.bundler.restore(snapshot.bundles)
        self.escalation.restore(snapshot.steps)
        self.papers.restore(snapshot.problems, snapshot.activities)
        self._incidents.waiting_us = snapshot.now_us  # look again at once: what waits is not remembered but recomputed

    # -- time ----------------------------------------------------------------------------------------------------------

    def _looked_us(self, due_us: int | None) -> int | None:
        """When the desk looks at what falls due: at once; in a storm together with what falls due beside it."""
        if due_us is None or len(self.states) < STORM:
            return due_us
        return -(-due_us // STORM_LOOK_US) * STORM_LOOK_US

    def _advance(self, limit_us: int) -> None:
        while (due := self.next_due_us()) is not None and due <= limit_us:
            self.now_us = max(due, self.now_us)
            self._step(self.now_us)
            if (again := self.next_due_us()) is not None and again <= self.now_us:
                raise AssertionError(f"the desk's time stands still at {self.now_us}")  # loud, rather than for ever
        self.now_us = max(self.now_us, limit_us)

    def _step(self, now_us: int) -> None:
        self._dirty_us = None
        for key in self._dues.take(now_us):
            state = self.states[key]
            after = machine.on_time(self.alarms.alarms[state.alarm], state, now_us, self.alarms.flapping)
            self._settle(key, state, after)
        self._forget(now_us)
        silent = self.silences.silent(self.states, now_us)
        if ended := self.silences.last_ended(now_us - changes.BEFORE_US, now_us):
            said = changes.unsilenced(self.topology.service, ended)
            self.world[said.kind, said.name, said.what] = said
        view = View(self.topology, self.alarms, self.heard(), self._maintained.elements, silent)
        self._incidents.reconcile(view, self.states, self.world, now_us)
        self.papers.run(now_us)
        self.escalation.settle(now_us)
        self.escalation.run(now_us)
        self._book.settle(now_us)

    def _escalation(self, desk: Desk | None, contracts: Mapping[str, Contract]) -> Escalation:
        own = contracts.get(desk.contract) if desk is not None else None
        self._book.levels = lambda at_us: rungs_of(desk, own, at_us)
        escalation = Escalation(
            self._book, everybody=tuple(desk.people) if desk is not None else (), stands=self._stands,
            first_step=lambda record: self._incidents.first_step(record), hushed=self._hushed,  # noqa: PLW0108 - made below
        )  # fmt: skip
        escalation.roster = Roster(desk, own.versions[-1].timezone if own is not None else "UTC")
        return escalation

    def _forget(self, now_us: int) -> None:
        """Idle alarms whose falls count no more; looked at when the first of them may be such."""
        damping = self.alarms.flapping
        if not self.resting or now_us < self._forget_us:
            return
        self.resting = {
            key: state for key, state in self.resting.items() if machine.worth_keeping(state, now_us, damping)
        }
        oldest_us = min((state.falls[-1] for state in self.resting.values()), default=now_us)
        self._forget_us = oldest_us + damping.within_us

    def _stands(self, record: IncidentRecord) -> Stands:
        """By the alarm that speaks for it."""
        mine = [one for one in self.states.values() if one.incident == record.number]
        own = [one for one in mine if one.alarm == record.alarm] or mine
        since_us = min((one.bad_at_us for one in own if one.phase == "firing"), default=None)
        return Stands(since_us, any(one.flapping for one in own))

    def _hushed(self, record: IncidentRecord) -> str | None:
        """Why nobody is called for it although it is wrong; None where nothing keeps it quiet."""
        elements, cause = self._maintained.elements, record.cause
        if cause in elements or (record.elements and elements.issuperset(record.elements)):
            return "in announced maintenance: nobody is called before it overruns"
        mark = self.world.get((cause.kind, cause.name, "sbc_isolated"))
        if mark is not None and mark.state == "true":
            return "isolated on purpose: nobody is called while it is"
        silent = self.silences.silent(self.states, self.now_us)
        parts = {record.cause, *record.elements}
        mine = (state for state in self.states.values() if state.incident == record.number)
        if silent and hushed(mine, lambda state: Element(state.kind, state.name) in parts, silent, self.alarms.alarms):
            return "silenced: nobody is called while it is"
        return None

    def heard(self) -> Iterable[AlarmState]:
        """All alarms but a redundancy that is missing because its twin is in announced maintenance."""
        for state in self.states.values():
            if self.alarms.alarms[state.alarm].what != "redundancy_lost" or not self._in_maintenance(state):
                yield state

    def _in_maintenance(self, state: AlarmState) -> bool:
        if not self._maintained.elements:
            return False
        site = self.topology.sites.get(state.name)
        sbcs = site.sbcs if site is not None else tuple(self.topology.sbcs)
        parts = {Element("sbc", sbc) for sbc in sbcs}
        parts |= {
            Element("core", core)
            for sbc in sbcs
            for core in (self.topology.sbcs[sbc].primary, self.topology.sbcs[sbc].backup)
            if core is not None
        }
        return not parts.isdisjoint(self._maintained.elements)

    def _settle(self, key: Key, before: AlarmState | None, after: AlarmState | None) -> None:
        """Keep an alarm's new state, and say so when it began or ceased to hold."""
        if after == before:
            return
        held_before = before is not None and before.held
        held_after = after is not None and after.held
        self.resting.pop(key, None)
        if after is None or after.phase == "idle":
            self.states.pop(key, None)
        else:
            self.states[key] = after
            self._dues.note((after,))
        if after is not None and after.phase == "idle":
            self.resting[key] = after
        if held_after and not held_before and after is not None:
            self._book.emit(
                AlarmRaised(alarm=key[0], kind=key[1], name=key[2], from_us=after.first_since_us, at_us=self.now_us)
            )
        if before is not None and held_before and not held_after:
            good_us = before.good_since_us if before.good_since_us is not None else self.now_us
            self._book.emit(
                AlarmCleared(
                    alarm=key[0],
                    kind=key[1],
                    name=key[2],
                    from_us=before.first_since_us,
                    to_us=good_us,
                    at_us=self.now_us,
                )
            )
            self._incidents.cleared(replace(before, good_since_us=good_us))


def _zone(topology: Topology, desk: Desk | None, contracts: Mapping[str, Contract]) -> str:
    """Where the desk's clock hangs: the topology's zone, else that of the desk's own contract."""
    own = contracts.get(desk.contract) if desk is not None else None
    return own.versions[-1].timezone if topology.timezone == "UTC" and own is not None else topology.timezone


__all__ = ["DeskMachine", "DeskSnapshot"]
