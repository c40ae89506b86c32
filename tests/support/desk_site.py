"""A desk at work with two customers, people and levels, and the whole page before it; browsers of people who log in."""

import tempfile
from pathlib import Path

import people
from inbound_site import LINKS, InboundSite
from sqlalchemy import update
from web_server import Served

from dashboards.web.accounts import Access
from dashboards.web.app import create_app
from dashboards.web.inbound import Settings
from sereno.cli._answers import answers_of
from sereno.desk import load_desk
from sereno.store.tables import topologies
from sereno.topology import canonical_json, parse_topology, topology_hash

TOPOLOGY = """
service: acme-voice
domain: voice.example
timezone: America/Costa_Rica
cores:
  core-a: {uri: "sip:127.0.2.1", identify: {header: Server, contains: core-a}}
  core-b: {uri: "sip:127.0.2.2", identify: {header: Server, contains: core-b}}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a, backup: core-b, place: "Bogotá"}
  sbc-2: {addresses: ["sip:127.0.1.2"], primary: core-b, backup: core-a, place: "San José"}
customers:
  acme: {name: "Acme S.A.", contract: callmyway}
  beta: {name: "Beta Ltda.", contract: wekall}
sites:
  acme-bog: {customer: acme, sbcs: [sbc-1, sbc-2]}
  beta-sjo: {customer: beta, sbcs: [sbc-2]}
checks: {options: {every: 1s, timeout: 900ms}}
probes: {lab-1: {network: lab}}
""".encode()
DESK = """
contract: wekall
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people:
  ana: {email: ana@example.net, channels: [hook], locale: es_CO}
  luis: {email: luis@example.net, channels: [hook], locale: es_CR}
levels: [{name: L1, people: [ana], ack: 4m}, {name: L2, people: [luis], ack: 6m}]
"""


class DeskSite(InboundSite):
    """`browser(name)` is somebody who is logged in; accounts: ana, luis (operators), vera (viewer), mateo (of acme)."""

    ACCOUNTS = (
        ("ana", "operator", ()), ("luis", "operator", ()), ("vera", "viewer", ()), ("mateo", "manager", ("acme",)),
    )  # fmt: skip

    def __init__(self, store, *, accounts=True, answers=True):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "desk.yaml"
            file.write_text(DESK)
            desk = load_desk(file)
        super().__init__(store, desk=desk, settings=Settings(links=LINKS, loopback=True))
        topology = self.seed.topology = parse_topology("desk-site", TOPOLOGY)
        with store.write() as connection:
            connection.execute(
                update(topologies).values(
                    hash=topology_hash(topology), topology=canonical_json(topology),
                    desk=desk.model_dump_json(by_alias=True),
                )
            )  # fmt: skip
        for name, role, customers in self.ACCOUNTS if accounts else ():
            people.account(store, name, role, customers)
        asked = answers_of(store) if answers else None
        self.page = Served(
            lambda: create_app(store, self.clock, inbound=self.settings, answers=asked, access=Access(loopback=True))
        )

    def session(self, name):
        """The cookie of one who is logged in."""
        return people.cookie(self.store, name)

    def browser(self, name=None):
        """Somebody's browser; without a name a stranger's."""
        return people.Browser(self.page.url, self.session(name) if name else None)

    def post(self, browser, path, *, json=False, once="1", **fields):
        """A form sent as a person's browser does, or as the page's script."""
        data = {"csrf": browser.key, "once": once, **fields}
        headers = {"sec-fetch-site": "same-origin"} | ({"accept": "application/json"} if json else {})
        return browser.post(path, data=data, headers=headers)
