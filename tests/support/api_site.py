"""The whole application over a seeded store with a desk at work, accounts, and a token of each kind."""

from inbound_site import LINKS, InboundSite
from web_server import Served

from dashboards.web.accounts import Access
from dashboards.web.app import create_app
from dashboards.web.inbound import Settings
from sereno.accounts import SCOPES, Act, passwords, tokens, users
from sereno.cli._answers import answers_of
from sereno.clock import SECOND_US
from sereno.store.reports import Issue, issue
from sereno.store.tables import topologies
from sereno.topology import canonical_json, parse_topology, topology_hash

TWO_CUSTOMERS = b"""
service: acme-voice
domain: voice.example
timezone: America/Bogota
cores:
  core-a: {uri: "sip:127.0.2.1", identify: {header: Server, contains: core-a}}
  core-b: {uri: "sip:127.0.2.2", identify: {header: Server, contains: core-b}}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a, backup: core-b, place: "Bogot\xc3\xa1"}
  sbc-2: {addresses: ["sip:127.0.1.2"], primary: core-b, backup: core-a, place: "San Jos\xc3\xa9"}
customers: {acme: {name: Acme, contract: callmyway}, beta: {name: Beta, contract: callmyway}}
sites: {acme-bog: {customer: acme, sbcs: [sbc-1]}, beta-sjo: {customer: beta, sbcs: [sbc-2]}}
checks: {options: {every: 1s, timeout: 900ms}}
probes: {lab-1: {network: lab}}
"""


class ApiSite(InboundSite):
    """`tokens` by scope, `all`, and `acme` (everything, of one customer); an `open_house` has no accounts either."""

    ahead_us = 60 * SECOND_US

    def __init__(self, store, *, open_house=False, **more):
        super().__init__(store, settings=Settings(links=LINKS, loopback=True), **more)
        self.open_house = open_house
        self.tokens = {}
        self.seed.topology = topology = parse_topology("seed", TWO_CUSTOMERS)
        now_us = self.clock.now_us()
        with store.write() as connection:
            connection.execute(
                topologies.insert().values(
                    from_us=now_us - 3_600 * SECOND_US, hash=topology_hash(topology), topology=canonical_json(topology)
                )
            )
            made = Issue("acme", None, "2026-10", "full", "es", "0" * 64, now_us, "ana")
            issue(connection, made, b'{"customer":"acme"}')
            if not open_house:
                self._populate(connection, Act(who="test", how="cli", at_us=now_us))
        self.seed.all_up()
        self.seed.measured(now_us, 60)
        self.page = Served(
            lambda: create_app(
                store, self.clock, inbound=self.settings, answers=answers_of(store), access=Access(loopback=True)
            )
        )

    def _populate(self, connection, act):
        users.add_user(connection, act, "admin", "admin", password=passwords.hashed("tres palabras largas"))
        for name in SCOPES:
            self.tokens[name] = tokens.make_token(connection, act, name, [name])[1]
        self.tokens["all"] = tokens.make_token(connection, act, "everything", SCOPES)[1]
        self.tokens["acme"] = tokens.make_token(connection, act, "of acme", SCOPES, customers=["acme"])[1]

    def headers(self, name="all"):
        return {"Authorization": f"Bearer {self.tokens[name]}"} if self.tokens else {}
