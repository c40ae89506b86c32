"""The escalation of every incident, pure: who is paged now, and who next if nobody acknowledges.

An incident has one living step at most: the next thing that must happen to it. `settle` holds steps and records
together, so that whoever changes a record (an acknowledgement, a merge, an end) need not know of steps.
"""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from alerting.book import MONITOR, Book
from alerting.effects import What
from alerting.escalation.ladder import Call, Ladder, ordered, rungs_in
from alerting.escalation.step import Called, Step, StepChanged, StepKind, Wait, Why
from alerting.letters.times import moment
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import SECOND_US
from sereno.incident import ACTIVE, IncidentRecord, Rung
from sereno.oncall import Roster

LATE_US = 60 * SECOND_US  # what fell due longer ago than this fell due while nobody could do it
OWN_LATE_US = 5 * SECOND_US  # likewise of the monitor's own faults: a stop of its own looks like one …
START_US = 30 * SECOND_US  # … until it has been up for as long
INBOX_US = SECOND_US // 4  # but first what people asked for meanwhile is applied: they may have taken it
APART_US = 60 * SECOND_US  # the same person is not called twice for the same within this
LOUD = ("Urgente", "Alta")
AUDIT = "escalation_audit"  # the alarm of the auditor: everybody is called at once
WAITING = ("open", "reopened")  # nobody has acknowledged
QUIET_US = 30 * 60 * SECOND_US  # one that comes and goes calls somebody else after this long at the latest


class Stands(NamedTuple):
    """Since when a cause is bad without a break (None: it is not bad now), and whether it comes and goes."""

    since_us: int | None
    comes_and_goes: bool


class Escalation:
    """Steps by incident. `horizon_us` is the real time, where the machine is catching up with it."""

    def __init__(
        self, book: Book, *, everybody: Collection[str],
        first_step: Callable[[IncidentRecord], str], hushed: Callable[[IncidentRecord], str | None],
        stands: Callable[[IncidentRecord], Stands],
    ) -> None:  # fmt: skip
        self.roster = Roster()
        self.horizon_us = 0
        self.steps: dict[int, Step] = {}
        self._book, self._everybody = book, tuple(everybody)
        self._first_step, self._hushed, self._stands = first_step, hushed, stands

    # -- what others ask of it -----------------------------------------------------------------------------------------

    def page(self, record: IncidentRecord, what: What, at_us: int) -> IncidentRecord:
        """Somebody must hear of this now: those whom its priority pages at once; then whoever comes after them."""
        self._end(record, "replaced", at_us)
        step = self._plan(record, "page", "audit" if record.alarm == AUDIT else what, at_us, at_us)
        if (why := self._hushed(record)) is not None:
            return self._hold(record, step, why, at_us)
        own = record.class_ == "monitor"
        if self.horizon_us - at_us > (OWN_LATE_US if own else LATE_US):  # first hear what came of it meanwhile
            due_us = self.horizon_us + (START_US if own else 0)
            self._keep(replace(step, due_us=due_us, first_due_us=at_us))
            return record
        return self._begin(record, step, at_us)

    def quiet(self, record: IncidentRecord, at_us: int) -> None:
        """It was decided that nobody is woken for this, grave as it is."""
        if record.priority not in LOUD or record.number in self.steps:
            return
        step = self._plan(record, "quiet", "opened", at_us, at_us)
        self._keep(replace(step, state="done", done_us=at_us))

    def undelivered(self, number: int, person: str, at_us: int) -> None:
        """A page cannot reach this person; a level none of whose people can be reached has no time to wait for."""
        record, step = self._book.records.get(number), self.steps.get(number)
        if record is None or step is None or step.state != "pending" or not step.waits:
            return
        step = replace(step, unreached=tuple(sorted({*step.unreached, person})))
        ladder = self._ladder(record, at_us)
        for wait in step.waits:
            people = ladder.call([wait.level]).people
            lost = person in people and set(people) <= set(step.unreached)
            if lost and wait.due_us > at_us and ladder.after(wait.level) is not None:
                step = replace(
                    step, due_us=at_us, waits=ordered(Wait(w.level, at_us) if w == wait else w for w in step.waits)
                )
                line = "{person} cannot be reached: the next level need not wait"
                self._book.put(record, at_us, say(DESK_LANGUAGE, line, person=", ".join(people)))
                break
        self._keep(step)

    def next_due_us(self) -> int | None:
        """The next instant at which something must happen."""
        return min((step.due_us for step in self.steps.values() if step.state == "pending"), default=None)

    def due(self, now_us: int) -> list[Step]:
        """Steps whose time has come, in order."""
        found = [step for step in self.steps.values() if step.state == "pending" and step.due_us <= now_us]
        return sorted(found, key=lambda step: (step.due_us, step.incident))

    def settle(self, now_us: int) -> None:
        """Steps follow the records: what is attended or over waits for nobody; what is neither has its next step."""
        for number, step in list(self.steps.items()):
            record = self._book.records.get(number)
            if record is None or (record.state == "closed" and not step.living):  # reopened, it is another episode
                del self.steps[number]
            elif step.living:
                self._follow(record, step, now_us)
        for record in self._book.active():
            if self._wants(record):
                self._arm(record, now_us)

    def run(self, now_us: int) -> None:
        """Everything that has fallen due."""
        for step in self.due(now_us):
            record = self._book.records[step.incident]
            if self.horizon_us - now_us > LATE_US:
                first_us = step.first_due_us if step.first_due_us is not None else step.due_us
                self._keep(replace(step, due_us=self.horizon_us + INBOX_US, first_due_us=first_us))
            elif (why := self._hushed(record)) is not None:
                self._hold(record, step, why, now_us)
            elif (calm_us := self._calm_until(record, step, now_us)) > now_us:
                waits = tuple(Wait(one.level, max(one.due_us, calm_us)) for one in step.waits)
                self._keep(replace(step, due_us=calm_us, waits=waits))
            else:
                self._do(record, step, now_us)

    # -- records and steps agree ---------------------------------------------------------------------------------------

    def _follow(self, record: IncidentRecord, step: Step, now_us: int) -> None:
        why = _over(record, step)
        if why is not None:
            if step.first_due_us is not None and not record.pages:
                line = "nobody was called: it was over, or taken, before anybody could be"
                self._book.put(record, now_us, say(DESK_LANGUAGE, line))
            self._end(record, why, now_us)
        elif step.state == "held" and self._hushed(record) is None:
            line = "nothing hushes it any more and it is still wrong: calls go on"
            self._book.put(record, now_us, say(DESK_LANGUAGE, line))
            self._keep(replace(step, state="pending", due_us=now_us))

    def _wants(self, record: IncidentRecord) -> bool:
        """Nobody has taken it, somebody was paged for it, and there is a ladder to climb: it must have a next step."""
        step = self.steps.get(record.number)
        if record.state not in WAITING or not loud(record) or not record.pages or not rungs_in(record):
            return False
        if step is None or step.episode != record.reopenings:
            return True
        return not step.living and step.why not in {"assigned", "acknowledged"} and step.kind == "page"

    def _arm(self, record: IncidentRecord, now_us: int) -> None:
        """Its next step: after the last page of this episode, else the first level's time-out from now."""
        last = self.steps.get(record.number)
        ladder = self._ladder(record, now_us)
        step = self._plan(record, "page", "escalated", now_us, now_us)
        if last is not None and last.episode == record.reopenings and last.state == "done" and last.waits:
            step = self._next(record, last, now_us)
        else:
            step = replace(step, waits=ladder.waits([0], now_us), paged=(0,))
        self._keep(replace(step, due_us=max(now_us, step.waits[0].due_us)))

    def _calm_until(self, record: IncidentRecord, step: Step, now_us: int) -> int:
        """One that comes and goes calls nobody new, unless it stands for a level's whole time, or goes on for long."""
        stands = self._stands(record)
        if step.first_due_us is not None and not record.pages and record.opened_by == MONITOR:
            return now_us if stands.since_us is not None else now_us + START_US  # good again, and being watched
        quiet = record.quiet_until_us is not None and now_us < record.quiet_until_us
        if step.what not in {"escalated", "repaged"} or not step.waits or not (quiet or stands.comes_and_goes):
            return now_us
        ack_us = rungs_in(record)[step.waits[0].level].ack_us
        since_us = stands.since_us if stands.since_us is not None else now_us
        return min(since_us + ack_us, step.created_us + QUIET_US)

    # -- doing it ------------------------------------------------------------------------------------------------------

    def _do(self, record: IncidentRecord, step: Step, now_us: int) -> None:
        if step.first_due_us is not None:
            due = moment(step.first_due_us, DESK_LANGUAGE, self.roster.zone)
            line = say(DESK_LANGUAGE, "a page was due at {due}, when nobody could send it: sent now", due=due)
            record = self._book.put(record, now_us, line)
            step = replace(step, what=step.what if record.pages else "opened")
        if step.what not in {"escalated", "repaged"}:
            self._begin(record, step, now_us)
        elif step.first_due_us is not None:
            self._catch_up(record, step, now_us)
        else:
            self._climb(record, step, now_us)

    def _begin(self, record: IncidentRecord, step: Step, now_us: int) -> IncidentRecord:
        """The first page: everybody whom the priority calls at once."""
        ladder = self._ladder(record, now_us)
        if not ladder.rungs:
            return self._tell(record, step, Call((), self._everybody, ()), (), now_us)
        call = ladder.at_once(record.priority, everybody=step.what == "audit")
        return self._tell(record, step, call, ladder.waits(call.levels, now_us), now_us)

    def _climb(self, record: IncidentRecord, step: Step, now_us: int) -> None:
        """A level did not acknowledge in its time: the next one is called; after the last, all begins again."""
        ladder = self._ladder(record, now_us)
        level = max(one.level for one in step.waits if one.due_us <= now_us)
        rest = tuple(one for one in step.waits if one.due_us > now_us)
        call = ladder.after(level)
        if call is None and rest:  # the last level's time was shorter than that of one below it
            self._keep(replace(step, waits=rest, due_us=rest[0].due_us))
            return
        line = say(DESK_LANGUAGE, "{level} did not acknowledge in time", level=ladder.rungs[level].level)
        if call is None:
            number = step.round + 1
            again = say(DESK_LANGUAGE, "from the first level again, time {round}", round=number)
            call = ladder.at_once(record.priority)
            step = replace(step, what="repaged", round=number, paged=())
            self._tell(record, step, call, ladder.waits(call.levels, now_us, number), now_us, line, again)
        elif call.levels[0] in step.paged:
            waits = rest or ladder.waits(call.levels, now_us, step.round)
            self._tell(record, replace(step, what="repaged"), call, waits, now_us, line)
        else:
            waits = ordered((*rest, *ladder.waits(call.levels, now_us, step.round)))
            what = "escalated" if step.round == 1 else "repaged"
            self._tell(record, replace(step, what=what), call, waits, now_us, line)

    def _catch_up(self, record: IncidentRecord, step: Step, now_us: int) -> None:
        """Nobody could climb for a while: every level whose turn came is called once, now, and the last one counts."""
        ladder = self._ladder(record, now_us)
        levels, waits, rounds = set[int](), step.waits, step.round
        top = max(step.paged, default=0)
        while waits and waits[0].due_us <= now_us and rounds < step.round + 2:
            first, waits = waits[0], waits[1:]
            call = ladder.after(first.level)
            if call is None and waits:
                continue
            if call is None:
                rounds += 1
                call = ladder.at_once(record.priority)
            levels |= set(call.levels)
            top = max(top, *call.levels)
            waits = ordered((*waits, *ladder.waits(call.levels, first.due_us, rounds)))
        call = ladder.call(levels or {top})
        done = replace(step, what="escalated", round=rounds, paged=tuple(range(top)))
        self._tell(record, done, call, ladder.waits([top], now_us, rounds), now_us)

    def _tell(
        self, record: IncidentRecord, step: Step, call: Call, waits: tuple[Wait, ...], now_us: int, *lines: str
    ) -> IncidentRecord:
        """The page itself: messages, the step done, and the next one planned."""
        everyone = call.people or self._everybody  # never nobody
        people, again_us = _callable(step, everyone, now_us)
        if everyone and not people:
            kept = self.steps[record.number]  # as it was: it will be looked at anew
            waits = tuple(Wait(one.level, max(one.due_us, again_us)) for one in kept.waits)
            self._keep(replace(kept, due_us=again_us, waits=waits))
            return record
        remarks = (say(DESK_LANGUAGE, message, **values) for message, values in call.remarks)
        record = self._book.put(record, now_us, *lines, *remarks)
        what: What = step.what  # type: ignore[assignment]
        record = self._book.tell(record, what, now_us, self._first_step(record), page=True, people=people)
        paged = tuple(sorted({*step.paged, *call.levels}))
        called = {**{one.person: one.at_us for one in step.called}, **dict.fromkeys(people, now_us)}
        done = replace(
            step, state="done", done_us=now_us, people=people, paged=paged, waits=waits, assigned=record.assigned,
            called=tuple(Called(person, at_us) for person, at_us in called.items() if now_us - at_us < APART_US),
        )  # fmt: skip
        self._keep(done)
        if waits and record.state in WAITING and loud(record):
            self._keep(replace(self._next(record, done, now_us), due_us=waits[0].due_us))
        return record

    def _next(self, record: IncidentRecord, done: Step, now_us: int) -> Step:
        """The step after one that was done."""
        step = self._plan(record, "page", "escalated", now_us, now_us)
        return replace(step, waits=done.waits, paged=done.paged, round=done.round, called=done.called)

    def _hold(self, record: IncidentRecord, step: Step, why: str, now_us: int) -> IncidentRecord:
        record = self._book.put(record, now_us, say(DESK_LANGUAGE, why))
        self._keep(replace(step, state="held"))
        return record

    # -- small things --------------------------------------------------------------------------------------------------

    def _plan(self, record: IncidentRecord, kind: StepKind, what: str, due_us: int, now_us: int) -> Step:
        last = self.steps.get(record.number)
        place = last.place + 1 if last is not None and last.episode == record.reopenings else 0
        return Step(
            key=f"{record.number}/{record.reopenings}/{place}", incident=record.number, episode=record.reopenings,
            place=place, kind=kind, what=what, due_us=due_us, created_us=now_us, assigned=record.assigned,
            called=last.called if last is not None else (),
        )  # fmt: skip

    def _end(self, record: IncidentRecord, why: Why, now_us: int) -> None:
        step = self.steps.get(record.number)
        if step is not None and step.living:
            self._keep(replace(step, state="cancelled", done_us=now_us, why=why))

    def _keep(self, step: Step) -> None:
        self.steps[step.incident] = step
        self._book.emit(StepChanged(step=step))

    def _ladder(self, record: IncidentRecord, at_us: int) -> Ladder:
        return Ladder(rungs_in(record), self.roster, at_us)

    def rungs_at(self, at_us: int) -> tuple[Rung, ...]:
        """The levels that an incident opened at an instant would carry."""
        return self._book.levels(at_us)

    # -- what it remembers ---------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[Step, ...]:
        """The newest step of every incident that is not over for good."""
        living = {record.number for record in self._book.records.values() if record.state != "closed"}
        return tuple(step for number, step in sorted(self.steps.items()) if number in living)

    def restore(self, steps: Iterable[Step]) -> None:
        """Become what was remembered."""
        self.steps = {}
        for step in steps:
            held = self.steps.get(step.incident)
            if held is None or (held.episode, held.place) < (step.episode, step.place):
                self.steps[step.incident] = step


def _callable(step: Step, people: Collection[str], now_us: int) -> tuple[tuple[str, ...], int]:
    """Those not paged within the last minute, and when the first of the others may be; news wait for nobody."""
    if step.what not in {"escalated", "repaged"}:
        return tuple(people), now_us
    called = {one.person: one.at_us + APART_US for one in step.called}
    free = tuple(person for person in people if called.get(person, now_us) <= now_us)
    return free, min((called[person] for person in people if person in called), default=now_us)


def loud(record: IncidentRecord) -> bool:
    """It may wake somebody, at any hour."""
    return record.priority in LOUD or record.class_ == "monitor"


def _over(record: IncidentRecord, step: Step) -> Why | None:
    """Why nothing more must happen; None while it must."""
    if record.state not in ACTIVE:
        return record.state if record.state in {"resolved", "closed", "merged"} else "over"
    if step.episode != record.reopenings:
        return "resolved"
    if record.state not in WAITING:
        return "acknowledged"
    if record.assigned is not None and record.assigned != step.assigned:
        return "assigned"
    if not loud(record):
        return "eased"
    return None
