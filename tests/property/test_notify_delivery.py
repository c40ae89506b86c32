"""The outbox against far ends that answer, refuse, hang and crash us: at least once, recorded once, in order."""

import itertools
from collections.abc import Iterator, Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting import delivery
from alerting.delivery import AT_ONCE, DOUBT_US, LATE_US, Known, Line, Plan, Waiting, backoff_us, failed, plan

S = 1_000_000
PAGE_US, QUIET_US = 1_800 * S, 14_400 * S


@pytest.fixture(autouse=True, scope="module")
def no_second_look() -> Iterator[None]:
    """The plan names every instant at which something changes: nobody looks now and then, just in case."""
    before, delivery.LOOK_US = delivery.LOOK_US, 100_000 * S
    yield
    delivery.LOOK_US = before


ENDS = ["taken", "taken", "taken", "busy", "gone", "silent", "lost", "refused", "crash"]
WHATS = ["opened", "promoted", "reopened", "resolved", "repaged", "assigned"]

written = st.tuples(
    st.sampled_from([0.0, 0.0, 0.2, 5.0, 70.0, 600.0]), st.integers(1, 3), st.sampled_from(["ana", "leo"]),
    st.sampled_from(["mail", "hook"]), st.sampled_from(WHATS),
)  # fmt: skip


class Office:
    """A table, a dispatcher's loop on simulated time, and far ends that do as the story says.

    An attempt lasts: `taken`, `busy`, `gone`, `refused` 0.1 s; `silent` and `lost` 10 s, when nothing came back: what
    was `lost` never arrived, what was `silent` did.
    """

    def __init__(self, ends: list[str]) -> None:
        self.now_us = 0
        self.rows: dict[int, Waiting] = {}
        self.ended: dict[int, str] = {}
        self.flying: dict[int, tuple[int, str]] = {}
        self.lines: dict[str, Line] = {}
        self.ends = ends
        self.begun: dict[int, list[int]] = {}
        self.answered: dict[int, list[bool]] = {}  # of each attempt: did the far end say no?
        self.arrived: list[tuple[int, int]] = []
        self.told: list[int] = []

    def write(self, incident: int, person: str, channel: str, what: str) -> None:
        number, page = len(self.rows) + len(self.ended) + 1, what not in {"resolved", "assigned"}
        self.rows[number] = Waiting(
            id=number, incident=incident, recipient=person, channel=channel, what=what, page=page,
            created_us=self.now_us, due_us=self.now_us, deadline_us=self.now_us + (PAGE_US if page else QUIET_US),
        )  # fmt: skip

    def known(self) -> Known:
        threads = {number: self.threads[number] for number in self.ended}
        reached = {threads[number] for number, state in self.ended.items() if state == "sent"}
        missed = {threads[number] for number, state in self.ended.items() if state != "sent"}
        return Known({}, reached, missed)

    @property
    def threads(self) -> Mapping[int, tuple[int, str, str]]:
        return self._threads

    def round(self) -> int:
        self._threads = {**getattr(self, "_threads", {}), **{row.id: row.thread for row in self.rows.values()}}
        rows = [row for _, row in sorted(self.rows.items())]
        decided = plan(rows, self.now_us, flying=set(self.flying), lines=self.lines, known=self.known())
        self.check(decided)
        for number, state, _ in decided.end:
            self.end(number, state)
        for number in decided.late:
            self.told.append(number)
            if number in self.rows:
                self.rows[number] = msgspec.structs.replace(self.rows[number], told_us=self.now_us)
        for number in decided.go:
            self.begin(number)
        return decided.look_us

    def check(self, decided: Plan) -> None:
        """What holds of every plan."""
        assert not set(decided.go) & {number for number, _, _ in decided.end}
        assert not set(decided.go) & set(self.flying)
        assert decided.look_us > self.now_us
        for channel in ("mail", "hook"):
            busy = [number for number in (*self.flying, *decided.go) if self.rows[number].channel == channel]
            assert len(busy) <= AT_ONCE
            ending = {number for number, _, _ in decided.end}
            left = [
                row for row in self.rows.values()
                if row.channel == channel and row.go_us <= self.now_us and row.id not in ending
                and not any(one.thread == row.thread and one.id < row.id for one in self.rows.values())
            ]  # fmt: skip
            well = channel not in self.lines and not busy
            assert not (well and left), "a channel that works waits for nothing, whatever the other does"

    def begin(self, number: int) -> None:
        row = self.rows[number]
        self.begun.setdefault(number, []).append(self.now_us)
        self.rows[number] = msgspec.structs.replace(row, begun_us=self.now_us, attempts=row.attempts + 1)
        end = self.ends.pop(0) if self.ends else "taken"
        lasts = 10 * S if end in {"silent", "lost"} else S // 10
        self.flying[number] = (self.now_us + lasts, end)
        if end in {"taken", "silent"}:
            self.arrived.append((self.now_us, number))

    def land(self, number: int) -> None:
        _, end = self.flying.pop(number)
        row = self.rows[number]
        self.answered.setdefault(number, []).append(end in {"busy", "gone"})
        if end == "taken":
            self.lines.pop(row.channel, None)
            self.end(number, "sent")
            for other in list(self.rows.values()):
                if other.thread == row.thread and other.id < number and other.error and other.begun_us is None:
                    self.end(other.id, "obsolete")
        elif end == "refused":
            self.lines.pop(row.channel, None)
            self.end(number, "failed")
        else:
            self.lines[row.channel] = failed(self.lines.get(row.channel, Line()), self.now_us, after_us=None)
            doubt = end in {"silent", "lost"}
            self.rows[number] = msgspec.structs.replace(
                row, due_us=self.now_us + backoff_us(row.attempts), error=end,
                begun_us=row.begun_us if doubt else None,
            )  # fmt: skip

    def end(self, number: int, state: str) -> None:
        assert number not in self.ended, "recorded once"
        del self.rows[number]
        self.ended[number] = state

    def crash(self) -> None:
        """kill −9: what was in flight was begun, and nobody knows more; what memory held is gone."""
        for number in self.flying:
            self.answered.setdefault(number, []).append(False)
        self.flying.clear()
        self.lines.clear()

    def run(self, until_us: int) -> None:
        while True:
            look_us = self.round()
            if any(end == "crash" for _, end in self.flying.values()):
                self.crash()
                continue
            landings = [at_us for at_us, _ in self.flying.values()]
            next_us = min([look_us, *landings])
            if next_us > until_us:
                self.now_us = until_us
                return
            self.now_us = next_us
            for number, (at_us, _) in sorted(self.flying.items()):
                if at_us <= self.now_us:
                    self.land(number)


@settings(max_examples=250, deadline=None)
@given(st.lists(written, min_size=1, max_size=14), st.lists(st.sampled_from(ENDS), max_size=40))
def test_at_least_once_recorded_once_in_order(story: list, ends: list[str]) -> None:
    office = Office(list(ends))
    for pause, incident, person, channel, what in story:
        office.run(office.now_us + round(pause * S))
        office.write(incident, person, channel, what)
    office.run(office.now_us + QUIET_US + S)
    assert not office.rows, "every message has an end"
    came = {number for _, number in office.arrived}
    for number, state in office.ended.items():
        assert state != "sent" or number in came
        if state != "sent" and number not in came:  # not delivered: there is a reason that people can read
            assert state in {"failed", "expired", "obsolete"}
    for number, instants in office.begun.items():
        for place, (before, after) in enumerate(itertools.pairwise(instants)):
            if not office.answered[number][place]:
                assert after - before >= DOUBT_US, "of unknown fate: not twice within a minute"
    in_doubt = {number for number, said in office.answered.items() if not all(said[:-1])}
    threads: dict[object, int] = {}
    for _, number in office.arrived:  # an attempt of unknown fate may come again, after what went on without it
        thread = office.threads[number]
        assert number >= threads.get(thread, 0) or number in in_doubt
        threads[thread] = max(number, threads.get(thread, 0))


@given(st.lists(st.sampled_from(["busy", "lost", "silent"]), min_size=60, max_size=60))
def test_a_page_without_receipt_is_said_once_and_within_a_minute(ends: list[str]) -> None:
    office = Office(ends)
    office.write(1, "ana", "mail", "opened")
    office.run(LATE_US + S)
    assert office.told == [1]
    office.run(PAGE_US + S)
    assert (office.told, office.ended.get(1)) == ([1], "expired") or 1 in {number for _, number in office.arrived}


def test_a_resolution_is_not_told_to_who_never_heard_of_the_fault() -> None:
    office = Office(["busy"] * 100)
    office.write(1, "ana", "mail", "opened")
    office.run(100 * S)
    office.write(1, "ana", "mail", "resolved")
    office.run(110 * S)
    assert office.ended == {1: "obsolete", 2: "obsolete"}


def test_a_page_overtakes_one_that_waits_for_its_next_try() -> None:
    office = Office(["busy"] * 4)
    office.write(1, "ana", "mail", "opened")
    office.run(5 * S)
    office.ends = []
    office.write(1, "ana", "mail", "promoted")
    office.run(12 * S)
    assert office.ended in ({1: "obsolete", 2: "sent"}, {1: "sent", 2: "sent"})


def test_a_page_behind_a_channel_that_rests_is_not_sent_when_its_incident_is_over() -> None:
    row = Waiting(
        id=1, incident=1, recipient="ana", channel="mail", what="opened", page=True, created_us=0, due_us=0,
        deadline_us=PAGE_US,
    )  # fmt: skip
    resting = {"mail": Line(failures=1, rest_until_us=300 * S)}
    over = Known({1: "resolved"})
    assert plan([row], 61 * S, flying=(), lines=resting, known=over).end == ((1, "obsolete", "the incident is over"),)
    assert plan([row], 61 * S, flying=(), lines={}, known=over).go == (1,)  # it waited for us: it is told after all


def test_a_channel_that_asked_to_be_left_alone_is_left_alone_by_every_message() -> None:
    office = Office([])
    office.lines["mail"] = failed(Line(), 0, after_us=30 * S)
    for incident in range(1, 4):
        office.write(incident, "ana", "mail", "opened")
        office.write(incident, "ana", "hook", "opened")
    office.run(29 * S)
    assert sorted(office.threads[number][2] for number in office.ended) == ["hook"] * 3
    office.run(31 * S)
    assert len(office.ended) == 6


def test_the_end_of_a_list_does_not_go_before_the_list() -> None:
    """Where the far end keeps it as an alert of its own, the other way round would leave it open for ever."""
    digest = Waiting(
        id=1, incident=None, recipient="ana", channel="pd", what="digest", page=True, created_us=0, due_us=0,
        deadline_us=PAGE_US, list_key="digest/ana/pd/1",
    )  # fmt: skip
    end = msgspec.structs.replace(digest, id=2, what="resolved", page=False)
    busy = msgspec.structs.replace(digest, due_us=9 * S, error="HTTP 503", attempts=1)
    none = Known()
    assert plan([digest, end], S, flying=(), lines={}, known=none).go == (1,)
    assert plan([digest, end], S, flying=(1,), lines={}, known=none).go == ()
    assert [row[:2] for row in plan([busy, end], S, flying=(), lines={}, known=none).end] == [
        (1, "obsolete"), (2, "obsolete"),
    ]  # fmt: skip
    assert plan([end], S, flying=(), lines={}, known=none).go == (2,)
