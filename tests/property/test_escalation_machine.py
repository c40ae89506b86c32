"""Whatever people do and however time goes: pages at their exact times, to the right levels, never once it is taken.

The reference is a table of minutes written by hand, not the ladder's own arithmetic.
"""

import msgspec
from alerting_bench import T0, S, topology
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from alerting.desk import DeskMachine, DeskSnapshot
from alerting.effects import Notification
from alerting.escalation.audit import Sent, audit
from alerting.escalation.step import StepChanged
from alerting.lifecycle import RefusedError
from sereno.alarms import load_alarms
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.incident import decode_record, encode_record

MINUTE = 60 * S
TOPOLOGY, ALARMS = topology(), load_alarms()
CONTRACTS = {name: load_contract(name) for name in ("callmyway", "wekall")}
DESK = parse_desk(
    "desk.yaml",
    b"""
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people: {ana: {channels: [hook]}, leo: {channels: [hook]}, sol: {channels: [hook]}}
levels: [{name: L1, people: [ana]}, {name: L2, people: [leo]}, {name: L3, people: [sol]}]
notifications: {burst: 100}
""",
)
PEOPLE = ("ana", "leo", "sol")
# Minutes after the first page at which somebody is called, to the end of the third round.
ALTA = [
    (0, "opened", "ana"), (5, "escalated", "leo"), (20, "escalated", "sol"), (50, "repaged", "ana"),
    (55, "repaged", "leo"), (70, "repaged", "sol"), (100, "repaged", "ana"), (105, "repaged", "leo"),
    (120, "repaged", "sol"),
]  # fmt: skip
URGENTE = [
    (0, "opened", "ana"), (0, "opened", "leo"), (5, "repaged", "leo"), (15, "escalated", "sol"),
    (45, "repaged", "ana"), (45, "repaged", "leo"), (50, "repaged", "leo"), (60, "repaged", "sol"),
    (90, "repaged", "ana"), (90, "repaged", "leo"), (95, "repaged", "leo"), (105, "repaged", "sol"),
]  # fmt: skip
HORIZON_MINUTES = 120  # of the reference: incidents older than this are taken before time goes on


def machine() -> DeskMachine:
    return DeskMachine(TOPOLOGY, DESK, CONTRACTS, ALARMS)


def through_the_store(snapshot: DeskSnapshot) -> DeskSnapshot:
    records = tuple(decode_record(encode_record(one), one.timeline) for one in snapshot.incidents)
    return msgspec.structs.replace(
        msgspec.json.decode(msgspec.json.encode(snapshot), type=DeskSnapshot), incidents=records
    )


class Climbs(RuleBasedStateMachine):
    """Incidents opened by hand, at any priority, by people who come and go."""

    numbers = Bundle("numbers")

    @initialize(target=numbers, priority=st.sampled_from(["Urgente", "Alta"]))
    def begin(self, priority: str) -> int:
        self.desk, self.now_us = machine(), T0
        self.rows: dict = {}
        self.pages: list = []
        self.expected: list = []
        self.opened: dict[int, tuple[int, str]] = {}  # still waiting: when, and how grave
        self.sent: list[Sent] = []
        return self.open(priority)

    def take(self, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, StepChanged):
                self.rows[effect.step.key] = effect.step
            elif isinstance(effect, Notification) and effect.page:
                self.pages.append((effect.at_us, effect.incident, effect.what, effect.to))
                self.sent.append(Sent(effect.incident, effect.to, effect.at_us))

    def act(self, verb: str, **arguments: object) -> bool:
        try:
            self.take(self.desk.command(f"incident.{verb}", arguments, "juez", self.now_us))
        except RefusedError:
            return False
        return True

    @rule(target=numbers, priority=st.sampled_from(["Urgente", "Alta", "Normal", "Baja"]))
    def opened_by_hand(self, priority: str) -> int:
        return self.open(priority)

    def open(self, priority: str) -> int:
        number = len(self.desk.incidents()) + 1
        assert self.act("open", title="algo", priority=priority)
        if priority in {"Urgente", "Alta"}:
            self.opened[number] = (self.now_us, priority)
            self.expect(number, self.now_us - 1, self.now_us)
        return number

    @rule(number=numbers, verb=st.sampled_from(["ack", "start", "assign"]))
    def taken(self, number: int, verb: str) -> None:
        if self.act(verb, number=number, to="leo"):
            self.opened.pop(number, None)

    @rule(number=numbers)
    def noted(self, number: int) -> None:
        self.act("note", number=number, note="visto")

    @rule(number=numbers)
    def resolved(self, number: int) -> None:
        if self.act("resolve", number=number, category="red", cause="plataforma", note="hecho"):
            self.opened.pop(number, None)

    @rule(seconds=st.sampled_from([0.5, 30, 60, 290, 300, 301]))
    def soon(self, seconds: float) -> None:
        self.time_goes(seconds)

    @rule(seconds=st.sampled_from([600, 900, 1800, 2700]))
    def later(self, seconds: float) -> None:
        self.time_goes(seconds)

    def time_goes(self, seconds: float) -> None:
        until_us = self.now_us + round(seconds * S)
        for number, (began_us, _) in list(self.opened.items()):
            if until_us - began_us > HORIZON_MINUTES * MINUTE:
                self.taken(number, "ack")
        for number in self.opened:
            self.expect(number, self.now_us, until_us)
        self.take(self.desk.tick(until_us))
        self.now_us = until_us

    @rule()
    def restarted(self) -> None:
        snapshot = self.desk.snapshot()
        self.desk = machine()
        self.desk.restore(through_the_store(snapshot))
        assert self.desk.snapshot().steps == snapshot.steps

    def expect(self, number: int, after_us: int, until_us: int) -> None:
        began_us, priority = self.opened[number]
        for minutes, what, who in URGENTE if priority == "Urgente" else ALTA:
            if after_us < (at_us := began_us + minutes * MINUTE) <= until_us:
                self.expected.append((at_us, number, what, who))

    @invariant()
    def pages_are_as_written(self) -> None:
        assert sorted(self.pages) == sorted(self.expected)

    @invariant()
    def the_auditor_finds_nothing_and_misses_nothing(self) -> None:
        records, steps = self.desk.incidents(), list(self.rows.values())
        assert audit(records, steps, self.sent, self.now_us, reachable=PEOPLE) == []
        living = [step for step in steps if step.living]
        assert {step.incident for step in living} == set(self.opened)
        for step in living:
            rest = [one for one in steps if one is not step]
            assert audit(records, rest, self.sent, self.now_us, reachable=PEOPLE)
            late_us = step.due_us + 61 * S
            assert any(one.fault == "overdue" for one in audit(records, steps, self.sent, late_us, reachable=PEOPLE))
        for place, one in enumerate(self.sent):
            if not any(
                other.incident == one.incident and other.person == one.person for other in self.sent[place + 1 :]
            ):
                lost = [*self.sent[:place], *self.sent[place + 1 :]]
                assert any(
                    found.fault == "no_message" for found in audit(records, steps, lost, self.now_us, reachable=PEOPLE)
                )
                break


Climbs.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestClimbs = Climbs.TestCase
