"""`sereno contract compliance` over a store that a real desk wrote: what people did in a month, and what ran on."""

import json

from typer.testing import CliRunner

from alerting.desk import DeskMachine
from alerting.service import Desk
from collector.exposition.names import Names
from collector.store_metrics import StoreMetrics
from sereno.alarms import load_alarms
from sereno.cli.contract import app
from sereno.clock import SECOND_US, FakeClock, parse_instant
from sereno.contract import load_contract
from sereno.store.commands import submit
from sereno.store.tables import topologies
from sereno.topology import canonical_json, load_topology, topology_hash

TOPOLOGY = b"""
service: voz
domain: voz.example
timezone: America/Costa_Rica
cores: {core-a: {uri: "sip:127.0.2.1"}, core-b: {uri: "sip:127.0.2.2"}}
sbcs: {sbc-1: {addresses: ["sip:127.0.1.1:5060"], primary: core-a, backup: core-b}}
customers: {acme: {name: Acme, contract: mine}, beta: {name: Beta, contract: wekall}}
sites: {hq: {customer: acme, sbcs: [sbc-1]}, mall: {customer: acme, sbcs: [sbc-1]}, b: {customer: beta, sbcs: [sbc-1]}}
"""
MINE = """
contract: mine
versions:
- effective: 2023-07-01
  timezone: America/Costa_Rica
  availability: {target_ppm: 999900}
  maintenance: null
  calendars: {always: 24x7}
  severities: {Urgente: S1, Alta: S2, Normal: S3, Baja: S4}
  matrix: {alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}
  clocks:
    incident:
      attention: {calendar: always, Alta: 1h30m, Normal: 2h}
      solution: {calendar: always, Alta: 4h, Normal: 4h}
    request: {attention: {calendar: always, Baja: 2h}}
  closing: {confirmation: true}
  compliance:
    target_percent: 98
    credits: {currency: USD, shortfall: {amount: 10}, late: {amount: 25}, activities: {amount: 5}}
"""
TOLD = {"customer": "acme", "site": "hq", "title": "eco", "reporter": "eva", "description": "eco en las llamadas"}


def commands(store, tmp_path):
    """What people do, each at its instant; the desk applies it as in a collector."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "mine.yaml").write_text(MINE)
    (tmp_path / "topology.yaml").write_bytes(TOPOLOGY)
    topology = load_topology(tmp_path / "topology.yaml")
    with store.write() as connection:
        connection.execute(topologies.insert().values(
            from_us=parse_instant("2026-09-01T00:00Z"), hash=topology_hash(topology),
            topology=canonical_json(topology), beside=str(tmp_path),
        ))  # fmt: skip
    contracts = {"mine": load_contract("mine", tmp_path), "wekall": load_contract("wekall")}
    clock = FakeClock(parse_instant("2026-10-01T06:00Z"))
    desk = Desk(store, DeskMachine(topology, None, contracts, load_alarms()), clock)

    def do(when, verb, **arguments):
        clock.set(parse_instant(when))
        desk.round()
        if verb:
            submit(store, verb, arguments, "ana")
            _, done, _ = desk.round()
            assert [one.verb for one in done] == [verb], verb

    return do


def compliance(store_url, *options):
    done = CliRunner().invoke(app, ["compliance", "--database", store_url, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def october(store_url, *options):
    return json.loads(compliance(store_url, *options, "--month", "2026-10", "--json"))


def test_a_month_of_a_customer_and_of_his_sites(any_store, store_url, tmp_path):
    do = commands(any_store, tmp_path)
    do("2026-10-05T10:00-06:00", "incident.open", number=1, priority="Alta", **TOLD)
    do("2026-10-05T10:30-06:00", "incident.ack", number=1)
    do("2026-10-05T11:00-06:00", "incident.resolve", number=1, category="medios", cause="plataforma")
    do("2026-10-06T10:00-06:00", "incident.open", number=2, priority="Normal", **{**TOLD, "site": "mall"})
    do("2026-10-06T13:00-06:00", "incident.ack", number=2)  # an hour late
    do("2026-10-06T13:30-06:00", "incident.resolve", number=2, category="medios", cause="plataforma")
    do("2026-10-07T10:00-06:00", "incident.request", number=3, **TOLD)
    do("2026-10-07T11:00-06:00", "incident.ack", number=3)
    do("2026-10-31T23:00-06:00", "incident.open", number=4, priority="Alta", **TOLD)  # falls due in November
    do("2026-10-08T10:00-06:00", None)
    do("2026-10-08T10:00-06:00", "activity.add", customer="acme", what="informe", due="2026-10-20T00:00-06:00")
    do("2026-11-05T10:00-06:00", None)
    found = october(store_url, "--customer", "acme")
    assert (found["met"], found["missed"], found["percent"], found["verdict"]) == (4, 1, 80.0, "missed")
    assert [(one["incident"], one["clock"], one["outcome"]) for one in found["cases"]] == [
        (1, "attention", "met"), (1, "solution", "met"), (2, "attention", "missed"), (2, "solution", "met"),
        (3, "attention", "met"),
    ]  # fmt: skip
    assert [(one["penalty"], one["site"], one["units"], one["amount"]) for one in found["credits"]] == [
        ("shortfall", None, 18.0, 180.0), ("activities", None, 1.0, 5.0), ("late", "mall", 1.0, 25.0),
    ]  # fmt: skip
    assert (found["amount"], found["currency"], found["over"]) == (210.0, "USD", True)
    assert found["availability"]["scope"] == "customer:acme"
    assert [one["incident"] for one in october(store_url, "--site", "mall")["cases"]] == [2, 2]
    assert october(store_url, "--site", "mall")["availability"]["scope"] == "site:mall"
    text = compliance(store_url, "--customer", "acme", "--month", "2026-10")
    assert "incumplido: 2 atención Normal S3, vencía mar 6 oct 2026, 12:00:00 -06:00" in text
    assert "descuento: no atendidos a tiempo × 1, factura de mall: USD 25.00" in text
    empty = october(store_url, "--customer", "beta")
    assert (empty["percent"], empty["verdict"], empty["cases"]) == (None, "no_cases", [])
    assert "sin casos" in compliance(store_url, "--customer", "beta", "--month", "2026-10")


def test_the_metrics_tell_the_next_clock_that_runs(any_store, store_url, tmp_path):
    do = commands(any_store, tmp_path)

    def metrics():
        topology = load_topology(tmp_path / "topology.yaml")
        found = StoreMetrics(any_store, Names(topology), FakeClock(parse_instant("2026-10-05T18:00Z"))).read()
        return {key: count for key, count in found.incidents.items() if count}, found.next_due

    do("2026-10-05T10:00-06:00", "incident.open", number=1, priority="Alta", **TOLD)
    opened = parse_instant("2026-10-05T10:00-06:00") / SECOND_US
    due = {("Alta", "attention"): opened + 5_400, ("Alta", "solution"): opened + 14_400}
    assert metrics() == ({("Alta", "open"): 1}, due)
    do("2026-10-05T10:30-06:00", "incident.ack", number=1)
    del due["Alta", "attention"]
    assert metrics() == ({("Alta", "acknowledged"): 1}, due)
    do("2026-10-05T11:00-06:00", "incident.pause", number=1, note="¿desde qué equipo?")
    assert metrics()[1] == {}
    do("2026-10-05T12:00-06:00", "incident.resume", number=1)
    assert metrics()[1] == {("Alta", "solution"): opened + 18_000}
    do("2026-10-05T16:00-06:00", None)
    assert metrics()[1] == {}  # missed: no longer due


def test_what_cannot_be_asked(any_store, store_url, tmp_path):
    commands(any_store, tmp_path)
    for options, words in (
        (["--month", "2026-10"], "whose month?"),
        (["--customer", "acme", "--month", "octubre"], "is not a month"),
        (["--customer", "acm", "--month", "2026-10"], "they are acme, beta (did you mean acme?)"),
        (["--site", "nowhere", "--month", "2026-10"], "--site 'nowhere': is not in the topology"),
        (["--customer", "acme", "--month", "2190-01"], "has not begun"),
    ):
        done = CliRunner().invoke(app, ["compliance", "--database", store_url, *options])
        assert getattr(done.exception, "exit_code", None) == 2
        assert words in str(done.exception)
