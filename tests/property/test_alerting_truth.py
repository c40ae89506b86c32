"""Random systems, random faults, known truth: one incident per cause, named, promoted, healed, and repeatable."""

import os
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from truth import T0, Fault, World, system

from sereno.cli.replay import Desk
from sereno.clock import SECOND_US
from sereno.incident import ACTIVE, incident_json

EXAMPLES = int(os.environ.get("SERENO_EXAMPLES", "4"))
PLATEAU = 75  # rounds in which nothing changes: paths speak after 30 s
WELL = 50


def plan(rng: random.Random, settings_: dict, *, staggered: bool) -> tuple[list[Fault], int]:
    """One to three faults, all there at once for a while, then all healed; and how many rounds that takes."""
    elements = [("core", name) for name in settings_["cores"]] + [("sbc", name) for name in settings_["sbcs"]]
    elements += [
        ("path", f"{name}/{core}")
        for name, sbc in settings_["sbcs"].items()
        for core in dict.fromkeys((sbc["primary"], sbc["backup"]))
    ]
    picked = rng.sample(elements, min(len(elements), rng.choice([1, 1, 2, 2, 3])))
    begins = [12 + (PLATEAU * place if staggered else 0) for place in range(len(picked))]
    end = begins[-1] + PLATEAU
    return [Fault(*one, begin, end) for one, begin in zip(picked, begins, strict=True)], end + WELL


def expected(world: World, turn: int, known: set[str]) -> set[tuple[str, str]]:
    """The smallest elements that explain what fails at a round, by what can be seen; `known`: cores seen to be dead."""
    topology = world.topology
    gone = {name for kind, name in world.broken(turn) if kind == "sbc"}
    if not any(world.site_up(site, turn) for site in topology.sites) and not held_by_one(world, turn, gone):
        return {("service", "voz")}
    living = [path for path in topology.paths() if path.sbc not in gone]
    failing = {path.name for path in living if not world.answers("options", path.sbc, path.core, turn, "")}
    for core in topology.cores:
        mine = {path.name for path in living if path.core == core}
        if mine - failing:
            known.discard(core)
        elif len(mine) > 1 or (mine and len(topology.sbcs) == 1):
            known.add(core)
    found = {("sbc", name) for name in gone} | {("core", name) for name in known}
    rest = {name for name in failing if name.partition("/")[2] not in known}
    for sbc in topology.sbcs:
        mine = {path.name for path in living if path.sbc == sbc}
        if len(mine) > 1 and mine <= rest:
            found.add(("sbc", sbc))
            rest -= mine
    return found | {("path", name) for name in rest}


def held_by_one(world: World, turn: int, gone: set[str]) -> bool:
    """All phones stay with one dead SBC, while another would serve them."""
    sites = world.topology.sites.values()
    stay = {site.sbcs[0] if site.failover != "auto" or len(site.sbcs) == 1 else None for site in sites}
    carrying = [path for path in world.topology.paths() if world.answers("options", path.sbc, path.core, turn, "")]
    return len(stay) == 1 and stay <= gone and bool(carrying) and not world.broken(turn, among="core")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 10**9), st.booleans())
def test_one_incident_per_cause_on_the_smallest_element_that_explains_it(seed: int, staggered: bool) -> None:
    rng = random.Random(seed)
    shape = system(rng)
    faults, rounds = plan(rng, shape, staggered=staggered)
    world = World(shape, faults)
    desk = world.heard(rounds, seed)
    records = [one for one in desk.machine.incidents() if one.class_ == "service" and one.state != "merged"]
    known: set[str] = set()
    for turn in sorted({one.begin for one in faults}):
        wanted = expected(world, turn + 2, known)
    end_us = T0 + faults[0].end * SECOND_US
    downed = any(not world.site_up(site, one.begin) for site in world.topology.sites for one in faults)
    assert any(one.priority_peak == "Urgente" for one in records) == downed
    told = {(cause.kind, cause.name) for one in records for cause in one.causes}
    assert wanted <= told
    if not staggered:
        assert len(records) == len(wanted), ([(one.title, one.causes) for one in records], wanted)
    assert len(records) <= len(faults)
    assert all(one.state == "resolved" for one in records)
    for one in records:
        assert abs(one.resolved_us - end_us) <= 2 * SECOND_US, (one.title, (one.resolved_us - end_us) / SECOND_US)
    assert not [one for one in desk.machine.incidents() if one.class_ == "monitor" and one.cause.kind != "monitor"]
    assert not [one for one in desk.machine.incidents() if one.state in ACTIVE and one.class_ == "service"]


@settings(max_examples=max(2, EXAMPLES // 3), deadline=None)
@given(st.integers(0, 10**9))
def test_told_again_or_by_a_desk_rebuilt_on_the_way_it_is_the_same_story(seed: int) -> None:
    rng = random.Random(seed)
    shape = system(rng)
    faults, rounds = plan(rng, shape, staggered=rng.random() < 0.5)
    world = World(shape, faults)
    whole, rebuilt = world.heard(rounds, seed), World(shape, faults).heard(rounds, seed, restarts=rng.choice([1, 3]))
    assert [incident_json(one) for one in whole.machine.incidents()] == [
        incident_json(one) for one in rebuilt.machine.incidents()
    ]
    assert (whole.alarms, whole.notifications) == (rebuilt.alarms, rebuilt.notifications)


def unrest(rng: random.Random, settings_: dict) -> tuple[list[Fault], int]:
    """Faults that come and go as they please, some of them again and again."""
    elements = [("core", name) for name in settings_["cores"]] + [("sbc", name) for name in settings_["sbcs"]]
    picked = rng.sample(elements, min(len(elements), rng.choice([1, 2, 3])))
    found = []
    for one in picked:
        at = rng.randint(12, 60)
        for _ in range(rng.choice([1, 1, 2, 5])):
            length = rng.choice([1, 3, 8, 20, 45])
            found.append(Fault(*one, at, at + length))
            at += length + rng.choice([2, 10, 35, 70])
    return found, max(one.end for one in found)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 10**9))
def test_whatever_comes_and_goes_one_element_is_never_two_stories_at_once(seed: int) -> None:
    rng = random.Random(seed)
    shape = system(rng)
    faults, last = unrest(rng, shape)
    world = World(shape, faults)
    desk = Watching(world)
    world.heard(last + WELL, seed, desk=desk)
    desk.machine.tick(T0 + (last + 3600) * SECOND_US)
    records = [one for one in desk.machine.incidents() if one.class_ == "service" and one.state != "merged"]
    assert len(records) <= len({(one.kind, one.name) for one in faults}), [(one.title, one.causes) for one in records]
    told = [one for one in records if one.alarm != "intermittence"]  # which wants ten good minutes
    assert all(one.state == "resolved" for one in told), [(one.title, one.state) for one in records]
    downed = any(not world.site_up(site, turn) for site in world.topology.sites for turn in range(last))
    assert downed or not any(one.priority_peak == "Urgente" for one in records)
    for record in told:
        assert record.since_us >= T0 + (min(one.begin for one in faults) - 1) * SECOND_US
        assert record.resolved_us <= T0 + (last + 2) * SECOND_US


class Watching(Desk):
    """Looks after every word whether two open incidents have one cause."""

    def __init__(self, world: World) -> None:
        super().__init__(world.machine())

    def hear(self, changes: list[Any], at_us: int) -> None:
        super().hear(changes, at_us)
        open_ = [(one.class_, one.cause) for one in self.machine.incidents() if one.state in ACTIVE]
        assert len(open_) == len(set(open_)), open_
