"""An SBC given by name: its targets come and go with the DNS, each with its own address (docs/adr/0012)."""

import pytest

from collector.engine import Engine
from collector.ledger.fold import Fold
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
TOPOLOGY = topology_from_json({
    "service": "voz",
    "cores": {"core-a": {"uri": "sip:10.0.0.1"}},
    "sbcs": {"sbc-1": {"addresses": ["sip:sbc.example"], "primary": "core-a"}},
    "probes": {"p1": {"network": "isp-1"}},
})  # fmt: skip


def results(until, plan):
    """`plan(second)` gives {address: answered} of the targets that the name had then."""
    found = []
    for second in range(until):
        for offset, (address, answered) in enumerate(plan(second).items()):
            at = iso(T0 + second * S + offset * 1000)
            said = {"outcome": "ok"} if answered else {"outcome": "failed", "reason": "timeout"}
            found.append(
                Result(v=1, probe="p1", boot="b", seq=len(found) + 1, at=at, check="edge", sbc="sbc-1",
                       address=address, target="sbc.example", **said)
            )  # fmt: skip
    return found


def live(until, plan):
    engine = Engine(TOPOLOGY)
    for one in results(until, plan):
        engine.feed(one, one.at_us)
    now = T0 + until * S
    engine.tick(now)
    return next(one.state for one in engine.verdicts(now) if one.kind == "sbc")


def folded(until, plan):
    fold = Fold(TOPOLOGY)
    for one in results(until, plan):
        fold.add(one, one.at_us)
    found = [one for one in fold.intervals(T0, T0 + until * S) if one.kind == "sbc"]
    return found[-1].state


@pytest.mark.parametrize("judge", [live, folded])
@pytest.mark.parametrize(
    ("plan", "state"),
    [
        (lambda _: {"one": True, "two": True}, "up"),
        (lambda s: {"one": True, "two": s < 20}, "degraded"),
        (lambda s: {"one": s < 20, "two": s < 20}, "down"),
        # `two` leaves the name: what is left decides, well or not.
        (lambda s: {"one": True, "two": True} if s < 5 else {"one": True}, "up"),
        (lambda s: {"one": True, "two": False} if s < 5 else {"one": True}, "up"),
        (lambda s: {"one": s < 25, "two": True} if s < 5 else {"one": s < 25}, "down"),
        # The name moves altogether, and the new place dies.
        (lambda s: {"one": True} if s < 10 else {"two": s < 30}, "down"),
        (lambda s: {"one": False} if s < 10 else {"two": True}, "up"),
    ],
)
def test_targets_come_and_go(judge, plan, state):
    assert judge(40, plan) == state


def test_when_every_target_falls_silent_nothing_is_known():
    assert live(40, lambda s: {"one": True, "two": False} if s < 10 else {}) == "unknown"
