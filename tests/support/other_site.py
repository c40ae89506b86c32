"""A topology with portals, databases, members and traffic, and a runtime to check it with."""

from probes.checks import REGISTRY, Runtime, targets
from sereno.clock import SystemClock
from sereno.topology import parse_topology

BASE = """
service: voice
cores: {core-a: {uri: "sip:127.82.9.1:5060"%s}}
sbcs: {sbc-1: {addresses: ["sip:127.82.9.2:5060"], primary: core-a}}
"""


def site(more="", members=""):
    return parse_topology("topology.yaml", (BASE % members + more).encode())


async def check(topology, kind, extras=None, sip=None):
    """The results of every target of one kind, by its name (or its SBC)."""
    runtime = Runtime(clock=SystemClock(), topology=topology, kept=extras if extras is not None else {}, sip=sip)
    return {t.name or t.sbc: await REGISTRY[kind](t, runtime) for t in targets(topology, "by-hand", (kind,))}
