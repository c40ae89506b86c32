"""Two collectors on one store: the other takes over, whatever happens to the first, and nothing is lost or doubled."""

import itertools
import re
import signal
import sqlite3
import time
import urllib.request

import pytest
from live_sereno import Hook
from pair import Site
from postgres import cluster
from sqlalchemy import func, select
from tcp_relay import Relay

from sereno.clock import SECOND_US
from sereno.store.commands import submit, wait
from sereno.store.tables import commands, incident_timeline, incidents, leaderships, outbox, results, verdict_changes

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

ALARMS = """
alarms:
  service_down:
    {kind: service, what: verdict, states: [down], clear: 1s, urgency: alto, impact: organizacion, page: true,
     first_step: "-"}
"""
OTHER = {"one": "two", "two": "one"}


# An administrator, or a fail-over, ends every session of the writer.
END_WRITER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN (
  SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory')
"""


def now_us():
    return time.time_ns() // 1_000


@pytest.fixture(scope="module")
def server():
    with cluster() as found:
        yield found


@pytest.fixture
def own_server():
    with cluster() as found:
        yield found


@pytest.fixture
def make(tmp_path, relay):
    assert relay is not None  # so that relays end after the processes that use them
    made = []

    def new(database=None, **settings):
        made.append(Site(tmp_path, database, **settings))
        return made[-1]

    yield new
    for site in made:
        site.close()


@pytest.fixture
def relay():
    made = []

    def new(target):
        made.append(Relay(target))
        return made[-1]

    yield new
    for each in made:
        each.close()


def pair(site, **second):
    """Broker, leader, probe, standby; returns when the standby is there and results come in."""
    site.start_broker()
    site.start_collector("one")
    site.wait_for_leader("one")
    site.start_probe()
    site.start_collector("two", **second)
    site.wait_for(lambda: standing_by(site, "two"), "the standby")
    site.wait_for(lambda: site.count() > 50, "results")
    return site


def standing_by(site, name):
    said = site.health(name)
    return said is not None and said.get("role") == "standby" and len(said["collectors"]) == 2


def follows(site, former, since_us, within):
    """The other leads; the time from `since_us` to its lease and to its first result, in seconds."""
    site.wait_for_leader(OTHER[former])
    (taken_us,) = rows(site, select(leaderships.c.from_us).order_by(leaderships.c.epoch.desc()).limit(1))[0]
    site.wait_for(lambda: site.last_arrival_us() >= taken_us, "results by the new writer")
    (first_us,) = rows(site, select(func.min(results.c.arrived_us)).where(results.c.arrived_us >= taken_us))[0]
    took = (taken_us - since_us) / SECOND_US, (first_us - since_us) / SECOND_US
    assert took[1] <= within, took
    return took


def rows(site, query):
    with site.store.read() as connection:
        return connection.execute(query).all()


def check_desk(site, hook):
    """One incident for the one outage, its timeline and messages once, each handed over once, verdicts in turn."""
    (incident,) = rows(site, select(incidents.c.number, incidents.c.cause_kind))
    assert incident.cause_kind == "service"
    lines = [tuple(row) for row in rows(site, select(incident_timeline.c.what, incident_timeline.c.at_us))]
    assert len(lines) == len(set(lines))
    opened = [what for what, _ in lines if "abiert" in what.lower()]
    assert len(opened) <= 1, lines
    keys = [row.key for row in rows(site, select(outbox.c.key).where(outbox.c.state == "sent"))]
    posted = [body["key"] for _, body in hook.posted]
    assert sorted(posted) == sorted(keys)
    assert len(posted) == len(set(posted)) >= 1
    said = select(verdict_changes.c.kind, verdict_changes.c.name, verdict_changes.c.state)
    verdicts = {}
    for row in rows(site, said.where(verdict_changes.c.what == "verdict").order_by(verdict_changes.c.id)):
        verdicts.setdefault((row.kind, row.name), []).append(row.state)
    for element, states in verdicts.items():
        assert all(before != after for before, after in itertools.pairwise(states)), (element, states)


def check_pages_and_orders(site):
    """Both show the page; orders go to the writer, who applies them in a quarter of a second."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{site.pages['two']}/", timeout=5).read().decode()
    assert "en espera" in page
    told = {name: urllib.request.urlopen(f"http://127.0.0.1:{site.pages[name]}/metrics", timeout=5).read().decode()
            for name in OTHER}  # fmt: skip
    assert re.search(r"^sereno_collector_leader 1(\.0)?$", told["one"], re.MULTILINE)
    assert re.search(r"^sereno_collector_leader 0(\.0)?$", told["two"], re.MULTILINE)
    assert "sereno_verdict_state" not in told["two"]
    taken = []
    for number in range(5):
        asked = {"kind": "core", "name": "core-a", "from_us": now_us(), "to_us": now_us() + (number + 1) * SECOND_US}
        order = submit(site.store, "maintenance.add", asked, "ana")
        assert wait(site.store, order, 5.0).state == "done"
        taken += rows(site, select(commands.c.at_us, commands.c.done_us).where(commands.c.id == order))
    assert sorted(row.done_us - row.at_us for row in taken)[len(taken) // 2] <= 250_000


def check_frozen_inside_a_transaction(site, writer):
    """Nobody can take the file's lock from a stopped process; the standby says so, and takes over when it can."""
    held = sqlite3.connect(site.folder / "data" / "sereno.db", isolation_level=None, timeout=10)
    held.execute("BEGIN IMMEDIATE")  # as a writer that is stopped between this and its commit
    epoch = site.lease().epoch
    site.signal(writer, signal.SIGSTOP)
    site.wait_for(lambda: "database is locked" in site.log(OTHER[writer]), "the standby's word")
    assert site.lease().epoch == epoch
    held.execute("ROLLBACK")
    held.close()
    site.wait_for_leader(OTHER[writer])
    site.signal(writer, signal.SIGCONT)
    site.wait_for(lambda: standing_by(site, writer), "the woken one to stand by")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_stopped_killed_and_frozen(make, request, kind, tell):
    hook = Hook()
    request.addfinalizer(hook.close)
    database = request.getfixturevalue("server").database() if kind == "postgresql" else None
    site = make(database, desk=hook.desk())
    (site.folder / "alarms.yaml").write_text(ALARMS)
    pair(site)
    check_pages_and_orders(site)

    since = now_us()
    assert site.stop("one") == 0
    stopped = follows(site, "one", since, 2.0)
    site.start_collector("one")
    site.wait_for(lambda: standing_by(site, "one"), "the standby")

    since = now_us()
    site.break_service()  # the incident of this outage is opened by whoever leads by then
    site.kill("two")
    killed = follows(site, "two", since, 5.0)
    site.start_collector("two")
    site.wait_for(lambda: standing_by(site, "two"), "the standby")
    site.wait_for(lambda: rows(site, select(incidents)), "the incident")

    heard = site.listen_to_acks()
    since = now_us()
    site.heal_service()
    site.signal("one", signal.SIGSTOP)
    frozen = follows(site, "one", since, 5.0)
    before = site.lease().epoch
    log = site.log("one")
    site.signal("one", signal.SIGCONT)
    site.wait_for(lambda: standing_by(site, "one"), "the woken one to stand by")
    said = site.log("one")[len(log) :]
    assert len([line for line in said.splitlines() if "beginning again" in line]) == 1, said
    assert "Traceback" not in site.log("one") + site.log("two")
    assert site.lease().epoch == before == heard[-1]
    assert heard == sorted(heard), "a former writer acknowledged"
    site.wait_for(lambda: all(row.state == "resolved" for row in rows(site, select(incidents.c.state))), "the end")
    site.wait_for(lambda: not rows(site, select(outbox).where(outbox.c.state == "pending")), "every message")
    if kind == "sqlite":
        check_frozen_inside_a_transaction(site, "two")
    site.drain()
    count = site.check_exactly_once()
    check_desk(site, hook)
    tell(f"{kind}: lease and first result after a stop {stopped[0]:.2f} {stopped[1]:.2f} s, kill -9 {killed[0]:.2f} "
         f"{killed[1]:.2f} s, SIGSTOP {frozen[0]:.2f} {frozen[1]:.2f} s; {count} results, once each")  # fmt: skip


def test_the_database_falls_silent_ends_the_writers_sessions_and_restarts(own_server, make, relay, tell):
    far = relay(own_server.port)
    database = own_server.database()
    site = make(database)
    site.start_broker()
    site.start_collector("one", database=database.replace(f":{own_server.port}/", f":{far.port}/"))
    site.wait_for_leader("one")
    site.start_probe()
    site.start_collector("two")
    site.wait_for(lambda: standing_by(site, "two"), "the standby")
    site.wait_for(lambda: site.count() > 50, "results")
    heard = site.listen_to_acks()
    since = now_us()
    far.silence()
    silent = follows(site, "one", since, 5.0)
    epoch = site.lease().epoch
    far.resume()
    site.wait_for(lambda: standing_by(site, "one"), "the other to stand by")
    assert site.lease().epoch == epoch
    assert heard == sorted(heard), "a former writer acknowledged"
    assert heard[-1] == epoch

    since = now_us()
    own_server.admin(END_WRITER, database.rpartition("/")[2])
    site.wait_for(lambda: site.last_arrival_us() > since + SECOND_US, "results after the sessions' end")

    own_server.stop(signal.SIGQUIT)
    time.sleep(1.0)  # long enough for both to have noticed
    own_server.start()
    since = now_us()
    site.wait_for(lambda: site.last_arrival_us() > since, "results again")
    restarted = (site.last_arrival_us() - since) / SECOND_US
    roles = lambda: sorted((site.health(name) or {}).get("role", "") for name in OTHER)  # noqa: E731
    site.wait_for(lambda: roles() == ["leader", "standby"], "one to lead and one to stand by")
    site.drain()
    site.check_exactly_once()
    assert "Traceback" not in site.log("one") + site.log("two")
    tell(f"the writer's database silent: lease after {silent[0]:.2f} s, first result after {silent[1]:.2f} s; "
         f"restarted: results {restarted:.2f} s after it is back")  # fmt: skip


def test_a_writer_without_a_broker_gives_way_to_one_that_has_it(make, server, relay, tell):
    site = make(server.database())
    near = relay(site.port)
    site.start_broker()
    site.start_collector("one", broker_port=near.port)
    site.wait_for_leader("one")
    site.start_probe()
    site.start_collector("two")
    site.wait_for(lambda: standing_by(site, "two"), "the standby")
    site.wait_for(lambda: site.count() > 50, "results")
    since = now_us()
    near.cut()
    took = follows(site, "one", since, 15.0)
    site.wait_for(lambda: standing_by(site, "one"), "the other to stand by")
    (waiting,) = [each for each in site.health("two")["collectors"] if each["role"] == "standby"]
    assert waiting["reaches_broker"] is False
    assert "has one: it takes over" in site.log("one")
    site.check_exactly_once()
    tell(f"the writer's broker lost: handed over after {took[0]:.2f} s")


def test_what_stands_in_the_way_is_one_line(make, server, relay):
    site = make(server.database())
    site.start_broker()

    def ended(database):
        process = site.start_collector("bad", database=database)
        site.processes.pop("bad")
        code = process.wait(30)
        lines = site.log("bad").strip().splitlines()
        (site.folder / "bad.log").unlink()
        return code, lines

    code, lines = ended(site.database.replace("s3cret", "wrong"))
    assert (code, len(lines)) == (2, 1)
    assert "password authentication failed" in lines[0]
    assert "wrong" not in lines[0]
    newer = server.database()
    server.admin("UPDATE alembic_version SET version_num = 'f999'", newer.rpartition("/")[2])
    code, lines = ended(newer)
    assert (code, len(lines)) == (2, 1)
    assert "newer than this Sereno" in lines[0]

    far, dead = relay(server.port), relay(server.port)
    far.cut()
    dead.cut()
    hosts = f"host=127.0.0.1:{dead.port}&host=127.0.0.1:{far.port}&target_session_attrs=read-write"
    account, name = site.database.partition("://")[2].partition("@")[0], site.database.rpartition("/")[2]
    site.start_collector("early", database=f"postgresql://{account}@/{name}?{hosts}")
    site.wait_for(lambda: "trying again until it answers" in site.log("early"), "its word")
    far.mend()
    site.wait_for_leader("early")
    assert len([line for line in site.log("early").splitlines() if "trying again" in line]) == 1
