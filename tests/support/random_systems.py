"""Random small systems and everything that their probes send for a while, with outages, silences and late answers."""

from sereno.clock import iso
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
TIMEOUT = {"outcome": "failed", "reason": "timeout", "answered_by": "none"}


def system(rng):
    """A topology of one to three SBCs, one or two cores, none to four probes on up to three networks."""
    cores = ["a", "b"][: rng.choice([1, 2, 2, 2])]
    sbcs = {}
    for number in range(rng.choice([1, 2, 2, 3])):
        primary = rng.choice(cores)
        backup = rng.choice([None, *cores])
        settings_ = {"addresses": [f"sip:192.0.2.{number + 1}"], "primary": primary}
        if rng.random() < 0.25:
            settings_["addresses"].append(f"sip:192.0.2.{number + 101}")
        if backup is not None:
            settings_ |= {"backup": backup, "backup_test": rng.choice(["forced", "forced", "forced", "passive"])}
        sbcs[f"s{number + 1}"] = settings_
    networks = ["n1", "n2", "n3"][: rng.choice([1, 2, 3])]
    probes = {}
    for number in range(rng.choice([0, 1, 1, 2, 3, 4])):
        probe = {"network": rng.choice(networks)}
        if number and rng.random() < 0.15:
            probe["vantage"] = "inside"
        if rng.random() < 0.15:
            probe["checks"] = rng.choice([["edge", "options"], ["natural"], ["options", "register", "call"]])
        probes[f"p{number + 1}"] = probe
    sites = {}
    for number in range(rng.choice([0, 1, 2, 3])):
        picked = rng.sample(sorted(sbcs), rng.randint(1, len(sbcs)))
        site = {"customer": rng.choice(["x", "y"]), "sbcs": picked, "failover": rng.choice(["auto", "manual", "none"])}
        if rng.random() < 0.3 and probes:
            site["networks"] = rng.sample(networks, rng.randint(1, len(networks)))
        sites[f"site{number + 1}"] = site
    customers = {name: {"name": name, "contract": "callmyway"} for name in ("x", "y")}
    every = rng.choice([1, 1, 1, 5, 10])
    signalling = {"every": f"{every}s", "timeout": "900ms"}
    return {
        "service": "voz",
        "cores": {name: {"uri": f"sip:10.0.0.{index + 1}"} for index, name in enumerate(cores)},
        "sbcs": sbcs,
        "probes": probes,
        "sites": sites,
        "customers": customers if sites else {},
        "accounts": {"m": {"user": "m", "realm": "r", "password": {"env": "X"}}},
        "checks": {
            "edge": signalling,
            "options": signalling,
            "natural": signalling,
            "register": {"every": f"{4 * every}s", "accounts": ["m"], "timeout": "2s"},
            "call": {"every": f"{6 * every}s", "account": "m", "to": "sip:e@{core}", "timeout": "3s"},
        },
    }, every


def stream(rng, topology, every):
    """Everything its probes send for a while: outages, silences, single losses, late replies, invalids."""
    rounds = rng.randint(3, 16)
    span = rounds * every
    things = [*topology.cores, *topology.sbcs, *topology.probes, "natural", "register", "call", "all"]
    things += [f"{p}>{s}" for p in topology.probes for s in topology.sbcs]
    things += [path.name for path in topology.paths()]
    faults = [
        (
            rng.choice(things),
            rng.uniform(0, span),
            rng.uniform(0, span / 2),
            rng.choice(["down", "down", "down", "mute", "void", "late"]),
        )
        for _ in range(rng.randint(0, 5))
    ]
    noise = rng.choice([0, 0, 0.05, 0.3])
    naturals = {name for name in topology.sbcs if rng.random() < 0.6}
    edges = {name for name in topology.sbcs if rng.random() < 0.9}
    slow = rng.random() < 0.4
    found = []
    for probe, settings_ in (topology.probes or {"q": None}).items():
        phase, jitter, seq = rng.randrange(every * S), rng.choice([0, 40_000, every * S // 3]), 0
        for check, sbc, core, address, step in plan(topology, naturals, edges, slow):
            if settings_ is not None and settings_.checks is not None and check not in settings_.checks:
                continue
            offset = rng.randrange(step * every * S) if step > 1 else rng.randrange(every * S)
            for turn in range(0, rounds, step):
                at = T0 + turn * every * S + phase + offset + (rng.randrange(jitter) if jitter else 0)
                second = (at - T0) / S
                what = {probe, sbc, core, check, f"{probe}>{sbc}", f"{sbc}/{core}", "all"}
                if check != "natural":
                    what.discard("natural")
                kinds = [
                    kind for thing, begin, length, kind in faults if thing in what and begin <= second < begin + length
                ]
                if rng.random() < noise:
                    kinds.append(rng.choice(["down", "down", "mute", "void", "late"]))
                said = result_of(rng, kinds, check)
                if said is None:
                    continue
                seq += 1
                found.append(
                    Result(v=1, probe=probe, boot="b", seq=seq, at=iso(at), check=check, sbc=sbc, core=core,
                           address=address, **said)
                )  # fmt: skip
    return found, T0 + (span + 20 * every) * S


def plan(topology, naturals, edges, slow):
    for name, sbc in topology.sbcs.items():
        for address in sbc.addresses:
            if name in edges:
                yield "edge", name, None, address, 1
            if name in naturals:
                yield "natural", name, None, address, 1
            for path in topology.paths():
                if path.sbc == name and not path.passive:
                    yield "options", name, path.core, address, 1
        for path in topology.paths() if slow else ():
            if path.sbc == name and not path.passive:
                yield "register", name, path.core, sbc.addresses[0], 4
                yield "call", name, path.core, sbc.addresses[0], 6


def result_of(rng, kinds, check):
    if "mute" in kinds:
        return None
    if "void" in kinds:
        return {"outcome": "invalid", "reason": "probe_fault"}
    if "down" in kinds:
        return TIMEOUT | ({} if rng.random() < 0.5 else {"duration_seconds": 0.9})
    if "late" in kinds and check in {"edge", "natural", "options"}:
        return {"outcome": "ok", "reason": "late", "answered_after_seconds": rng.choice([1.0, 1.5, 2.5, 4.0])}
    return {"outcome": "ok"}


def calm(rng, topology, every, results):
    """Results in which nothing changes any more: every series that was measured goes on, well or not."""
    things = [*topology.cores, *topology.sbcs, *topology.probes, "natural", "register"]
    broken = set(rng.sample(things, min(len(things), rng.choice([0, 1, 2, 2]))))
    start = max(one.at_us for one in results) + S
    seqs, series = {}, {}
    for one in results:
        series[one.probe, one.check, one.sbc, one.core, one.address] = rng.randrange(every * S)
        seqs[one.probe] = max(seqs.get(one.probe, 0), one.seq)
    sent = []
    for key, phase in series.items():
        step = {"register": 4, "call": 6}.get(key[1], 1)
        sent += [(start + turn * every * S + phase, key) for turn in range(0, 18, step)]
    found = []
    for at, (probe, check, sbc, core, address) in sorted(sent, key=str):
        seqs[probe] += 1
        said = TIMEOUT if broken & {probe, check, sbc, core} else {"outcome": "ok"}
        found.append(
            Result(v=1, probe=probe, boot="b", seq=seqs[probe], at=iso(at), check=check, sbc=sbc, core=core,
                   address=address, **said)
        )  # fmt: skip
    return found
