"""What an incident shows of the exchange that fails: of the present episode, not of one that is over."""

import pytest
from msgspec.structs import replace
from web_seed import Seed

from dashboards.web.incidents.evidence import exhibits
from dashboards.web.words import Words
from sereno.clock import SECOND_US
from sereno.store import open_store
from sereno.store.desk import incidents

HOUR_US = 3_600 * SECOND_US
NOW_US = 1_793_602_800 * SECOND_US


@pytest.fixture
def seed(tmp_path):
    store = open_store(tmp_path / "data")
    yield Seed(store, NOW_US)
    store.dispose()


def shown(seed, **changes):
    with seed.store.read() as connection:
        record = replace(incidents(connection, number=1)[0], **changes)
        return exhibits(connection, record, seed.topology, Words("es", "America/Bogota"))


def test_a_reopened_incident_shows_what_fails_now(seed):
    seed.incident()
    begun_us, again_us = NOW_US - 90 * SECOND_US, NOW_US + HOUR_US
    path = {"sbc": "sbc-1", "core": "core-a", "outcome": "failed"}
    seed.result("options", begun_us, reason="timeout", **path)
    seed.result("register", again_us, reason="sip_5xx", code=503, **path)
    assert [(one.check, one.reason) for one in shown(seed)] == [("options", "timeout")]
    assert [(one.check, one.reason) for one in shown(seed, reopened_us=again_us)] == [("register", "sip_5xx")]
    unknown_us = NOW_US + 5 * HOUR_US  # nothing is kept of it: what was seen first stands
    assert [one.check for one in shown(seed, reopened_us=unknown_us)] == ["options"]
