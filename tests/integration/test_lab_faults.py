"""Every fault of the lab and its heal, as a phone sees them."""

import time
from contextlib import contextmanager

import pytest

from sereno.clock import parse_instant
from sereno.errors import SerenoError
from tests.lab_phone import DOMAIN, Phone

pytestmark = pytest.mark.lab

SBCS = ("sbc-1", "sbc-2")
CORES = ("core-a", "core-b")
EDGE = ("edge", "")


def address(lab, name):
    return lab.plan.component(name).address


def phone(lab, sbc, account="monitor-1"):
    user = {"monitor-1": "9000", "monitor-2": "9001"}[account]
    password = (lab.state_dir / "secrets" / f"{account}.secret").read_text().strip()
    return Phone(address(lab, sbc), user, password)


def edge(lab, sbc, timeout=0.9):
    return said(lab, sbc, f"sip:{address(lab, sbc)}:5060", timeout=timeout)


def forced(lab, sbc, core, timeout=0.9):
    return said(lab, sbc, f"sip:{address(lab, core)}:5060", forced=True, timeout=timeout)


def natural(lab, sbc, timeout=0.9):
    return said(lab, sbc, f"sip:{DOMAIN}", timeout=timeout)


def said(lab, sbc, uri, method="OPTIONS", **more):
    """(code, who) of the answer; None for silence."""
    with phone(lab, sbc) as one:
        answer = one.ask(method, uri, **more)
        return None if answer is None else (answer.code, answer.header("Server"))


def register(lab, sbc, core):
    target = DOMAIN if core is None else address(lab, core)
    with phone(lab, sbc) as one:
        aor = f"<sip:{one.user}@{DOMAIN}>"
        answer = one.ask(
            "REGISTER", f"sip:{target}", forced=core is not None, extra="Expires: 60\r\n", to=aor, once=False
        )
        return None if answer is None else (answer.code, answer.header("Server"))


@contextmanager
def broken(lab, what):
    """While broken; healed afterwards. What the lab says of the instant must lie inside the call that did it."""
    before = time.time_ns() // 1000
    done = lab.break_(what)
    after = time.time_ns() // 1000
    assert set(done) == {"what", "at"}
    assert done["what"] == what
    assert before <= parse_instant(done["at"]) <= after
    yield
    lab.heal(what)
    assert lab.status()["faults"] == []


def all_is_well(lab):
    for sbc, primary in zip(SBCS, CORES, strict=True):
        assert edge(lab, sbc) == (200, sbc)
        assert natural(lab, sbc) == (200, primary)
        for core in CORES:
            assert forced(lab, sbc, core) == (200, core)


def test_every_way_is_answered_by_whom_it_should(lab):
    all_is_well(lab)


@pytest.mark.parametrize("sbc", SBCS)
def test_no_hop_left_proves_the_sbc_alone(lab, sbc):
    for uri in (f"sip:{address(lab, sbc)}", f"sip:{DOMAIN}", f"sip:{address(lab, 'core-a')}"):
        assert said(lab, sbc, uri, max_forwards=0) == (483, sbc)


@pytest.mark.parametrize("fault", ["", ":freeze"])
@pytest.mark.parametrize("core", CORES)
def test_a_core_that_is_lost_costs_phones_nothing(lab, core, fault):
    """The very first natural OPTIONS after the fault is answered inside 900 ms, and the forced path stays silent."""
    other = next(one for one in CORES if one != core)
    with broken(lab, core + fault):
        for _ in range(3):
            for sbc in SBCS:
                assert natural(lab, sbc) == (200, other)
        for sbc in SBCS:
            assert edge(lab, sbc) == (200, sbc)
            assert forced(lab, sbc, core, timeout=0.95 if sbc == "sbc-1" else 0.3) is None
            assert forced(lab, sbc, other) == (200, other)
        assert register(lab, "sbc-1", None) == (200, other)
        assert lab.status()["components"][core]["state"] == ("frozen" if fault else "dead")
    all_is_well(lab)
    assert register(lab, "sbc-1", core) == (200, core)


@pytest.mark.parametrize("fault", ["", ":freeze", ":drop"])
@pytest.mark.parametrize("sbc", SBCS)
def test_an_sbc_that_is_lost_is_silent(lab, sbc, fault):
    other = next(one for one in SBCS if one != sbc)
    with broken(lab, sbc + fault):
        assert edge(lab, sbc, timeout=0.4) is None
        assert natural(lab, sbc, timeout=0.4) is None
        assert forced(lab, sbc, "core-a", timeout=0.4) is None
        assert edge(lab, other) == (200, other)
        assert natural(lab, other)[0] == 200
    all_is_well(lab)


def test_both_cores_frozen(lab):
    lab.break_("core-a:freeze")
    lab.break_("core-b:freeze")
    for sbc in SBCS:
        assert edge(lab, sbc) == (200, sbc)
        answer = natural(lab, sbc)
        assert answer is not None
        assert answer[0] in {408, 503}
        assert answer[1] == sbc
    lab.heal()
    all_is_well(lab)


@pytest.mark.parametrize("sbc", SBCS)
def test_an_sbc_that_refuses_answers_for_itself(lab, sbc):
    other = next(one for one in SBCS if one != sbc)
    with broken(lab, f"{sbc}:503"):
        assert edge(lab, sbc) == (200, sbc)
        assert natural(lab, sbc) == (503, sbc)
        for core in CORES:
            assert forced(lab, sbc, core) == (503, sbc)
            assert forced(lab, other, core) == (200, core)
        assert register(lab, sbc, "core-a") == (503, sbc)
    all_is_well(lab)


@pytest.mark.parametrize("what", ["sbc-1/core-a:503", "sbc-1:503=core-a"])
def test_an_sbc_that_refuses_one_core_takes_phones_to_the_other(lab, what):
    with broken(lab, what):
        assert lab.status()["faults"][0]["what"] == "sbc-1/core-a:503"
        assert forced(lab, "sbc-1", "core-a") == (503, "sbc-1")
        assert forced(lab, "sbc-1", "core-b") == (200, "core-b")
        assert natural(lab, "sbc-1") == (200, "core-b")
        assert edge(lab, "sbc-1") == (200, "sbc-1")
        assert forced(lab, "sbc-2", "core-a") == (200, "core-a")
    all_is_well(lab)


@pytest.mark.parametrize("core", CORES)
def test_a_core_without_its_database(lab, core):
    other = next(one for one in CORES if one != core)
    with broken(lab, f"{core}:nodb"):
        for sbc in SBCS:
            assert forced(lab, sbc, core) == (200, core)
            assert register(lab, sbc, core) == (503, core)
            assert said(lab, sbc, f"sip:echo@{address(lab, core)}", method="INVITE", forced=True) == (503, core)
            assert register(lab, sbc, other) == (200, other)
            assert register(lab, sbc, None) == (200, other), "the SBC takes a phone on when the first core says 503"
    assert register(lab, "sbc-1", core) == (200, core)


def test_both_cores_without_database(lab):
    lab.break_("core-a:nodb")
    lab.break_("core-b:nodb")
    for sbc in SBCS:
        assert natural(lab, sbc)[0] == 200
        answer = register(lab, sbc, None)
        assert answer is not None
        assert answer[0] == 503
        assert answer[1] in CORES


def test_an_sbc_that_does_not_fail_over(lab):
    lab.break_("sbc-1:nofailover")
    lab.break_("core-a")
    assert natural(lab, "sbc-1") is None
    assert forced(lab, "sbc-1", "core-b") == (200, "core-b")
    assert natural(lab, "sbc-2") == (200, "core-b")
    lab.heal("core-a")
    assert natural(lab, "sbc-1") == (200, "core-a")


def test_a_slow_sbc(lab):
    with broken(lab, "sbc-1:slow=400ms"):
        for answer in (lambda: edge(lab, "sbc-1"), lambda: forced(lab, "sbc-1", "core-b")):
            before = time.monotonic()
            assert answer()[0] == 200
            assert time.monotonic() - before >= 0.4
        lab.break_("sbc-1:slow=1200ms")
        assert [fault["what"] for fault in lab.status()["faults"]] == ["sbc-1:slow=1200ms"]
        assert edge(lab, "sbc-1") is None
        assert forced(lab, "sbc-1", "core-a", timeout=3) == (200, "core-a")
        lab.break_("sbc-1:slow=400ms")
    all_is_well(lab)


def test_the_same_fault_twice_began_once(lab):
    first = lab.break_("sbc-1:503")
    assert lab.break_("sbc-1:503") == first


def test_what_is_dead_cannot_be_broken_further(lab):
    lab.break_("core-b:freeze")
    with pytest.raises(SerenoError, match="core-b is frozen; heal it first: sereno lab heal core-b --net 127"):
        lab.break_("core-b:nodb")
    lab.break_("core-b")
    with pytest.raises(SerenoError, match="core-b is dead; heal it first"):
        lab.break_("core-b:freeze")
    assert [fault["what"] for fault in lab.status()["faults"]] == ["core-b"]


def test_healing_what_is_not_broken_says_what_is(lab):
    lab.break_("sbc-2:drop")
    with pytest.raises(SerenoError, match="'core-a:freeze' is not broken; broken now: sbc-2:drop"):
        lab.heal("core-a:freeze")


def test_a_wrong_password_is_refused(lab):
    with phone(lab, "sbc-1") as one:
        one.password = "guess"
        answer = one.ask("REGISTER", f"sip:{DOMAIN}", to=f"<sip:9000@{DOMAIN}>", once=False)
        assert answer.code == 401
        one.user, one.password = "4711", "0"
        answer = one.ask("REGISTER", f"sip:{DOMAIN}", to=f"<sip:4711@{DOMAIN}>", once=False)
        assert answer.code == 401


def test_an_sbc_relays_nowhere_else(lab):
    assert said(lab, "sbc-1", "sip:x@127.255.255.1", forced=True) == (403, "sbc-1")
