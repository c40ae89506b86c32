"""kill −9 of the active collector between an incident and its notification: the other sends it, once, and climbs on."""

import os

import pytest
from live_sereno import Hook, now_us
from pair import Site, quiet_port
from sqlalchemy import select

from sereno.clock import SECOND_US
from sereno.store.tables import incidents, outbox, steps

KINDS = ["sqlite", "postgresql"] if os.environ.get("SERENO_ESCALATION_KILLS") else ["postgresql"]
ALARMS = """
alarms:
  service_down:
    {kind: service, what: verdict, states: [down], clear: 1s, urgency: alto, impact: organizacion, page: true,
     first_step: "-"}
"""

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


def desk(port):
    """Two levels of one person each behind a hook that is not there yet."""
    return f"""
contract: wekall
channels: {{hook: {{webhook: "http://127.0.0.1:{port}/"}}}}
people: {{ana: {{channels: [hook]}}, leo: {{channels: [hook]}}}}
levels: [{{name: L1, people: [ana], ack: 8s}}, {{name: L2, people: [leo], ack: 10m, pages: []}}]
"""


def rows(site, query):
    with site.store.read() as connection:
        return connection.execute(query).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_collector_sends_what_the_first_wrote_down(tmp_path, request, kind, tell):
    port = quiet_port()
    database = request.getfixturevalue("pg_url") if kind == "postgresql" else None
    site = Site(tmp_path, database, desk=desk(port))
    request.addfinalizer(site.close)
    (site.folder / "alarms.yaml").write_text(ALARMS)
    site.start_broker()
    site.start_collector("one")
    site.wait_for_leader("one")
    site.start_probe()
    site.start_collector("two")
    site.wait_for(lambda: (site.health("two") or {}).get("role") == "standby", "the standby")
    site.wait_for(lambda: site.count() > 30, "results")
    site.break_service()
    refused = select(outbox.c.id).where(outbox.c.page == 1, outbox.c.attempts > 0, outbox.c.begun_us.is_(None))
    site.wait_for(lambda: rows(site, refused), "the incident, and its message that nobody took yet")
    killed_us = now_us()
    site.kill("one")
    hook = Hook(port)
    request.addfinalizer(hook.close)
    site.wait_for(lambda: hook.posted, "the page")
    took = (hook.posted[0][0] - killed_us) / SECOND_US
    assert took <= 10.0
    site.wait_for(lambda: any(body["to"] == "leo" for _, body in hook.posted), "the next level")
    (incident,) = rows(site, select(incidents.c.number, incidents.c.cause_kind))
    assert incident.cause_kind == "service"
    told = [(body["what"], body["to"]) for _, body in hook.posted]
    assert told == [("opened", "ana"), ("escalated", "leo")]
    opened, climbed = rows(site, select(steps).where(steps.c.state == "done").order_by(steps.c.id))
    assert climbed.due_us == opened.done_us + 8 * SECOND_US  # the clock ran on while nobody led
    assert climbed.done_us - climbed.due_us < SECOND_US
    assert "Traceback" not in site.log("two")
    tell(f"{kind}: page {took:.2f} s after the kill; the next level at its time")
