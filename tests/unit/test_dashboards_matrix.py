"""Which rows stand by themselves: nothing that is not up is left out, whatever fails; the worst comes first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.web.matrix import ALL, Group, Look, arrange, natural_order
from dashboards.web.records import LastResult, Panorama, PathCell, SbcRow
from sereno.verdict import ElementVerdict

STATES = ("up", "degraded", "down", "unknown", "maintenance")
PLACES = ("Bogotá", "San José", None)


def verdict(kind, name, state, reason=None):
    return ElementVerdict(kind=kind, name=name, state=state, since_us=1, reason=reason)


def last(outcome="ok", rtt=0.001):
    return LastResult(1, outcome, None, 200, "core", rtt, None, None, 4.3, 4.2)


def page(states, cores=("up", "up")):
    """`states`: one (edge, path to a, path to b) per SBC."""
    rows = tuple(
        SbcRow(
            name=f"sbc-{number + 1}", place=PLACES[number % 3], verdict=verdict("sbc", f"sbc-{number + 1}", edge),
            edge=last(), natural=last(),
            cells={
                core: PathCell(
                    f"sbc-{number + 1}", core, "primary", verdict("path", f"sbc-{number + 1}/{core}", state),
                    last(), last(), last(),
                )
                for core, state in (("core-a", a), ("core-b", b))
            },
        )
        for number, (edge, a, b) in enumerate(states)
    )  # fmt: skip
    return Panorama(
        at_us=1, service=verdict("service", "s", "up"), timezone="UTC",
        cores=tuple(verdict("core", name, state) for name, state in zip(("core-a", "core-b"), cores, strict=True)),
        sites=(), rows=rows, findings=(), incidents=(), probes=(), last_result_us=1, collector_alive=True,
    )  # fmt: skip


def names(shown):
    return [[row.name for row in line.rows] if isinstance(line, Group) else line.name for line in shown.lines]


UP = ("up", "up", "up")


def test_few_stay_where_they_are():
    shown = arrange(page([UP, ("down", "down", "down"), UP]), Look())
    assert names(shown) == ["sbc-1", "sbc-2", "sbc-3"]


def test_twenty_are_rows_with_the_worst_first():
    shown = arrange(page([UP] * 10 + [("down", "down", "down")] + [UP] * 8 + [("up", "degraded", "up")]), Look())
    assert names(shown)[:3] == ["sbc-11", "sbc-20", "sbc-1"]
    assert not shown.grouped
    assert names(shown)[2:] == sorted(names(shown)[2:], key=natural_order)


def test_two_hundred_are_counted_by_place_and_trouble_stands_by_itself():
    shown = arrange(page([UP] * 150 + [("up", "up", "down")] + [UP] * 49), Look())
    assert names(shown)[0] == "sbc-151"
    groups = shown.lines[1:]
    assert [(group.place, len(group.rows), group.state) for group in groups] == [
        (None, 66, "up"), ("Bogotá", 66, "up"), ("San José", 67, "up"),
    ]  # fmt: skip
    assert groups[0].edge.rtt.worst == 0.001
    assert groups[0].cells["core-a"].mos == 4.2


def test_a_dead_core_is_no_trouble_of_two_hundred_sbcs():
    shown = arrange(page([("up", "down", "up")] * 200, cores=("down", "up")), Look())
    assert len(shown.lines) == 3
    assert {group.state for group in shown.lines} == {"down"}
    assert not any(group.own for group in shown.lines)


def test_what_all_fail_is_named_in_groups():
    shown = arrange(page([("down", "down", "down")] * 60 + [UP] * 140), Look())
    assert [line.own for line in shown.lines] == [True] * 3 + [False] * 3
    assert shown.lines[0].names == tuple(row.name for row in shown.lines[0].rows[:12])


def test_a_search_and_an_open_place():
    everything = page([UP] * 200)
    shown = arrange(everything, Look(q="JOSÉ"))
    assert shown.found == 67
    found = arrange(everything, Look(q="sbc-77"))
    assert names(found) == ["sbc-77"]
    opened = arrange(everything, Look(places=frozenset({"Bogotá"})))
    assert sum(isinstance(line, SbcRow) for line in opened.lines) == 67
    assert arrange(everything, Look(q="nobody")).lines == ()


def test_the_look_lives_in_the_address():
    look = Look("a & b", frozenset({"San José", ""}), wall=True, act=True)
    assert Look.read(look.argument) == look
    assert Look.of([("q", "x" * 500)], act=False).q == "x" * 80
    assert Look().argument == ""
    assert Look(places=frozenset({"Cali"})).toggled("Cali") == "?"
    assert Look().toggled("San José") == "?open=San+Jos%C3%A9"


@pytest.mark.parametrize("alive", [True, False])
@given(
    states=st.lists(st.tuples(*[st.sampled_from(STATES)] * 3), min_size=1, max_size=80),
    cores=st.tuples(*[st.sampled_from(STATES)] * 2),
)
def test_every_sbc_is_there_exactly_once_and_no_group_hides_a_state(alive, states, cores):
    made = replace(page(states, cores), collector_alive=alive)
    shown = arrange(made, Look())
    seen = [row for line in shown.lines for row in (line.rows if isinstance(line, Group) else (line,))]
    assert sorted(row.name for row in seen) == sorted(row.name for row in made.rows)
    for line in shown.lines:
        if isinstance(line, Group):
            for row in line.rows:
                assert row.verdict.state == line.edge.state
                assert {core: cell.verdict.state for core, cell in row.cells.items()} == {
                    core: said.state for core, said in line.cells.items()
                }
    if len(states) > ALL:
        troubled = [line for line in shown.lines if isinstance(line, Group) and line.own]
        assert not troubled or sum(len(line.rows) for line in troubled) > ALL
