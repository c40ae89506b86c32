"""Calls that come back: which there are, whose messages are whose, what they say, how many may be made."""

import msgspec
import pytest

from probes.checks.base import Target, result
from probes.checks.budget import HOUR_US, spend, within
from probes.checks.expand import targets
from probes.checks.judge_return import judge_return
from probes.checks.recognise import Heard
from probes.sip.ipc import Inbound, Message
from probes.sip.legs import legs
from sereno.topology.model import Topology

FILE = {
    "service": "voice",
    "domain": "voice.example",
    "cores": {"core-a": {"uri": "sip:10.8.0.1"}, "core-b": {"uri": "sip:10.8.0.2:5070"}},
    "sbcs": {
        "sbc-1": {"addresses": ["sip:198.51.100.11"], "primary": "core-a", "backup": "core-b"},
        "sbc-2": {"addresses": ["sip:198.51.100.12"], "primary": "core-b", "backup": "core-a"},
        "sbc-3": {"addresses": ["sip:198.51.100.13"], "primary": "core-b", "backup": "core-a"},
    },
    "accounts": {n: {"user": u, "realm": "r", "password": {"env": "X"}} for n, u in (("m1", "9000"), ("m2", "9002"))},
    "checks": {"terminating": {"every": "60s", "account": "m1", "callee": "m2"}},
}


def made(**changes):
    return targets(Topology.model_validate({**FILE, **changes}), "p")


def test_one_call_for_each_ordered_pair_of_cores_through_sbcs_that_differ():
    found = made()
    assert [(t.sbc, t.core, t.to, t.name, t.callee.sbc, t.callee.core) for t in found] == [
        ("sbc-1", "core-a", "sip:9002@10.8.0.1", "sbc-2/core-b", "sbc-2", "core-b"),
        ("sbc-2", "core-b", "sip:9002@10.8.0.2:5070", "sbc-1/core-a", "sbc-1", "core-a"),
    ]


def test_one_sbc_alone_does_both_and_a_passive_backup_none():
    one = {"sbc-1": FILE["sbcs"]["sbc-1"]}
    assert [(t.sbc, t.core, t.callee.sbc) for t in made(sbcs=one)] == [
        ("sbc-1", "core-a", "sbc-1"), ("sbc-1", "core-b", "sbc-1"),
    ]  # fmt: skip
    assert made(sbcs={"sbc-1": {**one["sbc-1"], "backup_test": "passive"}}) == []


def test_natural_registrations_and_calls_name_no_core_and_dial_the_domain():
    checks = {
        "register": {"every": "30s", "accounts": ["m1"], "natural": True},
        "call": {"every": "60s", "account": "m1", "to": "sip:echo@{core}", "natural": True},
    }
    found = [t for t in made(checks=checks) if t.core is None]
    assert [(t.check, t.sbc, t.to) for t in found] == [
        *(("register", sbc, None) for sbc in FILE["sbcs"]),
        *(("call", sbc, "sip:echo@voice.example") for sbc in FILE["sbcs"]),
    ]
    assert not [t for t in made(checks=checks, domain=None) if t.core is None]


def test_nothing_is_dialled_over_the_pstn_unless_asked_for_and_then_that_number_alone():
    assert "pstn" not in {t.check for t in made()}
    pstn = {
        "every": "30m", "account": "m1", "numbers": {"+50640001001": "m2"}, "max_per_hour": 2,
        "max_duration": "4s", "display": "TEST", "sbc": "sbc-1", "core": "core-a",
    }  # fmt: skip
    (target,) = made(checks={"pstn": pstn})
    assert (target.to, target.name, target.hold_us) == ("sip:+50640001001@10.8.0.1", "+50640001001", 4_000_000)


def message(direction, first, tag, to_tag=""):
    text = f"{first}\r\nFrom: <sip:9000@r>;tag={tag}\r\nTo: <sip:9002@r>{to_tag and ';tag=' + to_tag}\r\nCall-ID: c\r\n"
    return Message(0, direction, text)


def test_two_legs_of_one_call_id_are_told_apart():
    ours = [message("sent", "INVITE sip:9002@core SIP/2.0", "a"), message("received", "SIP/2.0 200 OK", "a", "b")]
    theirs = [message("received", "INVITE sip:9002@us SIP/2.0", "a"), message("sent", "SIP/2.0 200 OK", "a", "b")]
    bye = [
        message("sent", "BYE sip:9002@us SIP/2.0", "a", "b"),
        message("received", "BYE sip:9002@us SIP/2.0", "a", "b"),
    ]
    hung_up = [
        message("sent", "BYE sip:9000@us SIP/2.0", "b", "a"),
        message("received", "BYE sip:9000@us SIP/2.0", "b", "a"),
    ]
    mixed = [ours[0], theirs[0], theirs[1], ours[1], *bye, *hung_up]
    assert legs(mixed) == ((*ours, bye[0], hung_up[1]), (*theirs, bye[1], hung_up[0]))


UNKNOWN = {"outcome": "failed", "reason": "sip_4xx", "came": None, "there": None}
CAME = Inbound(invited_ns=2_000_000, caller="9000", marked=True)


def said(outcome="ok", reason=None, code=200, came=CAME, there="ours", check="terminating", by="core"):
    target = Target(check=check, sbc="sbc-1", core="core-a")
    found = result(target, 0, outcome, reason, code=code, answered_by=by)
    heard = Heard(signal=there, echo_delay_seconds=0.03) if there else None
    return judge_return(found, came, heard, registered_at="core-b through sbc-2", started_ns=1_000_000)


@pytest.mark.parametrize(
    ("given", "outcome", "reason"),
    [
        ({}, "ok", None),
        ({"there": None}, "ok", None),  # too short to listen
        (UNKNOWN | {"code": 404}, "failed", "binding_missing"),
        (UNKNOWN | {"code": 480}, "failed", "binding_missing"),
        # an SBC that says 404 did not steer; a phone of ours that was rung and said 480 is no lost replication
        (
            {"code": 404, "outcome": "invalid", "reason": "steering", "came": None, "there": None, "by": "sbc"},
            "invalid",
            "steering",
        ),
        ({"code": 480, "outcome": "failed", "reason": "sip_4xx", "there": None}, "failed", "sip_4xx"),
        # the PSTN's 404 says nothing of our cores
        (
            {"code": 404, "outcome": "failed", "reason": "sip_4xx", "came": None, "there": None, "check": "pstn"},
            "failed",
            "sip_4xx",
        ),
        ({"came": None, "there": None}, "failed", "wrong_audio"),
        ({"there": "other"}, "failed", "wrong_audio"),
        ({"there": "nothing"}, "failed", "one_way"),
        ({"outcome": "failed", "reason": "dead_air", "there": "nothing"}, "failed", "one_way"),
        ({"outcome": "failed", "reason": "cut_off", "there": "other"}, "failed", "cut_off"),
        ({"outcome": "invalid", "reason": "probe_fault", "there": "other"}, "invalid", "probe_fault"),
    ],
)  # fmt: skip
def test_what_both_ends_say(given, outcome, reason):
    found = said(**given)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_a_delay_is_told_only_of_recordings_that_begin_together():
    assert "delay_seconds" not in said().facts
    assert said(came=msgspec.structs.replace(CAME, aligned=True)).facts["delay_seconds"] == 0.03


def test_calls_of_an_hour_are_counted_across_restarts_clock_steps_and_damage(tmp_path):
    path, now = tmp_path / "deep" / "calls.json", 10 * HOUR_US
    assert [spend(path, now + n, 2) for n in range(3)] == [True, True, False]
    assert not spend(path, now - 2 * HOUR_US, 2)  # the clock stepped back: those of the future still count
    assert spend(path, now + HOUR_US, 2)  # an hour later the first one counts no more
    assert within([1, HOUR_US], HOUR_US + 1) == [HOUR_US]
    path.write_bytes(b"[1, \x00")
    assert not spend(path, now + 5 * HOUR_US, 60)
    assert spend(path, now + 6 * HOUR_US, 60)
    assert path.stat().st_mode & 0o777 == 0o600
