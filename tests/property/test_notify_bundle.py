"""Bundling: whatever the storm, few messages, nothing forgotten, and a restart in between changes nothing."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.bundle import Bundler, Held, as_rows, from_rows
from alerting.effects import Item, Notification

S = 1_000_000
BURST, WITHIN = 2, 60 * S
PRIORITIES = ("Urgente", "Alta", "Normal", "Baja")
OVER = {"resolved", "found_late"}

word = st.tuples(
    st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0, 20.0, 61.0, 200.0]),  # seconds since the one before
    st.integers(1, 40),
    st.sampled_from(["opened", "promoted", "reopened", "resolved", "breach_warning"]),
    st.sampled_from(PRIORITIES),
    st.booleans(),
)


def listed(held: tuple[Held, ...], now_us: int) -> Notification:
    first = min(held, key=lambda one: PRIORITIES.index(one.item.priority)).message
    return msgspec.structs.replace(
        first, key=f"digest/{now_us}", at_us=now_us, incident=None, what="digest",
        page=any(one.message.page for one in held), items=tuple(one.item for one in held),
    )  # fmt: skip


def message(place: int, at_us: int, number: int, what: str, priority: str, page: bool) -> tuple[Notification, Item]:
    told = Notification(
        key=f"{number}/{what}/{place}", at_us=at_us, incident=number, what=what, page=page and what not in OVER,
        to="ana", channel="hook", address=None, locale="es", subject="", body="", priority=priority, severity=None,
        kind="sbc", name="x",
    )  # fmt: skip
    item = Item(
        what=what, number=number, title="", priority=priority, severity=None, kind="sbc", name="x", since_us=at_us
    )
    return told, item


def bundler() -> Bundler:
    return Bundler(BURST, WITHIN, listed)


def run(words: list, *, restarted: bool) -> tuple[list[Notification], list[tuple[int, Notification]]]:
    """(admitted, (instant, sent)) of a story; with restarts, everything goes through its stored form at each step."""
    machine, now_us, admitted, sent = bundler(), 0, [], []

    def advance(limit_us: int) -> None:
        while (due := machine.next_due_us()) is not None and due <= limit_us:
            sent.extend((due, one) for one in machine.settle(due))

    for place, (pause, number, what, priority, page) in enumerate(words):
        now_us += round(pause * S)
        advance(now_us - 1)
        told, item = message(place, now_us, number, what, priority, page)
        admitted.append(told)
        machine.admit(told, item)
        if place + 1 == len(words) or words[place + 1][0] > 0:  # the instant ends
            sent.extend((now_us, one) for one in machine.settle(now_us))
        if restarted and not machine._fresh:
            fresh = bundler()
            fresh.restore(from_rows(as_rows(machine.bundles).values()))
            machine = fresh
    advance(now_us + 10 * WITHIN)
    return admitted, sent


@settings(max_examples=300, deadline=None)
@given(st.lists(word, min_size=1, max_size=60))
def test_nothing_is_forgotten_and_no_minute_is_loud(words: list) -> None:
    admitted, sent = run(words, restarted=False)
    for told in admitted:  # each one went singly, or its incident is in a list of then or later
        assert any(
            one.key == told.key or (at_us >= told.at_us and any(item.number == told.incident for item in one.items))
            for at_us, one in sent
        ), told.key
    last = {told.incident: told for told in admitted}
    for number, told in last.items():  # and the last word that anybody reads of an incident is the last one said
        heard = [
            one.what if one.incident == number else next(item.what for item in one.items if item.number == number)
            for _, one in sent
            if one.incident == number or any(item.number == number for item in one.items)
        ]
        same_instant = [other.what for other in admitted if other.incident == number and other.at_us == told.at_us]
        assert heard[-1] in same_instant
    assert all(not one.page for _, one in sent if one.what in OVER)
    for at_us, _ in sent:
        within = [one for other_us, one in sent if at_us <= other_us < at_us + WITHIN]
        # two minutes meet in it: of each the first few, what is graver than all before, and a list
        assert len(within) <= 2 * (BURST + len(PRIORITIES) + 1)
        assert sum(one.what == "digest" for one in within) <= 2 + BURST


@settings(max_examples=150, deadline=None)
@given(st.lists(word, min_size=1, max_size=40))
def test_a_restart_changes_nothing(words: list) -> None:
    assert run(words, restarted=False) == run(words, restarted=True)


@given(st.integers(3, 200), st.floats(0, 59))
def test_a_storm_within_a_minute_is_three_messages(count: int, seconds: float) -> None:
    """However many unrelated incidents: two pages and one list of all the rest, which is a page too."""
    words = [(seconds / count if place else 0.0, place + 1, "opened", "Alta", True) for place in range(count)]
    _, sent = run(words, restarted=False)
    assert [one.what for _, one in sent] == ["opened", "opened", "digest"]
    assert (len(sent[-1][1].items), sent[-1][1].page) == (count - 2, True)


def test_what_is_graver_than_all_before_does_not_wait() -> None:
    words = [(0.0, number, "opened", "Alta", True) for number in range(1, 11)] + [(5.0, 99, "opened", "Urgente", True)]
    _, sent = run(words, restarted=False)
    assert [(at_us, one.incident) for at_us, one in sent] == [(0, 1), (0, 2), (5 * S, 99), (60 * S, None)]


def test_ends_of_one_instant_are_one_list_that_wakes_nobody() -> None:
    _, sent = run([(0.0, number, "resolved", "Urgente", False) for number in range(1, 41)], restarted=False)
    assert [(one.what, one.page, len(one.items)) for _, one in sent] == [("digest", False, 40)]


def test_a_far_end_with_alerts_of_its_own_closes_the_list_when_all_of_it_is_over() -> None:
    machine = Bundler(BURST, WITHIN, listed, frozenset({"hook"}), frozenset({"hook"}))
    for place in range(1, 6):
        machine.admit(*message(place, 0, place, "opened", "Alta", True))
    assert len(machine.settle(0)) == BURST
    (digest,) = machine.settle(WITHIN)
    ends = []
    for place in range(1, 6):
        machine.admit(*message(place + 10, 2 * WITHIN, place, "resolved", "Alta", False))
        ends += machine.settle(2 * WITHIN)
    assert [one.incident for one in ends] == [1, 2, 3, 4, 5, None]
    assert (ends[-1].what, ends[-1].thread, ends[-1].page) == ("resolved", digest.thread, False)


def test_what_is_over_before_its_list_went_out_is_not_opened_there_afterwards() -> None:
    machine = Bundler(BURST, WITHIN, listed, frozenset({"hook"}), frozenset({"hook"}))
    for place in range(1, 5):
        machine.admit(*message(place, 0, place, "opened", "Alta", True))
    machine.settle(0)
    machine.admit(*message(10, 5 * S, 3, "resolved", "Alta", False))
    assert [one.incident for one in machine.settle(5 * S)] == [3]
    (digest,) = machine.settle(WITHIN)
    assert [one.number for one in digest.items] == [4]
