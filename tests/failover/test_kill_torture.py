"""kill −9 at random instants of the writer, the standby, both, the broker and the probe: the store is what was sent.

A dozen deaths by default, half of them on each database; SERENO_KILLS=300 for the long run, SERENO_SEED for another.
"""

import itertools
import os
import random
import time

import pytest
from live_sereno import Hook
from pair import Site
from sqlalchemy import select

from collector.engine import Engine
from sereno.clock import SECOND_US
from sereno.store.changes import last_said
from sereno.store.results import since
from sereno.store.tables import incident_timeline, incidents, leaderships, outbox, verdict_changes
from sereno.topology import load_topology
from sereno.verdict import VERDICT

KILLS = int(os.environ.get("SERENO_KILLS", "6"))  # on each database
SEED = int(os.environ.get("SERENO_SEED", "20261121"))
VICTIMS = {"writer": 6, "standby": 1, "both": 2, "broker": 2, "probe": 1}
AT_WORK = 0.75  # the share of deaths that come when somebody writes; the others hit whoever is just starting as well
EVERY = 12  # deaths between a change of the service and the next
ALARMS = """
alarms:
  service_down:
    {kind: service, what: verdict, states: [down], clear: 1s, urgency: alto, impact: organizacion, page: true,
     first_step: "-"}
"""

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240 + 15 * KILLS)]


class Torture:
    """Kills and starts again; counts."""

    def __init__(self, site, numbers):
        self.site, self.numbers = site, numbers
        self.dead = dict.fromkeys(VICTIMS, 0)

    def run(self, kills):
        broken = False
        deck = list(itertools.chain.from_iterable([name] * share for name, share in VICTIMS.items()))
        for number in range(kills):
            if number % len(deck) == 0:
                self.numbers.shuffle(deck)
            if self.numbers.random() < AT_WORK:
                self.site.wait_for(lambda: self.site.leader() is not None, "a writer")
            time.sleep(self.numbers.uniform(0.0, 1.0))  # the random instant
            self.one_death(deck[number % len(deck)])
            if number % EVERY == 1:
                broken = not broken
                (self.site.break_service if broken else self.site.heal_service)()
        if broken:
            self.site.heal_service()

    def one_death(self, what):
        self.dead[what] += 1
        writer = self.site.leader() or "one"
        names = {"writer": [writer], "standby": [OTHER[writer]], "both": list(OTHER)}.get(what, [what])
        self.site.kill(*names)
        for name in names:
            if name == "broker":
                self.site.start_broker()
            elif name == "probe":
                self.site.start_probe()
            else:
                self.site.start_collector(name)


OTHER = {"one": "two", "two": "one"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_store_is_what_was_sent(tmp_path, request, kind, tell):
    hook = Hook()
    request.addfinalizer(hook.close)
    site = Site(tmp_path, request.getfixturevalue("pg_url") if kind == "postgresql" else None, desk=hook.desk())
    request.addfinalizer(site.close)
    (site.folder / "alarms.yaml").write_text(ALARMS)
    site.start_broker()
    for name in OTHER:
        site.start_collector(name)
    site.start_probe()
    site.wait_for(lambda: site.count() > 30, "results")
    torture = Torture(site, random.Random(SEED))
    began = time.monotonic()
    torture.run(KILLS)
    took = time.monotonic() - began
    site.wait_for(lambda: site.leader() is not None, "a writer")
    site.wait_for(lambda: _service(site) == "up", "the service up")
    site.wait_for(lambda: all(row.state == "resolved" for row in rows(site, select(incidents.c.state))), "the end")
    site.wait_for(lambda: not rows(site, select(outbox).where(outbox.c.state == "pending")), "every message")
    _check_verdicts(site)
    site.drain()
    count = site.check_exactly_once()
    assert count == len(site.measured())
    doubled = _check_desk(site, hook)
    epochs = [row.epoch for row in rows(site, select(leaderships.c.epoch).order_by(leaderships.c.epoch))]
    assert epochs == list(range(1, len(epochs) + 1))
    for name in OTHER:
        assert "Traceback" not in site.log(name)
    deaths = ", ".join(f"{what} {number}" for what, number in torture.dead.items() if number)
    told = f"{len(rows(site, select(incidents)))} incidents, {len(hook.posted)} messages, {doubled} of them sent again"
    tell(f"{kind}: {KILLS} deaths in {took:.0f} s ({deaths}), {len(epochs)} epochs: {count} results, each once; {told}")


def rows(site, query):
    with site.store.read() as connection:
        return connection.execute(query).all()


def _service(site):
    with site.store.read() as connection:
        said = last_said(connection)
    change = said.get(("service", "trial", VERDICT))
    return change.state if change is not None else None


def _check_verdicts(site):
    """No state is said twice in a row, and the last is what one undisturbed engine says of the same results."""
    verdicts = {}
    for row in rows(site, select(verdict_changes).order_by(verdict_changes.c.id)):
        verdicts.setdefault((row.kind, row.name, row.what), []).append(row.state)
    for key, states in verdicts.items():
        assert all(before != after for before, after in itertools.pairwise(states)), (key, states)
    with site.store.read() as connection:
        found = list(since(connection, 0))
        last = {key[:2]: change.state for key, change in last_said(connection).items() if key[2] == VERDICT}
    engine = Engine(load_topology(site.topology), {}, found[0][1])
    for arrived_us, group in itertools.groupby(found, key=lambda pair: pair[1]):
        engine.tick(arrived_us)
        engine.feed_all([(result, result.at_us) for result, _ in group], arrived_us)
    clean = {(each.kind, each.name): each.state for each in engine.verdicts(found[-1][1] + SECOND_US // 10)}
    assert {key: state for key, state in last.items() if key[0] != "probe"} == {
        key: state for key, state in clean.items() if key[0] != "probe"
    }


def _check_desk(site, hook):
    """Incidents one after another, each with its own timeline and messages; how many messages went out again.

    A process that dies between handing a message over and writing the receipt leaves it to be handed over again, with
    the same key, by which the far end knows it.
    """
    spans = sorted((row.opened_us, row.resolved_us) for row in rows(site, select(incidents)))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), spans
    lines = [tuple(row)[1:] for row in rows(site, select(incident_timeline))]
    assert len(lines) == len(set(lines))
    sent = [row.key for row in rows(site, select(outbox.c.key).where(outbox.c.state == "sent"))]
    assert len(sent) == len(rows(site, select(outbox))) == len(set(sent))
    posted = [body["key"] for _, body in hook.posted]
    assert set(posted) == set(sent)
    assert len(posted) - len(sent) <= KILLS // 3
    return len(posted) - len(sent)
