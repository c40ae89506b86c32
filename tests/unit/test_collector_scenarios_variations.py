"""The scenarios on other systems than the lab's: shapes, paces and phases must not change what is said."""

import random

import pytest
from streams import T0
from variations import System, down, told

from sereno.clock import SECOND_US, iso

SHAPES = {
    "as-the-lab": {},
    "four-sbcs-every-5s": {"sbcs": 4, "every": 5},
    "every-10s": {"every": 10},
    "two-addresses": {"addresses": 2},
    "three-networks": {"probes": 3},
    "no-sites": {"sites": False},
    "no-probes": {"listed": False},
    "no-naturals": {"naturals": False},
    "one-sbc": {"sbcs": 1},
}
REFUSED = {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "core"}


@pytest.fixture
def system(tmp_path):
    return lambda **shape: System(tmp_path, **shape)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_2_a_core(system, shape):
    one = system(**shape)
    answer = one.outage(10, 25, 40, lambda _, __, core: core == "left").go()
    assert told(answer) == [("service", "core", "left", "Alta")]
    assert down(answer, "core", "left") == 15 * one.every
    assert down(answer, "service", "voz") == 0


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_3_both_cores(system, shape):
    one = system(**shape)
    answer = one.outage(10, 25, 40, lambda check, _, core: core is not None or check == "natural").go()
    assert told(answer) == [("service", "service", "voz", "Urgente")]
    assert down(answer, "service", "voz") == 15 * one.every
    assert all(down(answer, "sbc", name) == 0 for name in one.names)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_5_all_sbcs(system, shape):
    one = system(**shape)
    answer = one.outage(10, 25, 40, lambda *_: True).go()
    assert told(answer) == [("service", "service", "voz", "Urgente")]
    assert down(answer, "service", "voz") == 15 * one.every
    assert down(answer, "core", "left") == down(answer, "core", "right") == 0


@pytest.mark.parametrize("shape", [shape for name, shape in SHAPES.items() if name != "one-sbc"])
def test_6_an_sbc(system, shape):
    one = system(**shape)
    answer = one.outage(10, 25, 40, lambda _, sbc, __: sbc == "edge1").go()
    assert [cause[1:3] for cause in told(answer)] == [("sbc", "edge1")]
    assert down(answer, "sbc", "edge1") == 15 * one.every
    assert down(answer, "service", "voz") == 0


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("both", [False, True])
def test_11_cores_that_refuse(system, shape, both):
    one = system(**shape)
    hit = lambda check, _, core: check in {"register", "call"} and (both or core == "left")  # noqa: E731
    answer = one.outage(20, 60, 100, hit, REFUSED).go()
    assert told(answer) == [
        ("service", "service", "voz", "Urgente") if both else ("service", "core", "left", "Alta"),
    ]
    assert down(answer, "service", "voz") == (40 * one.every if both else 0)


HITS = {
    2: (lambda _, __, core: core == "left", {"core_down", "path_down"}, 1),
    3: (
        lambda check, _, core: core is not None or check == "natural",
        {"core_down", "path_down", "service_down", "site_down"}, 1,
    ),
    5: (lambda *_: True, {"sbc_down", "path_down", "service_down", "site_down"}, 1),
    6: (lambda _, sbc, __: sbc == "edge1", {"sbc_down", "path_down"}, 1),
    7: (lambda _, sbc, core: sbc == "edge1" or core == "left", {"sbc_down", "path_down"}, 2),
}  # fmt: skip


@pytest.mark.parametrize("scenario", HITS)
@pytest.mark.parametrize("seed", range(4))
def test_checks_at_any_phase_raise_nothing_else(system, scenario, seed):
    """Edges, paths and naturals are asked at different instants; what died together must not look contradictory."""
    rng = random.Random(1000 * scenario + seed)
    shape = {
        "probes": rng.choice([1, 2, 3]),
        "sbcs": 2 if scenario == 7 else rng.choice([2, 3]),
        "every": rng.choice([1, 5]),
    }
    one = system(**shape, phase=rng.choice([0.3, 0.99]), addresses=rng.choice([1, 2]), slow=seed % 2 == 0, seed=seed)
    hit, allowed, incidents = HITS[scenario]
    answer = one.outage(10, 30, 50, hit).go()
    lost = {"redundancy_lost", "service_redundancy_lost", "budget_burn", "budget_low"}
    assert {alarm["alarm"] for alarm in answer["alarms"]} <= allowed | lost
    causes = told(answer)
    assert len(causes) <= incidents
    assert {cause[0] for cause in causes} == {"service"}
    if scenario in {2, 6, 7}:
        assert down(answer, "service", "voz") == 0


def test_a_service_without_sites_is_degraded_as_soon_as_one_of_three_sbcs_is_down(system):
    answer = system(sbcs=3, sites=False).outage(10, 25, 40, lambda _, sbc, __: sbc == "edge2").go()
    found = [(one["state"], one["from"], one["to"]) for one in answer["intervals"] if one["kind"] == "service"]
    assert [state for state, _, _ in found] == ["up", "degraded", "up"]
    assert (found[1][1], found[1][2]) == (iso(T0 + 10 * SECOND_US), iso(T0 + 25 * SECOND_US))
