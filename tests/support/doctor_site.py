"""A small installation as it stands on a disk: its files, its secrets, its store; healthy until a test spoils it."""

from pathlib import Path

from sqlalchemy import delete

from sereno.clock import SECOND_US, FakeClock, iso
from sereno.desk import load_desk
from sereno.doctor import Asked, Patient, examine
from sereno.doctor.findings import QUESTIONS
from sereno.store import open_store
from sereno.store.collectors import Presence, say_presence
from sereno.store.partitions import DAY_US, ensure_days
from sereno.store.queries.probes import save_status
from sereno.store.tables import lease, outbox, quarantine, results, topologies
from sereno.topology import canonical_json, load_topology, topology_hash
from sereno.wire import Result, Status, encode

NOW_US = 1_795_300_000 * SECOND_US
TOPOLOGY = """\
service: acme-voice
timezone: America/Bogota
cores:
  core-a: {uri: "sip:127.0.2.1", identify: {header: Server, contains: core-a}}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a}
customers: {acme: {name: Acme, contract: callmyway}}
accounts: {monitor-1: {user: "9000", realm: acme, password: {file: monitor-1.secret}}}
checks:
  options: {every: 1s, timeout: 900ms}
  register: {every: 30s, accounts: [monitor-1]}
  call: {every: 60s, account: monitor-1, to: "sip:echo@{core}"}
probes: {bog-1: {network: isp-etb, canaries: ["tcp:192.0.2.7:443"]}}
"""
DESK = """\
contract: wekall
channels: {mail: {smtp: "smtp://127.0.0.1:%d", from: sereno@acme.example}}
people: {ana: {email: ana@acme.example, channels: [mail]}}
levels: [{name: L1, people: [ana]}]
heartbeat: {url: "https://watch.acme.example/x"}
"""


class Site:
    """Everything well: what was written, what runs, what was measured in the last minute."""

    def __init__(self, folder: Path, database: str | None = None, smtp_port: int = 25) -> None:
        self.folder, self.database = folder, database
        self.clock = FakeClock(NOW_US)
        self.patients = []
        self.seq = 0
        (folder / "monitor-1.secret").write_text("s3cret\n")
        (folder / "monitor-1.secret").chmod(0o600)
        self.topology, self.desk = folder / "topology.yaml", folder / "desk.yaml"
        self.topology.write_text(TOPOLOGY)
        self.desk.write_text(DESK % smtp_port)
        self.store = open_store(database if database is not None else folder)
        self.accept()
        self.lead()
        self.report()
        self.measured()
        with self.store.write() as connection:
            connection.execute(outbox.insert().values(**self.row("mail/1", state="sent", handed_us=NOW_US)))

    def accept(self):
        """The files are taken up, as the collector does."""
        found, told = load_topology(self.topology), load_desk(self.desk)
        with self.store.write() as connection:
            connection.execute(delete(topologies))
            connection.execute(
                topologies.insert().values(
                    from_us=NOW_US, hash=topology_hash(found), topology=canonical_json(found),
                    desk=told.model_dump_json(by_alias=True), beside=str(self.folder),
                )
            )  # fmt: skip
        self.hash = topology_hash(found)

    def lead(self, renewed_us=NOW_US, **fields):
        """A collector holds the lease."""
        said = {
            "name": "vm~x/1/1", "role": "leader", "epoch": 1, "started_us": NOW_US, "seen_us": NOW_US, "broker": True,
            "page": "http://127.0.0.1:8080/", "version": "1",
        } | fields  # fmt: skip
        with self.store.write() as connection:
            connection.execute(delete(lease))
            connection.execute(lease.insert().values(id=1, epoch=1, holder="vm~x/1/1", renewed_us=renewed_us))
            say_presence(connection, Presence(**said))

    def report(self, probe="bog-1", **fields):
        """A probe says how it does."""
        said = {
            "state": "online", "boot": "b", "topology_hash": self.hash, "clock_offset_seconds": 0.001,
            "clock_error_seconds": 0.001, "notes": [], "disk_free_ratio": 0.5,
        } | fields  # fmt: skip
        with self.store.write() as connection:
            save_status(connection, Status(v=1, probe=probe, at=iso(NOW_US), **said), NOW_US)

    def forget_results(self):
        with self.store.write() as connection:
            connection.execute(delete(results))

    def measured(self, **spoilt):
        """One result of each check, a second ago; `spoilt` are the fields that differ."""
        self.result("options", core="core-a", answered_by="core", code=200, **spoilt)
        self.result("register", core="core-a", account="monitor-1", code=200)
        self.result("call", core="core-a")

    def result(self, check, *, probe="bog-1", sbc="sbc-1", age_seconds=1, outcome="ok", **fields):
        self.seq += 1
        at_us = NOW_US - age_seconds * SECOND_US
        made = Result(v=1, probe=probe, boot="b", seq=self.seq, at=iso(at_us), check=check, outcome=outcome, sbc=sbc,
                      **fields)  # fmt: skip
        with self.store.write() as connection:
            if not self.store.is_sqlite:
                ensure_days(connection, {at_us // DAY_US})
            connection.execute(
                results.insert().values(
                    element=f"{sbc}/{made.core}" if made.core else sbc, probe=probe, at_us=at_us, boot="b",
                    seq=self.seq, check=check, outcome=outcome, reason=made.reason, arrived_us=at_us,
                    body=encode(made).decode(),
                )
            )  # fmt: skip

    def refuse(self, count=3):
        with self.store.write() as connection:
            for number in range(count):
                connection.execute(
                    quarantine.insert().values(probe="bog-1", arrived_us=NOW_US - number, why="from the future",
                                               payload="{}")
                )  # fmt: skip

    @staticmethod
    def row(key, **fields):
        return {
            "key": key, "channel": "mail", "recipient": "ana", "created_us": NOW_US, "due_us": NOW_US, "message": "{}",
            "state": "pending",
        } | fields  # fmt: skip

    # -- asking --------------------------------------------------------------------------------------------------------

    def patient(self, *, knock=None, **fields):
        asked = {"data": self.folder, "database": self.database, "topology": self.topology, "desk": self.desk} | fields
        made = Patient(Asked(**asked), self.clock, knock)
        self.patients.append(made)
        return made

    def close(self):
        for one in self.patients:
            one.close()
        self.store.dispose()

    def ask(self, name, **fields):
        """What the doctor says to one question: (state, words, where)."""
        return told(self.patient(**fields), name)


def told(patient, name):
    """The answers to one question, in English."""
    chosen = [one for one in QUESTIONS if one.name == name]
    assert chosen, f"no question named {name}"
    return [(one.state, one.told("en"), one.where) for one in examine(patient, chosen)]


def states(answers):
    return {state for state, _, _ in answers}


def broke(answers, words, state="broken"):
    """One of the answers is of that state and says so."""
    return any(each == state and words in said for each, said, _ in answers)
