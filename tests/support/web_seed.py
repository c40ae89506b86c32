"""A store as a collector would leave it, for looking at pages; the instants are given, the rows are real."""

from sereno.clock import SECOND_US, iso
from sereno.incident import Clock, Element, IncidentRecord, encode_record
from sereno.store.partitions import DAY_US, ensure_days
from sereno.store.tables import (
    incident_timeline,
    incidents,
    lease,
    ledger,
    results,
    topologies,
    verdict_changes,
)
from sereno.topology import canonical_json, parse_topology, topology_hash
from sereno.wire import Result, encode

TOPOLOGY = b"""
service: acme-voice
domain: voice.example
timezone: America/Bogota
cores:
  core-a: {uri: "sip:127.0.2.1", identify: {header: Server, contains: core-a}}
  core-b: {uri: "sip:127.0.2.2", identify: {header: Server, contains: core-b}}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a, backup: core-b, place: "Bogot\xc3\xa1"}
  sbc-2: {addresses: ["sip:127.0.1.2"], primary: core-b, backup: core-a, place: "San Jos\xc3\xa9"}
customers: {acme: {name: Acme, contract: callmyway}}
sites: {acme-bog: {customer: acme, sbcs: [sbc-1, sbc-2]}}
checks: {options: {every: 1s, timeout: 900ms}}
probes: {lab-1: {network: lab}}
"""
SBCS, CORES = ("sbc-1", "sbc-2"), ("core-a", "core-b")


PLACES = ("Bogotá", "Medellín", "Cali", "San José", "Heredia", "México", "Monterrey", "Quito", "Lima", "Panamá")


def large(sbcs, cores=2, sites=4):
    """A system of so many SBCs in ten places, as YAML."""
    lines = ["service: acme-voice", "domain: voice.example", "timezone: America/Bogota", "cores:"]
    names = [f"core-{chr(97 + index)}" for index in range(cores)]
    lines += [
        f'  {name}: {{uri: "sip:127.0.2.{index + 1}", identify: {{header: Server, contains: {name}}}}}'
        for index, name in enumerate(names)
    ]
    lines.append("sbcs:")
    for index in range(sbcs):
        primary, backup = names[index % cores], names[(index + 1) % cores]
        place = PLACES[index * len(PLACES) // sbcs]
        lines.append(
            f'  sbc-{index + 1}: {{addresses: ["sip:127.1.{index // 250}.{index % 250 + 1}"], primary: {primary}, '
            f'backup: {backup}, place: "{place}"}}'
        )
    lines += ["customers: {acme: {name: Acme, contract: callmyway}}", "sites:"]
    sites = min(sites, sbcs)
    for index in range(sites):
        used = ", ".join(f"sbc-{number + 1}" for number in range(index, sbcs, sites))
        lines.append(f"  site-{index + 1}: {{customer: acme, sbcs: [{used}]}}")
    lines += ["checks: {options: {every: 1s, timeout: 900ms}}", "probes: {lab-1: {network: lab}}"]
    return "\n".join(lines).encode()


class Seed:
    """Writes rows the way the collector does."""

    def __init__(self, store, now_us, topology=TOPOLOGY):
        self.store, self.now_us, self.seq = store, now_us, 0
        self.topology = topology = parse_topology("seed", topology)
        with store.write() as connection:
            connection.execute(
                topologies.insert().values(
                    from_us=now_us - 3_600 * SECOND_US, hash=topology_hash(topology), topology=canonical_json(topology)
                )
            )

    def alive(self, now_us):
        with self.store.write() as connection:
            connection.execute(lease.delete())
            connection.execute(lease.insert().values(id=1, epoch=1, holder="seed", renewed_us=now_us))

    def say(self, kind, name, state, *, what="verdict", reason=None, since_us=None):
        since = self.now_us - 600 * SECOND_US if since_us is None else since_us
        with self.store.write() as connection:
            connection.execute(
                verdict_changes.insert().values(
                    kind=kind, name=name, what=what, state=state, since_us=since, at_us=since, reason=reason, facts="{}"
                )
            )

    def all_up(self):
        self.say("service", "acme-voice", "up")
        self.say("site", "acme-bog", "up")
        self.say("probe", "lab-1", "up")
        for name in CORES:
            self.say("core", name, "up")
        for sbc in SBCS:
            self.say("sbc", sbc, "up")
            for core in CORES:
                self.say("path", f"{sbc}/{core}", "up")

    def everything_up(self):
        """All that the topology has, in one transaction."""
        known = self.topology
        names = [("service", known.service), *(("site", name) for name in known.sites)]
        names += [("core", name) for name in known.cores] + [("probe", name) for name in known.probes]
        names += [("sbc", name) for name in known.sbcs] + [("path", path.name) for path in known.paths()]
        since = self.now_us - 600 * SECOND_US
        with self.store.write() as connection:
            connection.execute(
                verdict_changes.insert(),
                [
                    {
                        "kind": kind, "name": name, "what": "verdict", "state": "up", "since_us": since,
                        "at_us": since, "reason": None, "facts": "{}",
                    }
                    for kind, name in names
                ],
            )  # fmt: skip

    def second(self, at_us, *, calls=False):
        """One round of every check in one transaction; with `calls` registrations and calls too."""
        rows = []

        def add(check, sbc, core=None, **fields):
            self.seq += 1
            made = Result(
                v=1, probe="lab-1", boot="b", seq=self.seq, at=iso(at_us), check=check, outcome="ok", sbc=sbc,
                core=core, **fields,
            )  # fmt: skip
            rows.append(
                {
                    "element": f"{sbc}/{core}" if core else sbc, "probe": "lab-1", "at_us": at_us, "boot": "b",
                    "seq": self.seq, "check": check, "outcome": "ok", "reason": None, "arrived_us": at_us,
                    "body": encode(made).decode(),
                }
            )  # fmt: skip

        for number, sbc in enumerate(self.topology.sbcs):
            wave = (self.seq + number * 7) % 11 * 0.00004
            add("edge", sbc, rtt_seconds=0.0003 + wave, code=200)
            add("natural", sbc, rtt_seconds=0.0006 + wave, code=200)
        for number, path in enumerate(self.topology.paths()):
            wave = (self.seq + number * 5) % 13 * 0.00005
            add("options", path.sbc, path.core, rtt_seconds=0.0005 + wave, code=200)
            if calls:
                media = {"rx": {"mos_lq": 4.41, "packets": 250}, "tx": {"mos_lq": 4.4, "packets": 250}}
                add("call", path.sbc, path.core, codec="PCMA", media=media, setup_seconds=0.05)
                add("register", path.sbc, path.core, code=200, expires_seconds=60.0)
        with self.store.write() as connection:
            ensure_days(connection, {at_us // DAY_US})
            connection.execute(results.insert(), rows)

    def ledger_days(self, days, *, down=(), missing=(), until_us=None):
        """A row an hour of the sites and the service; `down` and `missing` are days back from today."""
        hour = 3_600 * SECOND_US
        end = (until_us or self.now_us) // hour * hour
        names = [("service", self.topology.service), *(("site", name) for name in self.topology.sites)]
        rows = []
        for begin in range(end - days * 24 * hour, end, hour):
            back = (end - begin) // (24 * hour)
            if back in missing:
                continue
            for kind, name in names:
                pieces = [("up", begin, begin + hour)]
                if back in down and begin // hour % 24 == 15:
                    cut = begin + 300 * SECOND_US
                    pieces = [("down", begin, cut), ("up", cut, begin + hour)]
                rows += [
                    {
                        "kind": kind, "name": name, "state": state, "from_us": start, "to_us": to, "reason": None,
                        "interval_us": SECOND_US, "written_us": to,
                    }
                    for state, start, to in pieces
                ]  # fmt: skip
        with self.store.write() as connection:
            connection.execute(ledger.insert(), rows)

    def result(self, check, at_us, *, sbc, core=None, outcome="ok", arrived_us=None, **fields):
        self.seq += 1
        made = Result(
            v=1, probe="lab-1", boot="b", seq=self.seq, at=iso(at_us), check=check, outcome=outcome, sbc=sbc, core=core,
            **fields,
        )  # fmt: skip
        with self.store.write() as connection:
            ensure_days(connection, {at_us // DAY_US})
            connection.execute(
                results.insert().values(
                    element=f"{sbc}/{core}" if core else sbc, probe="lab-1", at_us=at_us, boot="b", seq=self.seq,
                    check=check, outcome=outcome, reason=fields.get("reason"),
                    arrived_us=at_us if arrived_us is None else arrived_us,
                    body=encode(made).decode(),
                )
            )  # fmt: skip

    def measured(self, until_us, seconds=120):
        for step in range(seconds, 0, -4):
            at_us = until_us - step * SECOND_US
            for sbc in SBCS:
                self.result("edge", at_us, sbc=sbc, rtt_seconds=0.0003, code=200)
                self.result("natural", at_us, sbc=sbc, rtt_seconds=0.0006, code=200)
                for index, core in enumerate(CORES):
                    rtt = 0.0005 + 0.0002 * index + (step % 7) * 0.00003
                    self.result("options", at_us, sbc=sbc, core=core, rtt_seconds=rtt, code=200)
        for step in (100, 80, 60, 40, 20):
            for sbc in SBCS:
                for core in CORES:
                    at_us = until_us - step * SECOND_US
                    media = {"rx": {"mos_lq": 4.41, "packets": 250}, "tx": {"mos_lq": 4.4, "packets": 250}}
                    self.result("call", at_us, sbc=sbc, core=core, codec="PCMA", media=media, setup_seconds=0.05)
                    self.result("register", at_us, sbc=sbc, core=core, code=200, expires_seconds=60.0)

    def incident(self, *, state="open", priority="Alta", title="Núcleo core-a caído", cause=("core", "core-a")):
        opened = self.now_us - 90 * SECOND_US
        record = IncidentRecord(
            number=1, state=state, class_="service", priority=priority, priority_peak=priority, severity="S2",
            cause=Element(*cause), title=title, since_us=opened, opened_us=opened, customers={"acme": priority},
            clocks=tuple(
                Clock(
                    contract="callmyway", customer="acme", clock=name, priority=priority, state="running",
                    due_us=opened + seconds * SECOND_US,
                )
                for name, seconds in (("attention", 5_400), ("solution", 14_400))
            ),
        )  # fmt: skip
        with self.store.write() as connection:
            number = connection.execute(
                incidents.insert().values(
                    state=state, priority=priority, cause_kind=cause[0], cause_name=cause[1], since_us=opened,
                    opened_us=opened, version=1, body=encode_record(record), **{"class": "service"},
                )
            ).inserted_primary_key[0]  # fmt: skip
            connection.execute(
                incident_timeline.insert().values(number=number, at_us=opened, what="Abierto", who="sereno")
            )
        return number
