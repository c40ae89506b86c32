"""Lapses and ways back, by attempts at chosen seconds."""

from probes.checks.bindings import Attempt, Bindings

SITES = {"bog": ("sbc-1", "sbc-2"), "sjo": ("sbc-3",)}


def attempt(sent, sbc="sbc-1", granted=60.0, account="m", took=0.1):
    return Attempt((sbc, account), account, sbc, sent, sent + took, granted)


def test_a_binding_renewed_in_time_has_nothing_to_tell():
    bindings = Bindings(SITES)
    assert bindings.heard(attempt(0)) == bindings.heard(attempt(30)) == bindings.heard(attempt(60)) == {}


def test_one_renewed_too_late_lapsed():
    bindings = Bindings(SITES)
    bindings.heard(attempt(0))
    assert bindings.heard(attempt(75)) == {"lapsed_seconds": 15.0}


def test_the_way_back_is_by_any_sbc_of_the_site_and_told_once():
    bindings = Bindings(SITES)
    for sbc in ("sbc-1", "sbc-2", "sbc-3"):
        bindings.heard(attempt(0, sbc))
    bindings.heard(attempt(10, granted=None))
    assert bindings.heard(attempt(11, "sbc-3")) == {}
    assert bindings.heard(attempt(12, "sbc-2", account="other")) == {}
    assert bindings.heard(attempt(13, "sbc-2")) == {"rebind_seconds": {"bog": 3.1}}
    bindings.heard(attempt(20, granted=None))  # still down: no new loss
    assert bindings.heard(attempt(23, "sbc-2")) == {}
    assert bindings.heard(attempt(40)) == {}
    bindings.heard(attempt(50, granted=None))
    assert bindings.heard(attempt(51)) == {"rebind_seconds": {"bog": 1.1}}


def test_what_was_under_way_before_the_failure_proves_no_way_back():
    bindings = Bindings(SITES)
    bindings.heard(attempt(0))
    bindings.heard(attempt(10, granted=None))
    assert bindings.heard(attempt(9.9, "sbc-2", took=1.0)) == {}


def test_a_path_that_never_worked_opens_nothing_and_without_sites_all_are_one():
    bindings = Bindings()
    bindings.heard(attempt(0, granted=None))
    assert bindings.heard(attempt(1, "sbc-2")) == {}
    bindings.heard(attempt(2, "sbc-2", granted=None))
    assert bindings.heard(attempt(3)) == {"rebind_seconds": {"service": 1.1}}


def test_a_renewal_between_two_attempts_keeps_a_binding_from_lapsing():
    bindings = Bindings(SITES)
    bindings.heard(attempt(0, granted=20.0))
    bindings.renewed(("sbc-1", "m"), 15.0, 20.0)
    assert bindings.heard(attempt(30, granted=20.0)) == {}
    bindings.renewed(("sbc-1", "m"), 45.0, 0)  # refused
    assert bindings.heard(attempt(60, granted=20.0)) == {"lapsed_seconds": 10.0}
    bindings.renewed(("sbc-1", "m"), 90.0, 20.0)  # too late: it had lapsed
    assert bindings.heard(attempt(100)) == {"lapsed_seconds": 20.0}


def test_only_a_binding_that_should_be_there_is_looked_for():
    bindings, key = Bindings(SITES), ("sbc-1", "m")
    assert bindings.live(key, 0) is None
    bindings.made(key, "<sip:9000@192.0.2.1>")
    bindings.heard(attempt(0))
    assert bindings.live(key, 30) == "<sip:9000@192.0.2.1>"
    assert bindings.live(key, 60.2) is None
    bindings.heard(attempt(40, granted=None))  # a core that was restarted has forgotten it, and everybody knows
    assert bindings.live(key, 41) is None
    bindings.heard(attempt(42))
    assert bindings.live(key, 43) is not None
