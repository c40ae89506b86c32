"""The non-INVITE client transaction (RFC 3261 section 17.1.2) under any order of replies and any timing."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.sip.transaction import T1, T2, T4, TIMER_F, Answered, Ended, Expired, Provisional, Send, Transaction


def reply(code: int, branch: str = "z9hG4bKme", cseq: int = 1, method: str = "OPTIONS") -> bytes:
    return (
        f"SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP 127.0.0.1;branch={branch}\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: {cseq} {method}\r\n\r\n"
    ).encode()


def transaction(timeout: float) -> Transaction:
    return Transaction(b"request", branch="z9hG4bKme", cseq=1, method="OPTIONS", timeout=timeout)


def run_silent(machine: Transaction, start: float) -> list[tuple[float, object]]:
    """All timers fired exactly when due, nobody answers."""
    seen: list[tuple[float, object]] = [(start, event) for event in machine.start(start)]
    while (due := machine.next_due) is not None:
        seen += [(due, event) for event in machine.tick(due)]
    return seen


def test_silence_retransmits_at_t1_doubling_to_t2_and_listens_until_timer_f():
    seen = run_silent(transaction(20.0), 100.0)
    sends = [round(at - 100, 3) for at, event in seen if isinstance(event, Send)]
    assert sends == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5]  # intervals 0.5, 1, 2, 4, 4, 4, 4
    assert [(at, type(event)) for at, event in seen if not isinstance(event, Send)] == [
        (120.0, Expired), (132.0, Ended),
    ]  # fmt: skip


def test_the_check_of_900_ms_is_sent_twice():
    seen = run_silent(transaction(0.9), 0.0)
    assert [(round(at, 3), type(event)) for at, event in seen] == [
        (0.0, Send), (0.5, Send), (0.9, Expired), (32.0, Ended),
    ]  # fmt: skip


def test_proceeding_retransmits_every_t2():
    machine = transaction(20.0)
    machine.start(0.0)
    assert [type(e) for e in machine.received(reply(100), 0.1)] == [Provisional]
    sends = []
    while (due := machine.next_due) is not None and machine.state == "proceeding":
        sends += [due for event in machine.tick(due) if isinstance(event, Send)]
    assert sends == [0.5, 4.5, 8.5, 12.5, 16.5]


def test_an_answer_without_retransmission_gives_its_time_and_ends():
    machine = transaction(0.9)
    machine.start(10.0)
    answered, ended = machine.received(reply(404), 10.25)
    assert isinstance(answered, Answered)
    assert (answered.after_seconds, answered.retransmitted, answered.late) == (0.25, False, False)
    assert isinstance(ended, Ended)
    assert machine.next_due is None


def test_a_retransmitted_answer_is_marked_and_absorbs_duplicates_for_t4():
    machine = transaction(0.9)
    machine.start(0.0)
    machine.tick(0.5)
    (answered,) = machine.received(reply(200), 0.6)
    assert isinstance(answered, Answered)
    assert answered.retransmitted
    assert machine.received(reply(200), 0.61) == []
    assert machine.duplicates == 1
    assert machine.next_due == pytest.approx(0.6 + T4)
    assert [type(e) for e in machine.tick(0.6 + T4)] == [Ended]


def test_a_reply_after_the_deadline_is_late_once():
    machine = transaction(0.9)
    machine.start(0.0)
    machine.tick(0.5)
    machine.tick(0.9)
    answered, ended = machine.received(reply(408), 5.1)
    assert isinstance(answered, Answered)
    assert answered.late
    assert answered.after_seconds == 5.1
    assert isinstance(ended, Ended)


def test_a_reply_stamped_after_the_deadline_but_read_before_the_timer_expires_first():
    machine = transaction(0.9)
    machine.start(0.0)
    assert [type(e) for e in machine.received(reply(200), 0.95)] == [Expired, Answered, Ended]


@pytest.mark.parametrize(
    "stray",
    [
        reply(200, branch="z9hG4bKother"),
        reply(200, cseq=2),
        reply(200, method="REGISTER"),
        reply(200).replace(b"Via:", b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKtop\r\nVia:"),
        reply(200).replace(b"Via:", b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKme\r\nVia:"),
    ],
)
def test_a_reply_that_is_not_ours_changes_nothing(stray):
    machine = transaction(0.9)
    machine.start(0.0)
    assert machine.received(stray, 0.1) == []
    assert (machine.strays, machine.state) == (1, "trying")
    (expired,) = machine.tick(0.9)
    assert isinstance(expired, Expired)
    assert expired.garbled is None
    assert expired.foreign.startswith("a reply came, with")


def test_garbage_is_remembered_but_a_good_reply_after_it_wins():
    machine = transaction(0.9)
    machine.start(0.0)
    machine.received(b"\xde\xad", 0.1)
    assert isinstance(machine.received(reply(200), 0.2)[0], Answered)
    silent = transaction(0.9)
    silent.start(0.0)
    silent.received(b"\xde\xad", 0.1)
    (expired,) = silent.tick(0.9)
    assert isinstance(expired, Expired)
    assert expired.garbled


DATA = st.sampled_from([reply(100), reply(183), reply(200), reply(503), reply(200, branch="z9hG4bKno"), b"junk", b""])
STEPS = st.lists(st.tuples(st.floats(0, 9, allow_nan=False), st.one_of(st.none(), DATA, st.just(b"stop"))), max_size=25)


@given(st.floats(0.01, 40), STEPS)
@settings(max_examples=300)
def test_whatever_comes_the_promises_hold(timeout, steps):
    """One outcome; no send after it; at most one answer; every timer in the future; it ends by itself."""
    machine = transaction(timeout)
    now, events = 0.0, []

    def take(at: float, new: list) -> None:
        events.extend((at, event) for event in new)

    take(0.0, machine.start(0.0))
    for wait, data in steps:
        target = now + wait
        while (due := machine.next_due) is not None and due <= target:
            take(due, machine.tick(due))
        now = target
        take(now, machine.stop() if data == b"stop" else [] if data is None else machine.received(data, now))
    while (due := machine.next_due) is not None:
        assert due >= now - 1e-9
        now = max(now, due)
        take(now, machine.tick(due))
    assert machine.state == "terminated"
    answers = [(at, e) for at, e in events if isinstance(e, Answered)]
    expiries = [at for at, e in events if isinstance(e, Expired)]
    sends = [at for at, e in events if isinstance(e, Send)]
    assert len(answers) <= 1
    assert len(expiries) <= 1
    assert sum(isinstance(e, Ended) for _, e in events) == 1
    assert isinstance(events[-1][1], Ended)
    assert [e.number for _, e in events if isinstance(e, Send)] == list(range(1, len(sends) + 1))
    assert machine.sent == len(sends)
    if answers and not expiries:
        assert answers[0][1].after_seconds <= timeout + 1e-9
    if answers and expiries:
        assert answers[0][1].late
    if expiries:
        assert expiries[0] >= timeout - 1e-9
        assert all(at < expiries[0] for at in sends)
        assert events[-1][0] <= max(TIMER_F, expiries[0]) + 1e-6
    gaps = [later - earlier for earlier, later in itertools.pairwise(sends)]
    assert all(T1 - 1e-9 <= gap <= T2 + 1e-9 for gap in gaps)


@given(st.lists(st.floats(0, 3), max_size=40), st.floats(0.1, 10))
def test_late_timers_never_make_bursts(delays, timeout):
    """A stalled process fires late: each tick sends at most once, and never after the deadline."""
    machine = transaction(timeout)
    machine.start(0.0)
    now = 0.0
    for delay in delays:
        if machine.next_due is None:
            break
        now = max(now, machine.next_due) + delay
        sent = [e for e in machine.tick(now) if isinstance(e, Send)]
        assert len(sent) <= 1
        assert not (sent and now >= timeout)


def test_round_trips_count_from_when_the_request_left_and_timers_from_the_start():
    machine = transaction(0.9)
    machine.start(10.0)
    machine.left(10.1)
    (answered, _) = machine.received(reply(200), 10.3)
    assert answered.after_seconds == pytest.approx(0.2)
    late = transaction(0.9)
    late.start(10.0)
    late.left(10.1)
    assert late.next_due == 10.5
    late.tick(10.5)
    assert [type(event) for event in late.tick(10.9)] == [Expired]


def test_over_a_stream_nothing_is_repeated_and_an_answer_is_the_end():
    """RFC 3261 section 17.1.2.2: no timer E, timer K is zero."""
    machine = Transaction(b"r", branch="z9hG4bKme", cseq=1, method="OPTIONS", timeout=20.0, reliable=True)
    seen = run_silent(machine, 0.0)
    assert [(at, type(event)) for at, event in seen] == [(0.0, Send), (20.0, Expired), (32.0, Ended)]
    machine = Transaction(b"r", branch="z9hG4bKme", cseq=1, method="OPTIONS", timeout=20.0, reliable=True)
    machine.start(0.0)
    assert [type(event) for event in machine.received(reply(100), 1.0)] == [Provisional]
    assert machine.next_due == 20.0
    assert [type(event) for event in machine.received(reply(200), 2.0)] == [Answered, Ended]
