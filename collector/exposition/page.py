"""The tables of docs/metrics.md, made from the catalogue; a test holds the page against them."""

from collector.exposition.catalogue import GROUPS, Declared
from collector.exposition.sizes import at_most, expected
from sereno.topology import Topology, parse_topology

BEGIN, END = "<!-- generated: sereno metrics --markdown -->", "<!-- end -->"
SBCS, CORES, PROBES = 1_000, 2, 20


def tables() -> str:
    """Every metric by group, and how many series it has in a large system."""
    topology = large()
    usual, most = expected(topology), at_most(topology)
    lines = []
    for title, group in GROUPS.items():
        lines += [f"### {title}", "", "| metric | type | meaning | absent |", "|---|---|---|---|"]
        lines += [_row(one) for one in group] + [""]
    lines += ["### Series in a large system", "", "| metric | all well | at most |", "|---|---:|---:|"]
    for group in GROUPS.values():
        lines += [f"| `{one.name}` | {usual[one.name]:,} | {most[one.name]:,} |" for one in group]
    lines += [f"| all | {sum(usual.values()):,} | {sum(most.values()):,} |", ""]
    return "\n".join(lines)


def _row(one: Declared) -> str:
    labels = f"{{{','.join(one.labels)}}}" if one.labels else ""
    kind = f"{one.kind}, {one.unit}" if one.unit else one.kind
    return f"| `{one.name}{labels}` | {kind} | {one.meaning} | {one.absent} |"


def large(sbcs: int = SBCS) -> Topology:
    """1,000 SBCs at two cores, 20 probes that check everything, a site for five of them."""
    lines = ["service: large", "domain: voice.example", "accounts: {m: {user: '9', realm: r, password: {env: M}}}"]
    lines += ["cores:", *(f"  core-{n}: {{uri: 'sip:10.0.0.{n}'}}" for n in range(1, CORES + 1)), "sbcs:"]
    for n in range(sbcs):
        address = f"sip:10.{1 + n // 250}.0.{1 + n % 250}"
        lines.append(f"  sbc-{n}: {{addresses: ['{address}'], primary: core-{1 + n % 2}, backup: core-{2 - n % 2}}}")
    lines += ["customers: {c: {name: C, contract: callmyway}}", "sites:"]
    lines += [f"  site-{n}: {{customer: c, sbcs: [sbc-{n}, sbc-{n + 1}]}}" for n in range(sbcs // 5)]
    lines += ["checks:", *(f"  {name}: {{every: 1s, timeout: 900ms}}" for name in ("edge", "options", "natural"))]
    lines += ["  register: {every: 60s, accounts: [m]}", "  call: {every: 60s, account: m, to: 'sip:echo@{core}'}"]
    lines += ["probes:", *(f"  probe-{n}: {{network: isp-{n % 4}}}" for n in range(PROBES))]
    return parse_topology("large", "\n".join(lines).encode())
