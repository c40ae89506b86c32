"""The life of an incident: whatever people do, in whatever order, to whatever the monitor and customers report."""

from typing import Any

import msgspec
from alerting_bench import T0, TOPOLOGY, S, topology
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerting.acts import ACTS
from alerting.desk import DeskMachine, DeskSnapshot
from alerting.effects import MessageAdded, Notification, TimelineAdded
from sereno.alarms import load_alarms
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.errors import SerenoError
from sereno.incident import ACTIVE, IncidentRecord, decode_record, encode_record
from sereno.incident.moves import MOVES
from sereno.verdict import VERDICT, Change

CONTRACTS = {name: load_contract(name) for name in ("callmyway", "wekall")}
ALARMS = load_alarms()
WATCHED = topology(
    TOPOLOGY.replace("contract: callmyway}", "contract: callmyway, contacts: [noc@acme.example]}").replace(
        "contract: wekall}", "contract: wekall, contacts: [ti@beta.example, jefe@beta.example]}"
    )
)
DESK = parse_desk(
    "desk.yaml",
    b"""
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}, mail: {smtp: "smtp://127.0.0.1:25", from: mesa@op.example}}
people: {ana: {channels: [hook]}, leo: {channels: [hook]}}
levels: [{name: L1, people: [ana]}, {name: L2, people: [leo]}]
survey: "https://survey.example/{number}"
""",
)
STEPS = {
    (source, target)
    for move in MOVES.values()
    if move.target is not None
    for source in move.sources
    for target in [move.target]
}
STEPS |= {("resolved", "closed")}
BORN = {"open", "acknowledged"}
LATER = {"priority", "redate", "resume", "answer", "reopen", "update", "merge"}  # by whose rules a date may move on
FIELDS = {
    "extension": "101", "direction": "saliente", "counterpart": "+50622221111", "reporter": "Luis",
    "description": "no sale", "occurred": "2026-07-10T12:00:00-05:00", "contact": "311",
}  # fmt: skip
EVENTS = [
    ("core", "core-a"), ("sbc", "sbc-1"), ("path", "sbc-1/core-a"), ("path", "sbc-2/core-a"), ("site", "q"),
    ("service", "voz"),
]  # fmt: skip

numbers = st.integers(0, 6)  # of those that there are; now and then of none
waits = st.sampled_from([0.0, 1.0, 40.0, 700.0, 4_000.0, 20_000.0])
customers = st.sampled_from([None, "acme", "beta", "acme,beta"])
words = st.sampled_from([None, "porque sí", "porque sí"])
priorities = st.sampled_from(["Urgente", "Alta", "Normal", "Baja"])


class Life(RuleBasedStateMachine):
    """A desk, its clock, and what was known of every incident before the last step."""

    @initialize()
    def begin(self) -> None:
        self.desk = DeskMachine(WATCHED, DESK, CONTRACTS, ALARMS)
        self.now_us = T0
        self.known: dict[int, IncidentRecord] = {}
        self.effects: list[Any] = []
        self.verb = ""
        self.keys: set[str] = set()

    def pick(self, drawn: int) -> int:
        """A number that there is, mostly."""
        found = [record.number for record in self.desk.incidents()]
        return 99 if drawn == 6 or not found else found[drawn % len(found)]

    def act(self, verb: str, **arguments: Any) -> bool:
        """One order, and whether it was done; one that is refused leaves nothing behind."""
        given = {name: value for name, value in arguments.items() if value is not None}
        self.effects += self.desk.tick(self.now_us)
        before = self.desk.snapshot()
        self.look()
        self.verb = verb
        try:
            self.effects += self.desk.command(f"incident.{verb}", given, "ana", self.now_us)
        except SerenoError:
            after = self.desk.snapshot()
            assert after.incidents == before.incidents
            assert after.next_number == before.next_number
            assert after.problems == before.problems
            return False
        return True

    def look(self) -> None:
        self.known = {record.number: record for record in self.desk.incidents()}

    # -- what happens ----------------------------------------------------------------------------------------------

    @rule(seconds=waits)
    def time_passes(self, seconds: float) -> None:
        self.verb = ""
        self.look()
        self.now_us += round(seconds * S)
        self.effects += self.desk.tick(self.now_us)

    @rule(event=st.sampled_from(EVENTS), state=st.sampled_from(["down", "up", "up"]))
    def the_monitor_sees(self, event: tuple[str, str], state: str) -> None:
        self.verb = ""
        self.look()
        said = Change(kind=event[0], name=event[1], what=VERDICT, state=state, since_us=self.now_us, at_us=self.now_us)
        self.effects += self.desk.change(said)
        self.now_us += 3 * S
        self.effects += self.desk.tick(self.now_us)

    @rule(
        kind=st.sampled_from(["open", "request"]), customer=customers, priority=priorities,
        fields=st.sets(st.sampled_from(sorted(FIELDS))), mailed=st.booleans(),
    )  # fmt: skip
    def somebody_reports(
        self, kind: str, customer: str | None, priority: str, fields: set[str], mailed: bool
    ) -> None:  # fmt: skip
        given = {name: FIELDS[name] for name in fields}
        if mailed:
            given["reporter"] = "quien@otro.example"
        if len(self.desk.incidents()) < 5:
            assert self.act(kind, customer=customer, priority=priority, title="algo", **given)

    @rule(number=numbers, fields=st.sets(st.sampled_from(sorted(FIELDS)), min_size=1))
    def the_report_grows(self, number: int, fields: set[str]) -> None:
        number = self.pick(number)
        self.act("update", number=number, **{name: FIELDS[name] for name in fields})

    @rule(number=numbers, verb=st.sampled_from(["ack", "start", "start", "note", "resume", "reopen"]),
          note=words)  # fmt: skip
    def people_work(self, number: int, verb: str, note: str | None) -> None:
        number = self.pick(number)
        self.act(verb, number=number, note=note)

    @rule(number=numbers, note=words)
    def the_customer_is_asked(self, number: int, note: str | None) -> None:
        number = self.pick(number)
        done = self.act("pause", number=number, note=note)
        if done:
            record = self.record(number)
            assert record.opened_by != "sereno"
            assert note is not None or record.asked_us is not None
            owed = [one for one in record.clocks if one.clock == "solution" and one.ended_us is None]
            assert {one.state for one in owed} <= {"paused", "missed"}

    @rule(number=numbers, verb=st.sampled_from(["resolve", "close", "confirm"]),
          category=st.sampled_from([None, "red", "red"]),
          cause=st.sampled_from([None, "cliente", "plataforma", "nadie"]))  # fmt: skip
    def it_ends(self, number: int, verb: str, category: str | None, cause: str | None) -> None:
        number = self.pick(number)
        done = self.act(verb, number=number, category=category, cause=cause)
        assert not (done and cause == "nadie")
        record = self.desk_record(number)
        if done and record is not None and record.state == "closed" and record.class_ == "service":
            assert record.category is not None, "closed without its category"
            assert record.closing_cause is not None or record.kind == "request", "closed without its cause"
        if done and verb == "resolve" and record is not None:
            assert not [one for one in self.desk.states.values()
                        if one.incident == number and self.desk._incidents.holds(record, one)]  # fmt: skip

    @rule(number=numbers, priority=priorities)
    def it_is_graded_anew(self, number: int, priority: str) -> None:
        number = self.pick(number)
        self.act("priority", number=number, priority=priority)

    @rule(number=numbers, days=st.integers(0, 20))
    def it_goes_to_development(self, number: int, days: int) -> None:
        number = self.pick(number)
        self.act("redate", number=number, due_us=self.now_us + days * 86_400 * S, reason="desarrollo")

    @rule(number=numbers, kind=st.sampled_from(["progress", "question", "solution"]))
    def the_customer_is_told(self, number: int, kind: str) -> None:
        number = self.pick(number)
        self.act("tell", number=number, kind=kind, text="avance")

    @rule(number=numbers)
    def the_customer_answers(self, number: int) -> None:
        number = self.pick(number)
        self.act("answer", number=number, text="sigue igual", sender="noc@acme.example")

    @rule(number=numbers, score=st.integers(0, 6))
    def the_customer_is_surveyed(self, number: int, score: int) -> None:
        number = self.pick(number)
        done = self.act("survey", number=number, score=score)
        assert not done or 1 <= score <= 5

    @rule(number=numbers, into=numbers)
    def two_are_one(self, number: int, into: int) -> None:
        number = self.pick(number)
        into = self.pick(into)
        gone, stays = self.desk_record(number), self.desk_record(into)
        if not self.act("merge", number=number, into=into) or gone is None or stays is None:
            return
        merged, joined = self.record(number), self.record(into)
        assert (merged.state, merged.merged_into) == ("merged", into)
        assert set(gone.customers) | set(stays.customers) == set(joined.customers)
        assert {*gone.symptoms, *stays.symptoms} <= {*joined.symptoms, *joined.faults}
        owed = {one.customer for one in gone.clocks if one.clock == "solution" and one.ended_us is None}
        kept = {one.customer for one in joined.clocks if one.clock == "solution" and one.ended_us is None}
        assert owed <= kept, "a promise got lost"
        assert not [one for one in merged.clocks if one.ended_us is None and one.state in {"running", "paused"}]
        assert not [one for one in self.desk.states.values() if one.incident == number]

    @rule(number=numbers, going=st.sampled_from([None, "acme", "beta"]))
    def one_is_two(self, number: int, going: str | None) -> None:
        number = self.pick(number)
        before = self.desk_record(number)
        if len(self.desk.incidents()) > 7 or not self.act("split", number=number, title="lo otro", customer=going):
            return
        assert before is not None
        parent, child = self.record(number), self.record(self.desk.made or 0)
        assert (child.split_from, child.opened_us) == (number, before.opened_us)
        assert set(parent.customers) | set(child.customers) == set(before.customers)
        assert going is None or (going in child.customers and going not in parent.customers)
        promises = {(one.contract, one.customer, one.clock, one.due_us) for one in before.clocks}
        shared = {(one.contract, one.customer, one.clock, one.due_us) for one in (*parent.clocks, *child.clocks)}
        assert promises == shared, "a promise changed on the way"
        assert set(before.symptoms) == set(parent.symptoms) | set(child.symptoms)

    @precondition(lambda self: hasattr(self, "desk"))
    @rule()
    def the_desk_is_rebuilt(self) -> None:
        self.verb = ""
        self.look()
        snapshot = self.desk.snapshot()
        stored = msgspec.structs.replace(
            msgspec.json.decode(msgspec.json.encode(snapshot), type=DeskSnapshot),
            incidents=tuple(decode_record(encode_record(one), one.timeline) for one in snapshot.incidents),
        )
        fresh = DeskMachine(WATCHED, DESK, CONTRACTS, ALARMS)
        fresh.restore(stored)
        self.desk = fresh
        assert fresh.incidents() == list(snapshot.incidents)

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def the_table_is_kept(self) -> None:
        for record in self.desk.incidents():
            before = self.known.get(record.number)
            if before is None:
                continue
            path = _reachable(before.state)
            assert record.state == before.state or record.state in path, (before.state, record.state, self.verb)
            if self.verb and record.state != before.state and self.verb in MOVES and MOVES[self.verb].target:
                assert before.state in MOVES[self.verb].sources or self.verb == "confirm"

    @invariant()
    def history_only_grows(self) -> None:
        for record in self.desk.incidents():
            before = self.known.get(record.number)
            stamps = [entry.at_us for entry in record.timeline]
            assert stamps == sorted(stamps)
            if before is not None:
                assert record.timeline[: len(before.timeline)] == before.timeline
                assert record.version >= before.version
                assert (record.version == before.version) <= (record.timeline == before.timeline)
        assert set(self.known) <= {record.number for record in self.desk.incidents()}

    @invariant()
    def stamps_agree_with_states(self) -> None:
        for record in self.desk.incidents():
            assert (record.state in {"resolved", "closed"}) == (record.resolved_us is not None), record.state
            assert (record.state == "merged") == (record.merged_into is not None)
            assert record.complete_us is None or record.complete_us >= record.opened_us
            if record.state in ACTIVE:
                assert record.closed_us is None

    @invariant()
    def dates_are_not_relaxed(self) -> None:
        for record in self.desk.incidents():
            before = self.known.get(record.number)
            if before is None or not self.verb or self.verb in LATER:  # the monitor's own easing ends a graver clock
                continue
            for key, due_us in _owed(record).items():
                assert due_us <= _owed(before).get(key, due_us), f"{self.verb} relaxed {key}"

    @invariant()
    def every_message_is_on_the_record(self) -> None:
        told = [one for one in self.effects if isinstance(one, Notification) and one.what.startswith("customer_")]
        kept = [one for one in self.effects if isinstance(one, MessageAdded) and one.outbox_key is not None]
        assert sorted(one.key for one in told) == sorted(str(one.outbox_key) for one in kept)
        assert len({one.key for one in told}) == len(told)
        assert all(one.message_id and one.message_id.startswith("<sereno.") for one in kept)
        lines = [one for one in self.effects if isinstance(one, TimelineAdded)]
        assert len(lines) >= len(self.desk.incidents()) - sum(one.state == "merged" for one in self.desk.incidents())

    # -- small things ----------------------------------------------------------------------------------------------

    def desk_record(self, number: int) -> IncidentRecord | None:
        return next((one for one in self.desk.incidents() if one.number == number), None)

    def record(self, number: int) -> IncidentRecord:
        found = self.desk_record(number)
        assert found is not None
        return found


def _reachable(state: str) -> set[str]:
    """States that may follow within one step of the test: time may close, what falls again may reopen."""
    found = {target for source, target in STEPS if source == state}
    return found | {after for one in found for source, after in STEPS if source == one}


def _owed(record: IncidentRecord) -> dict[tuple[str, str | None, str], int]:
    """The latest date still owed of each promise."""
    found: dict[tuple[str, str | None, str], int] = {}
    for one in record.clocks:
        if one.ended_us is None and one.state in {"running", "paused"}:
            found[one.contract, one.customer, one.clock] = one.due_us
    return found


def test_every_verb_of_an_incident_is_in_the_table() -> None:
    verbs = {verb.removeprefix("incident.") for verb in ACTS if verb.startswith("incident.")}
    assert verbs - {"open", "request"} == set(MOVES)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
