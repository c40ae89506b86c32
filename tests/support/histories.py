"""Random streams of results for the ledger's properties, and the systems they are about."""

from hypothesis import strategies as st

from sereno.clock import iso
from sereno.contract import load_contract
from sereno.store.queries.ledger import TopologyInForce
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_602_800 * S  # on the hour
FAST = {"every": "1s", "timeout": "900ms"}
SETTINGS = {
    "service": "voz",
    "cores": {"a": {"uri": "sip:10.0.0.1"}, "b": {"uri": "sip:10.0.0.2"}},
    "sbcs": {
        "s1": {"addresses": ["sip:192.0.2.1", "sip:192.0.2.11"], "primary": "a", "backup": "b"},
        "s2": {"addresses": ["sip:192.0.2.2"], "primary": "b", "backup": "a"},
    },
    "customers": {"acme": {"name": "A", "contract": "callmyway"}},
    "sites": {"x": {"customer": "acme", "sbcs": ["s1", "s2"]}, "y": {"customer": "acme", "sbcs": ["s2"]}},
    "accounts": {"m": {"user": "9", "realm": "r", "password": {"env": "P"}}},
    "checks": {
        "edge": FAST,
        "options": FAST,
        "natural": FAST,
        "register": {"every": "5s", "timeout": "4s", "accounts": ["m"]},
        "call": {"every": "8s", "timeout": "4s", "account": "m", "to": "sip:1@{core}", "hold": "1s"},
    },
    "probes": {"p1": {"network": "n1"}, "p2": {"network": "n2"}, "in": {"network": "lan", "vantage": "inside"}},
}
TOPOLOGY = topology_from_json(SETTINGS)
OPTIONS = {"every": "3s", "timeout": "900ms"}
SLOWER = topology_from_json({**SETTINGS, "checks": {**SETTINGS["checks"], "options": OPTIONS}})
FEWER = topology_from_json({**SETTINGS, "sites": {"x": {"customer": "acme", "sbcs": ["s1"], "failover": "none"}}})
CONTRACTS = {"callmyway": load_contract("callmyway")}
SERIES = [
    ("p1", "edge", "s1", None, "sip:192.0.2.1"),
    ("p1", "edge", "s2", None, None),
    ("p1", "options", "s1", "a", "sip:192.0.2.1"),
    ("p1", "options", "s1", "a", "sip:192.0.2.11"),
    ("p2", "options", "s1", "a", "sip:192.0.2.1"),
    ("p1", "options", "s2", "b", None),
    ("p2", "options", "s2", "b", None),
    ("p1", "natural", "s2", None, None),
    ("p1", "register", "s1", "a", "sip:192.0.2.1"),
    ("p1", "call", "s2", "b", None),
    ("in", "options", None, "b", None),
]
OK = {"outcome": "ok", "rtt_seconds": 0.02, "answered_by": "core", "code": 200}
KINDS = {
    "ok": OK,
    "slow": {**OK, "rtt_seconds": 0.6},
    "slowish": {**OK, "rtt_seconds": 0.4},
    "unproved": {**OK, "answered_by": "unknown"},
    "fail": {"outcome": "failed", "reason": "timeout", "duration_seconds": 0.9},
    "refused": {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "core", "duration_seconds": 0.1},
    "late": {"outcome": "ok", "reason": "late", "answered_after_seconds": 4.2},
    "later": {"outcome": "ok", "reason": "late", "answered_after_seconds": 31.0},
    "void": {"outcome": "invalid", "reason": "probe_fault"},
    "blind": {"outcome": "failed", "reason": "timeout", "evidence": {"canaries": {"x": False}}},
}


@st.composite
def episodes(draw):
    """What a series goes through: how long, at which pace, and what it answers in turn."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(1, 20),  # samples
                st.sampled_from([S, S, S, S, 400_000, 2 * S, 3 * S, 9 * S, 40 * S]),
                st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4),
            ),
            min_size=1,
            max_size=5,
        )
    )


@st.composite
def streams(draw, series=SERIES):
    """Results of several series over some minutes, in folding order, with their `at`."""
    chosen = draw(st.lists(st.sampled_from(series), min_size=1, max_size=4, unique=True))
    found = []
    seq = 0
    for index, (probe, check, sbc, core, address) in enumerate(chosen):
        at = T0 + draw(st.integers(0, 90)) * S + 37_000 * index
        for count, pace, turns in draw(episodes()):
            for turn in range(count):
                at += pace + draw(st.sampled_from([0, 0, 0, 1_000, 7])) * (turn % 3)
                seq += 1
                said = dict(KINDS[turns[turn % len(turns)]])
                account = "m" if check in ("register", "call") else None
                boot = "b" if at < T0 + 200 * S else "c"
                found.append(
                    Result(
                        v=1, probe=probe, boot=boot, seq=seq, at=iso(at), check=check, sbc=sbc, core=core,
                        address=address, account=account, **said,
                    )
                )  # fmt: skip
                if said.get("reason") == "timeout" and turn % 5 == 4:  # the reply comes after all
                    seq += 1
                    late = {"outcome": "ok", "reason": "late", "answered_after_seconds": 2.0}
                    found.append(
                        Result(
                            v=1, probe=probe, boot=boot, seq=seq, at=iso(at), check=check, sbc=sbc, core=core,
                            address=address, account=account, **late,
                        )
                    )  # fmt: skip
    return sorted(((one, one.at_us) for one in found), key=lambda one: (one[1], one[0].probe, one[0].boot, one[0].seq))


@st.composite
def histories(draw):
    """One to three topologies, each from its time on."""
    found = [TopologyInForce(0, TOPOLOGY)]
    for other in draw(st.lists(st.sampled_from([SLOWER, FEWER, TOPOLOGY]), max_size=2)):
        found.append(TopologyInForce(max(found[-1].from_us, T0) + draw(st.integers(1, 200)) * S + 250_000, other))
    return found
