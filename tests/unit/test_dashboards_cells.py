"""Whatever a check says, there is a cell for it: a wall that fails where phones fail is no wall."""

from itertools import product

import pytest

from dashboards.web.records import LastResult, PathCell, SbcRow
from dashboards.web.site import Site
from sereno.clock import SECOND_US, FakeClock
from sereno.store import open_store
from sereno.verdict import ElementVerdict

NOW = 1_800_000_000 * SECOND_US
STATES = ("up", "degraded", "down", "unknown", "maintenance")
SAID = (("ok", None), ("failed", "timeout"), ("failed", "sip_5xx"), ("invalid", "no_secret"), ("failed", None), None)


@pytest.fixture
def site(tmp_path):
    store = open_store(tmp_path)
    made = Site(store, FakeClock(NOW))
    yield made
    made.close()
    store.dispose()


def last(said):
    return None if said is None else LastResult(NOW, *said, None, None, None, None, None, None, None)


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_row_of_every_state_and_every_answer(site, language):
    for state, said, alive in product(STATES, SAID, (True, False)):
        reason = said[1] if said else None
        verdict = ElementVerdict(kind="path", name="sbc-1/core-a", state=state, since_us=NOW, reason=reason)
        cell = PathCell("sbc-1", "core-a", "primary", verdict, last(said), last(said), last(said))
        row = SbcRow("sbc-1", "Bogotá", verdict, last(said), last(said), {"core-a": cell})
        html = site.fragment(
            "panorama/row.html",
            row=row,
            w=site.words_in(language),
            alive=alive,
            cores=[ElementVerdict(kind="core", name="core-a", state=state, since_us=NOW, reason=reason)],
        )
        if said and said[0] == "failed" and alive and language == "es":
            assert "no responde" in html
