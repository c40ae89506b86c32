"""Time by state of a site: never goes back, adds up to the time that passed, and ends at what was dated back."""

from hypothesis import given
from hypothesis import strategies as st

from collector.site_time import SiteTime

S = 1_000_000
STATES = ("up", "degraded", "down", "unknown", "maintenance")
STEP = st.tuples(st.sampled_from(STATES), st.integers(0, 20), st.integers(0, 5), st.booleans())


def shown(sites, now_s):
    return {state: sites.seconds("a", state, now_s * S) for state in STATES}


@given(st.lists(STEP, max_size=30))
def test_it_only_grows_and_accounts_for_every_second(story):
    sites = SiteTime(["a", "b"])
    sites.begin(100 * S)
    now, before = 100, dict.fromkeys(STATES, 0.0)
    for state, after, back, look in story:
        now += after
        sites.change("a", state, (now - back) * S, now * S)
        if look:
            found = shown(sites, now)
            assert all(found[one] >= before[one] for one in STATES)
            before = found
    credit = sites._sites["a"].credit_us
    shown(sites, now)
    assert sum(credit.values()) == (now - 100) * S
    assert all(value >= 0 for value in credit.values())
    assert sites.seconds("b", "unknown", now * S) == now - 100, "another site's time is its own"


def test_an_outage_counts_from_its_first_failure_however_late_it_was_known():
    sites = SiteTime(["a"])
    sites.begin(0)
    sites.change("a", "up", 0, 0)
    assert shown(sites, 100)["up"] == 100
    sites.change("a", "down", 98 * S, 100 * S)
    assert shown(sites, 100) == {"up": 100, "degraded": 0, "down": 2, "unknown": 0, "maintenance": 0}
    assert shown(sites, 110)["down"] == 12
    sites.change("a", "up", 109 * S, 110 * S)  # the end is dated back too: what was shown of it stands
    assert shown(sites, 110)["down"] == 12
    assert shown(sites, 200)["up"] == 98 + 91
    sites.change("a", "down", 200 * S, 200 * S)
    assert shown(sites, 205)["down"] == 11 + 5, "and is made up for"


def test_what_was_before_this_process_is_another_s():
    sites = SiteTime(["a"])
    sites.change("a", "down", 0, 0)
    assert shown(sites, 50)["down"] == 0
    sites.begin(60 * S)
    assert shown(sites, 65)["down"] == 5
    sites.change("a", "up", 30 * S, 70 * S)
    assert shown(sites, 70) == {"up": 10, "degraded": 0, "down": 5, "unknown": 0, "maintenance": 0}
