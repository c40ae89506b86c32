"""The acceptance scenarios on real processes: what must be said when a core dies, and what must not.

Times are instants that the systems stored: when the lab broke something, when the desk opened, when a message went out.
"""

import time

import pytest
from live_sereno import PATHS, now_us, seconds, us, wait_for
from stage import Stage, scenario

from sereno.clock import SECOND_US, iso

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

HEALTHY_SECONDS = 60
AT_ONCE = 2  # beside the one that is left in peace
DEADLINE_SECONDS = 0.9  # of an OPTIONS in the lab's topology
SITE = "site:acme-bog"
SITE_ELEMENT = ("site", "acme-bog")
SERVICE = ("service", "sereno-lab")


@pytest.fixture(scope="module")
def stage(request):
    """The scenarios of this file that are wanted, under way from the first test on."""
    found = Stage(AT_ONCE)
    found.begin([item.name for item in request.session.items if item.path == request.path])
    yield found
    found.close()


@pytest.fixture(scope="module")
def healthy(stage):
    """Left in peace from the first test on; a minute later it must have said nothing."""
    live = stage.system()
    yield live
    live.close()


def cause(incident):
    return incident["cause"]["kind"], incident["cause"]["name"]


def elements(incident):
    return {(one["kind"], one["name"]) for one in incident["cause"]["elements"]}


def symptoms(incident):
    return {(one["kind"], one["name"]) for one in incident["symptoms"]}


def names(live, kind, state):
    return {name for name, said in live.ever(kind) if said == state}


def only(live):
    """The one incident there is."""
    found = live.incidents()
    assert len(found) == 1, [(one["number"], one["title"], one["state"]) for one in found]
    return found[0]


def open_of(live, kind, name, **wanted):
    return next((one for one in live.incidents() if cause(one) == (kind, name) and wanted.items() <= one.items()), None)


# -- 1, 2, 3 and 4, on the one that was left in peace ------------------------------------------------------------------


def test_a_healthy_minute_says_nothing(healthy):
    end_us = healthy.began_us + (HEALTHY_SECONDS + 3) * SECOND_US
    healthy.wait_for(lambda: now_us() > end_us, "a minute", HEALTHY_SECONDS + 10)
    said = healthy.ask("verdicts")
    assert {one["state"] for one in said["elements"]} == {"up"}
    assert len([one for one in said["elements"] if one["kind"] == "path"]) == 4
    assert healthy.ask("incidents", "list", "--all") == {"incidents": []}
    assert healthy.outbox() == []
    assert healthy.findings() == set()
    for kind in ("service", "site", "core", "sbc", "path"):
        assert {state for _, state in healthy.ever(kind)} <= {"up", "unknown"}, kind
    calls = healthy.results("call")
    assert {f"{one.sbc}/{one.core}" for one in calls} == set(PATHS)
    for call in calls:
        assert call.outcome == "ok", call
        assert {call.media[direction]["lost"] for direction in ("rx", "tx")} == {0}, call
    even = [call for call in calls if "quality_unmeasured" not in call.facts]  # the host let the probe send in time
    assert even, calls
    for call in even:
        for direction in ("rx", "tx"):
            assert 4.3 <= call.media[direction]["mos_lq"] <= 4.41, call
    registered = healthy.results("register")
    assert {one.outcome for one in registered} == {"ok"}
    assert len({(one.sbc, one.core, one.account) for one in registered}) == 8
    assert {one.outcome for one in healthy.results("options")} == {"ok"}
    told = healthy.availability(SITE, iso(healthy.began_us + 5 * SECOND_US), iso(end_us - 3 * SECOND_US))
    assert (told["down_seconds"], told["unknown_seconds"], told["observed"]) == (0, 0, 1.0)


def test_frozen_cores_one_after_the_other_and_back(healthy):
    live = healthy
    a = live.break_("core-a:freeze")
    first = live.wait_for(lambda: open_of(live, "core", "core-a"), "core_down", 10)
    assert seconds(first["opened"], a) <= 5
    assert (first["priority"], first["severity"]) == ("Alta", "S2")
    assert live.states()[SERVICE][0] == "degraded"
    time.sleep(4)  # what a wrong Urgente or a path's own incident would need
    assert only(live)["priority_peak"] == "Alta"
    assert names(live, "sbc", "down") == names(live, "site", "down") == names(live, "service", "down") == set()
    before_b = iso(now_us())
    assert live.availability(SITE, a, before_b)["down_seconds"] == 0

    b = live.break_("core-b:freeze")
    live.wait_for(lambda: open_of(live, *SERVICE, priority="Urgente"), "Urgente", 10)
    live.wait_for(
        lambda: elements(only(live)) == {("core", "core-a"), ("core", "core-b")}, "both cores as its cause", 5
    )
    urgente = only(live)
    assert urgente["number"] == first["number"]
    assert urgente["severity"] == "S1"
    promoted = next(line["at"] for line in urgente["timeline"] if "Urgente" in line["what"])
    assert seconds(promoted, b) <= 5
    edges = {name: live.states()["sbc", name][0] for name in ("sbc-1", "sbc-2")}
    assert edges.keys() == {"sbc-1", "sbc-2"}
    assert "down" not in edges.values()
    assert names(live, "sbc", "down") == set()
    time.sleep(8)
    check_the_way_back(live, b)


def check_the_way_back(live, broken):
    """Resolved within a minute, dated back to the first good sample; the ledger's outage is the true one.

    That sample may have been sent before the healing began, by less than its deadline: its retransmission was answered.
    """
    healing = iso(now_us())
    healed = live.heal()
    incident = live.wait_for(lambda: open_of(live, *SERVICE, state="resolved"), "resolved", 65)
    assert only(live)["number"] == incident["number"]
    assert seconds(incident["resolved"], healing) >= -DEADLINE_SECONDS
    assert seconds(incident["resolved"], healed) <= 4
    decided = next(line["at"] for line in reversed(incident["timeline"]) if "esuelto" in line["what"])
    assert seconds(decided, healed) <= 60
    assert incident["priority_peak"] == "Urgente"
    assert elements(incident) == {("core", "core-a"), ("core", "core-b")}
    assert {("path", path) for path in PATHS} <= symptoms(incident)
    assert incident["closed"] is None
    assert live.all_up()
    until = iso(us(incident["resolved"]) + 10 * SECOND_US)
    told = live.availability(SITE, iso(max(us(broken) - 5 * SECOND_US, live.up_since_us("site"))), until)
    assert abs(told["down_seconds"] - seconds(healed, broken)) <= 2
    assert told["unknown_seconds"] == 0
    assert told["verdict"] == "missed"
    assert live.availability("service", broken, until)["down_seconds"] == pytest.approx(told["down_seconds"], abs=0.01)


# -- 24 ----------------------------------------------------------------------------------------------------------------


@scenario
def test_a_flapping_core_is_one_incident(start, hook):
    live = start(desk=hook.desk())
    times = []
    for _ in range(4):
        broken = live.break_("core-a")
        wait_for(lambda broken=broken: now_us() > us(broken) + 8 * SECOND_US, "eight seconds down", 10)
        healed = live.heal()
        times.append((broken, healed))
        wait_for(lambda healed=healed: now_us() > us(healed) + 8 * SECOND_US, "eight seconds up", 10)
    incident = only(live)
    assert cause(incident) == ("core", "core-a")
    assert incident["priority_peak"] == "Alta"
    pages = live.outbox()
    assert 1 <= len(pages) <= 2
    assert len(hook.posted) == len(pages)
    told = live.availability("core:core-a", times[0][0], iso(us(times[-1][1]) + 6 * SECOND_US))
    assert abs(told["down_seconds"] - sum(seconds(healed, broken) for broken, healed in times)) <= 2 * len(times)
    assert live.availability(SITE, times[0][0], times[-1][1])["down_seconds"] == 0


# -- both at once, killed; a page goes out -----------------------------------------------------------------------------


@scenario
def test_both_cores_killed_at_once_page_in_seconds(start, hook):
    live = start(desk=hook.desk())
    live.break_("core-a")
    broken = live.break_("core-b")
    incident = live.wait_for(lambda: open_of(live, *SERVICE, priority="Urgente"), "Urgente", 10)
    assert seconds(incident["opened"], broken) <= 4
    wait_for(lambda: hook.posted, "a page", 5)

    def handed():  # written down once the far end has answered, so a moment after it has the page
        return [row.handed_us for row in live.outbox() if row.incident == incident["number"] and row.handed_us]

    wait_for(handed, "the page written down as handed over", 5)
    assert (min(handed()) - us(incident["opened"])) / SECOND_US <= 1
    at_us, page = hook.posted[0]
    assert (page["priority"], page["incident"], page["page"]) == ("Urgente", incident["number"], True)
    assert (at_us - us(broken)) / SECOND_US <= 5
    time.sleep(6)
    assert names(live, "sbc", "down") == set()
    check_the_way_back(live, broken)
    assert len([row for row in live.outbox() if row.incident == incident["number"]]) <= 3


# -- 22 and 8: slow to speak -------------------------------------------------------------------------------------------


@scenario
def test_a_wrong_password_of_one_account_is_a_small_ticket(start):
    live = start(environment={"SERENO_SECRET_MONITOR_2": "not-the-password"})
    incident = live.wait_for(lambda: open_of(live, "account", "monitor-2"), "account_refused", 40)
    live.wait_for(lambda: len(live.results("register")) >= 20, "more rounds of registrations", 40)
    assert only(live)["number"] == incident["number"]
    assert (incident["priority"], incident["class"]) == ("Baja", "service")
    refused = {(one.account, one.outcome, one.reason) for one in live.results("register")}
    assert refused == {("monitor-1", "ok", None), ("monitor-2", "failed", "auth")}
    assert {what for _, _, what in live.findings()} == {"account_refused"}
    assert live.all_up()
    assert names(live, "path", "down") == names(live, "site", "down") == set()
    told = live.availability(SITE, iso(live.began_us + 5 * SECOND_US), iso(now_us() - 3 * SECOND_US))
    assert told["down_seconds"] == 0
    assert told["unknown_seconds"] == 0


@scenario
def test_one_sbc_that_refuses_for_one_core_is_a_path(start):
    live = start()
    broken = live.break_("sbc-1:503=core-a")
    incident = live.wait_for(lambda: open_of(live, "path", "sbc-1/core-a"), "path_down", 45)
    assert incident["priority"] == "Normal"
    assert incident["class"] == "service"
    assert seconds(incident["since"], broken) < 3
    assert seconds(incident["opened"], incident["since"]) < 35
    failed = [one for one in live.results("options", broken) if one.outcome == "failed"]
    assert {(one.sbc, one.core, one.answered_by, one.code) for one in failed} == {("sbc-1", "core-a", "sbc", 503)}
    time.sleep(3)  # what a wrong second incident would need
    assert cause(only(live)) == ("path", "sbc-1/core-a")
    for kind in ("core", "sbc", "site", "service"):
        assert names(live, kind, "down") == set(), kind
    assert names(live, "path", "down") == {"sbc-1/core-a"}
    told = live.availability(SITE, broken, iso(now_us() - 3 * SECOND_US))
    assert told["down_seconds"] == 0


# -- 11 ----------------------------------------------------------------------------------------------------------------


@scenario
def test_a_core_that_refuses_service_is_not_up(start, hook):
    live = start(desk=hook.desk())
    a = live.break_("core-a:nodb")
    first = live.wait_for(lambda: open_of(live, "core", "core-a"), "core_refusing", 20)
    assert first["priority"] == "Alta"
    assert ("core", "core-a", "core_refusing") in live.findings()
    assert {one.outcome for one in live.results("options", a)} == {"ok"}
    for sbc in ("sbc-1", "sbc-2"):
        assert live.states()["path", f"{sbc}/core-a"][0] == "down"
    b = live.break_("core-b:nodb")
    urgente = live.wait_for(lambda: open_of(live, *SERVICE, priority="Urgente"), "Urgente", 20)
    assert urgente["number"] == only(live)["number"] == first["number"]
    assert {one.outcome for one in live.wait_for(lambda: live.results("options", b), "OPTIONS after", 10)} == {"ok"}
    time.sleep(5)
    healed = live.heal()
    live.wait_for(lambda: live.states()[SITE_ELEMENT][0] != "down", "the site again", 40)
    served = next(row.since_us for row in live.changes(*SITE_ELEMENT) if row.at_us > us(healed))
    until = iso(now_us() - 2 * SECOND_US)
    begun = max(first_failures(live, b, "core-b").values())  # the last way out was gone by then
    told = live.availability(SITE, b, until)
    assert abs(told["down_seconds"] - (min(served, us(until)) - begun) / SECOND_US) <= 2
    assert told["unknown_seconds"] == 0
    assert names(live, "sbc", "down") == set()
    assert [page["what"] for _, page in hook.posted] == ["opened", "promoted"]
    assert only(live)["title"].startswith("Servicio de voz caído: ambos núcleos")


def first_failures(live, since, core):
    """When each path to a core first refused a registration or a call, in microseconds."""
    found = {}
    for one in sorted(live.results("register", since) + live.results("call", since), key=lambda one: one.at_us):
        if one.core == core and one.outcome == "failed":
            found.setdefault(f"{one.sbc}/{one.core}", one.at_us)
    return found


# -- 5 -----------------------------------------------------------------------------------------------------------------


@scenario
def test_frozen_sbcs_are_not_dead_cores(start):
    live = start()
    live.break_("sbc-1:freeze")
    broken = live.break_("sbc-2:freeze")
    incident = live.wait_for(lambda: open_of(live, *SERVICE, priority="Urgente"), "Urgente", 10)
    assert seconds(incident["opened"], broken) <= 4
    live.wait_for(lambda: elements(only(live)) == {("sbc", "sbc-1"), ("sbc", "sbc-2")}, "both SBCs as its cause", 5)
    live.wait_for(lambda: live.states()["core", "core-a"][0] == "unknown", "an unknown core", 15)
    time.sleep(3)
    assert {live.states()["core", name][0] for name in ("core-a", "core-b")} == {"unknown"}
    assert names(live, "core", "down") == set()
    assert cause(only(live)) == SERVICE
