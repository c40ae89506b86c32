"""Codecs, packet times and session timers of test calls, against a far end that does what real ones do."""

import asyncio
import contextlib
import itertools
import statistics

import msgspec
import pytest

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology import load_topology
from tests.support.sip_far_end import FarEnd, field, offered, sdp

pytestmark = pytest.mark.lab

HOST = "127.111.3.1"


class Calls:
    """A probe's calls to one far end; `run` makes one with these codecs. The pool is made for all of them at once."""

    def __init__(self, folder, monkeypatch, ends, codecs, hold=2.0):
        monkeypatch.setenv("SERENO_SECRET_A", "unused")
        sbcs = "".join(
            f'  {name}: {{addresses: ["sip:{HOST}:{end.port}"], primary: core-a, backup_test: passive}}\n'
            for name, end in ends.items()
        )
        path = folder / "topology.yaml"
        path.write_text(
            "service: s\n"
            f'cores: {{core-a: {{uri: "sip:{HOST}:5060", identify: {{header: Server, contains: core-a}}}}}}\n'
            f"sbcs:\n{sbcs}"
            "accounts: {a: {user: a, realm: a.example, password: {env: X}}}\n"
            f'checks: {{call: {{every: 60s, account: a, to: "sip:echo@{{core}}", hold: {hold:g}s, timeout: 3s}}}}\n'
        )
        self.topology = load_topology(path)
        self.targets = {
            target.sbc: msgspec.structs.replace(target, codecs=codecs[target.sbc])
            for target in targets(self.topology, "p", ["call"])
        }
        self.pool = CallPool(list(self.targets.values()), SystemClock(), source=HOST)
        self.runtime = Runtime(clock=self.pool.clock, topology=self.topology, calls=self.pool)

    async def all(self):
        await self.pool.start()
        try:
            found = await asyncio.gather(*(REGISTRY["call"](each, self.runtime) for each in self.targets.values()))
        finally:
            await self.pool.stop()
        return dict(zip(self.targets, found, strict=True))


@contextlib.contextmanager
def far_ends(**answers):
    with contextlib.ExitStack() as stack:
        yield {
            name.replace("_", "-"): stack.enter_context(
                FarEnd(HOST, *(given if isinstance(given, tuple) else (given,)))
            )
            for name, given in answers.items()
        }


def first_codec(end, dialog, offer):
    """Chooses the first that was offered, as most do."""
    return "200 OK", (), sdp(HOST, dialog.port, offered(offer)[:1])


def with_formats(*formats, extra=(), headers=()):
    def answer(_end, dialog, _offer):
        return "200 OK", headers, sdp(HOST, dialog.port, formats, extra)

    return answer


CODECS = ("PCMA", "PCMU", "G722", "GSM", "iLBC", "speex", "L16")


async def test_every_codec_that_may_be_configured_is_offered_chosen_and_heard(tmp_path, monkeypatch):
    with far_ends(**dict.fromkeys(CODECS, first_codec)) as ends:
        found = await Calls(tmp_path, monkeypatch, ends, {name: (name,) for name in CODECS}, hold=3.8).all()
        packets = {name: end.dialog.packets for name, end in ends.items()}
    for name, r in found.items():
        assert (r.outcome, r.reason, r.codec) == ("ok", None, name)
        assert (r.facts["codecs_offered"], r.facts["signal"]) == ([name], "ours")
        gaps = [late - early for (early, _), (late, _) in itertools.pairwise(packets[name])]
        assert statistics.median(gaps) == pytest.approx({"iLBC": 0.03, "L16": 0.01}.get(name, 0.02), abs=0.003)
        if "quality_unmeasured" not in r.facts:
            assert r.facts["own_jitter_seconds"] < 0.005


async def test_the_far_end_chooses_among_several_and_may_change_its_mind(tmp_path, monkeypatch):
    def last(end, dialog, offer):
        return "200 OK", (), sdp(HOST, dialog.port, [each for each in offered(offer) if "telephone" not in each][-1:])

    def other(end, dialog):
        end.send(dialog, "INVITE", body=sdp(HOST, dialog.port, ["0 PCMU/8000"]))

    with far_ends(
        last=last, change=(with_formats("8 PCMA/8000"), other), alone=(with_formats("8 PCMA/8000"), other)
    ) as ends:
        codecs = {"last": ("PCMA", "GSM", "PCMU"), "change": ("PCMA", "PCMU"), "alone": ("PCMA",)}
        found = await Calls(tmp_path, monkeypatch, ends, codecs, hold=3.8).all()
        answers = {name: end.dialog.answers[-1].split("\r\n")[0] for name, end in ends.items() if name != "last"}
        payload_types = {name: {data[1] & 127 for _, data in end.dialog.packets[50:]} for name, end in ends.items()}
    assert {name: (r.outcome, r.reason) for name, r in found.items()} == dict.fromkeys(codecs, ("ok", None))
    assert (found["last"].codec, payload_types["last"]) == ("PCMU", {0})
    # A change to what we offered too is agreed to; one to what we never offered is refused, and the call goes on.
    assert (answers["change"], payload_types["change"]) == ("SIP/2.0 200 OK", {0})
    # (488 says RFC 3261 section 14.2; pjsip says 500.)
    assert (answers["alone"].startswith(("SIP/2.0 488", "SIP/2.0 500")), payload_types["alone"]) == (True, {8})


async def test_an_answer_without_a_codec_of_ours_is_a_codec_failure(tmp_path, monkeypatch):
    with far_ends(
        other=with_formats("0 PCMU/8000"),
        refused=lambda *_: ("488 Not Acceptable Here", ('Warning: 304 sbc "no codec"',), ""),
        digits=with_formats("101 telephone-event/8000"),
    ) as ends:
        found = await Calls(tmp_path, monkeypatch, ends, dict.fromkeys(ends, ("PCMA",))).all()
        assert all("BYE" in ends[name].methods for name in ("other", "digits"))  # an answered call is hung up
    assert [(r.outcome, r.reason, r.code) for r in (found["other"], found["refused"])] == [
        ("failed", "codec", 200),
        ("failed", "codec", 488),
    ]
    assert (found["digits"].outcome, found["digits"].reason in {"codec", "no_media"}) == ("failed", True)
    assert all(r.facts["codecs_offered"] == ["PCMA"] for r in found.values())


@pytest.mark.parametrize("together", [(20, 30, 40)])
async def test_packet_times_that_the_far_end_asks_for(tmp_path, monkeypatch, together):
    answers = {f"pt{each}": with_formats("8 PCMA/8000", extra=(f"a=ptime:{each}",)) for each in together}
    with far_ends(**answers) as ends:
        found = await Calls(tmp_path, monkeypatch, ends, dict.fromkeys(ends, ("PCMA",)), hold=3.0).all()
        sent = {name: [len(data) - 12 for _, data in end.dialog.packets[5:]] for name, end in ends.items()}
    for each in together:
        r = found[f"pt{each}"]
        assert (r.outcome, r.reason) == ("ok", None)
        assert set(sent[f"pt{each}"]) == {8 * each}
        if "quality_unmeasured" not in r.facts:  # even departures, though the bridge's frames are shorter
            assert r.facts["own_jitter_seconds"] < 0.005
            assert r.media["rx"]["mos_lq"] > 4.0


async def test_session_timers_that_the_far_end_demands(tmp_path, monkeypatch):
    def too_small(end, dialog, offer):
        if int(field(offer, "Session-Expires").partition(";")[0]) < 3600:
            return "422 Session Interval Too Small", ("Min-SE: 3600",), ""
        return with_formats("8 PCMA/8000", headers=("Require: timer", "Session-Expires: 3600;refresher=uac"))(
            end, dialog, offer
        )

    def refresh(end, dialog):
        end.send(dialog, "UPDATE", ("Supported: timer", "Session-Expires: 90;refresher=uac"))

    timer = ("Supported: timer", "Require: timer")
    with far_ends(
        too_small=too_small,
        ours=with_formats("8 PCMA/8000", headers=(*timer, "Session-Expires: 90;refresher=uac")),
        theirs=(with_formats("8 PCMA/8000", headers=(*timer, "Session-Expires: 90;refresher=uas")), refresh),
    ) as ends:
        found = await Calls(tmp_path, monkeypatch, ends, dict.fromkeys(ends, ("PCMA",))).all()
        again = ends["too-small"].invites
        refreshed = ends["theirs"].dialog.answers[-1]
    assert {name: (r.outcome, r.reason) for name, r in found.items()} == dict.fromkeys(ends, ("ok", None))
    assert [field(each, "Session-Expires").partition(";")[0] for each in again][-1] == "3600"
    assert (refreshed.split("\r\n")[0], field(refreshed, "CSeq")) == ("SIP/2.0 200 OK", "101 UPDATE")
