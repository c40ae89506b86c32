"""Whatever is said, in whatever order: the desk keeps its promises, and a rebuilt one decides the same."""

import msgspec
from alerting_bench import T0, S, topology
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.causes import View
from alerting.desk import DeskMachine, DeskSnapshot
from alerting.effects import Notification
from alerting.lifecycle import RefusedError, UnknownIncidentError
from sereno.alarms import load_alarms
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.incident import ACTIVE, decode_record, encode_record
from sereno.verdict import VERDICT, Change

CONTRACTS = {name: load_contract(name) for name in ("callmyway", "wekall")}
ALARMS = load_alarms()
TOPOLOGY = topology()
DESK = parse_desk(
    "desk.yaml",
    b"""
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people: {ana: {channels: [hook]}}
levels: [{name: L1, people: [ana]}]
""",
)
VERDICTS = [
    ("service", "voz"), ("site", "p"), ("site", "q"), ("core", "core-a"), ("core", "core-b"), ("sbc", "sbc-1"),
    ("sbc", "sbc-2"), *(("path", path.name) for path in TOPOLOGY.paths()),
]  # fmt: skip
FINDINGS = [
    ("site", "p", "redundancy_lost"), ("site", "q", "outage_suspected"), ("core", "core-a", "core_refusing"),
    ("sbc", "sbc-1", "failover_broken"), ("sbc", "sbc-2", "register_failing"), ("sbc", "sbc-1", "sbc_isolated"),
    ("network", "sbc-1/isp-etb", "network_split"), ("path", "sbc-1/core-a", "call_failing"),
    ("path", "sbc-2/core-a", "intermittent"), ("account", "monitor-1", "account_refused"),
    ("probe", "bog-1", "probe_lost"), ("monitor", "voz", "monitor_blind"),
]  # fmt: skip

verdict = st.tuples(
    st.sampled_from(VERDICTS), st.sampled_from(["down", "down", "up", "degraded", "unknown", "maintenance"])
).map(lambda drawn: (*drawn[0], VERDICT, drawn[1]))
finding = st.tuples(st.sampled_from(FINDINGS), st.sampled_from(["true", "false"])).map(lambda d: (*d[0], d[1]))
order = st.tuples(st.sampled_from(["ack", "start", "resolve", "close", "reopen", "note", "pause"]), st.integers(1, 6))
wait = st.sampled_from([0.0, 0.3, 1.0, 2.5, 12.0, 35.0, 400.0, 2000.0, 7000.0])
story = st.lists(st.tuples(wait, st.one_of(verdict, finding, order)), min_size=8, max_size=60)

DAY = 86_400 * S


def machine() -> DeskMachine:
    return DeskMachine(TOPOLOGY, DESK, CONTRACTS, ALARMS)


def tell(desk: DeskMachine, at_us: int, event: tuple) -> list:
    if len(event) == 2:
        effects = desk.tick(at_us)
        try:
            return effects + desk.command(event[0], {"number": event[1], "note": "algo"}, "ana", at_us)
        except (RefusedError, UnknownIncidentError):
            return effects
    kind, name, what, state = event
    said = Change(kind=kind, name=name, what=what, state=state, since_us=at_us - S, at_us=at_us)
    return desk.change(said)


def through_the_store(snapshot: DeskSnapshot) -> DeskSnapshot:
    """What survives a restart: every record and alarm by its stored text."""
    records = tuple(decode_record(encode_record(one), one.timeline) for one in snapshot.incidents)
    return msgspec.structs.replace(
        msgspec.json.decode(msgspec.json.encode(snapshot), type=DeskSnapshot), incidents=records
    )


@settings(max_examples=400, deadline=None)
@given(story)
def test_promises_hold(events: list) -> None:
    desk, now_us, keys = machine(), T0, set()
    dues: dict = {}
    states: dict = {}
    for pause, event in events:
        now_us += round(pause * S)
        effects = tell(desk, now_us, event) + desk.tick(now_us)
        for effect in effects:
            if isinstance(effect, Notification):
                assert effect.key not in keys
                keys.add(effect.key)
        records = desk.incidents()
        open_causes = [(one.class_, one.cause) for one in records if one.state in ACTIVE and one.opened_by == "sereno"]
        assert len(open_causes) == len(set(open_causes)), "two open incidents with one cause"
        for record in records:
            previous = states.get(record.number)
            stamps = [entry.at_us for entry in record.timeline]
            assert stamps == sorted(stamps)
            assert (record.state in {"resolved", "closed"}) == (record.resolved_us is not None)
            assert record.resolved_us is None or record.resolved_us >= record.opened_us
            assert previous is None or previous[: len(previous)] == record.timeline[: len(previous)], (
                "history rewritten"
            )
            states[record.number] = record.timeline
            for clock in record.clocks:  # by what was promised: clocks of a merged incident move to the other one
                key = (record.number, clock.contract, clock.customer, clock.clock, clock.priority, clock.started_us)
                assert clock.due_us <= dues.get(key, clock.due_us), "a due date was relaxed"
                assert clock.state != "running" or clock.due_us >= now_us
                dues[key] = clock.due_us
        due = desk.next_due_us()
        assert due is None or due > now_us, "time stands still"


@settings(max_examples=100, deadline=None)
@given(story, st.integers(0, 60))
def test_a_rebuilt_desk_decides_the_same(events: list, cut: int) -> None:
    whole, rebuilt, now_us = machine(), machine(), T0
    for place, (pause, event) in enumerate(events):
        now_us += round(pause * S)
        if place == cut:
            fresh = machine()
            fresh.restore(through_the_store(rebuilt.snapshot()))
            rebuilt = fresh
        assert tell(whole, now_us, event) == tell(rebuilt, now_us, event)
        assert whole.tick(now_us) == rebuilt.tick(now_us)
    assert whole.incidents() == rebuilt.incidents()


@settings(max_examples=100, deadline=None)
@given(story)
def test_every_cause_that_fires_has_its_incident(events: list) -> None:
    desk, now_us = machine(), T0
    for pause, event in events:
        now_us += round(pause * S)
        tell(desk, now_us, event)
    desk.tick(now_us + 15 * DAY)  # every clock has run out
    view = View(TOPOLOGY, ALARMS, desk.heard())
    active = {one.number: one for one in desk.incidents() if one.state in ACTIVE}
    for group in view.groups():
        loud = [key for key in group.members if desk.states[key].phase == "firing" and not view.quiet(desk.states[key])]
        numbers = {desk.states[key].incident for key in loud}
        assert numbers <= set(active), "an alarm that fires belongs to an open incident"
        assert len(numbers) <= 1, "one cause, one incident"
        downed = any(key[0] == "site_down" for key in loud)
        assert not downed or active[numbers.pop()].cause == group.cause
    before = desk.snapshot()
    desk.tick(now_us + 15 * DAY + S)
    assert desk.snapshot().incidents == before.incidents, "the desk does not come to rest"


@settings(max_examples=60, deadline=None)
@given(story)
def test_nothing_stays_open_once_everything_is_well(events: list) -> None:
    desk, now_us = machine(), T0
    for pause, event in events:
        now_us += round(pause * S)
        tell(desk, now_us, event)
    for kind, name in VERDICTS:
        tell(desk, now_us + S, (kind, name, VERDICT, "up"))
    for kind, name, what in FINDINGS:
        tell(desk, now_us + S, (kind, name, what, "false"))
    desk.tick(now_us + 3600 * S)
    left = [(one.cause, one.state) for one in desk.incidents() if one.state in ACTIVE]
    by_hand = [one for one in desk.incidents() if one.state in ACTIVE and one.reopenings]
    assert len(left) <= len(by_hand)
    assert desk.states == {}
