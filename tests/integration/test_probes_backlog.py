"""Hours without a broker, in a spool; clocks that are set; a probe that is killed meanwhile. Real Mosquitto."""

import asyncio
import contextlib
import resource
import signal
import time

import pytest
from probe_site import Site, spooled

from probes.agent import Agent
from probes.checks import Target, result
from probes.spool import Spool
from sereno.clock import SECOND_US, SystemClock
from sereno.mqtt import PASSWORD_FILE_ENV, parse_broker

TOPOLOGY = """
service: trial
cores:
  core-a: {uri: "sip:127.85.2.1"}
  core-b: {uri: "sip:127.85.2.2"}
sbcs:
  sbc-1: {addresses: ["sip:127.85.1.1:5060;transport=udp"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:127.85.1.2:5060;transport=udp"], primary: core-b, backup: core-a}
checks:
  options: {every: 200ms, timeout: 90ms}
probes:
  p1: {network: trial}
"""
HOURS, PATHS = 3, 4


class Clock(SystemClock):
    """The machine's, set by somebody."""

    offset_us = 0

    def now_us(self):
        return super().now_us() + self.offset_us


async def good(target, runtime):
    return result(target, runtime.clock.now_us(), "ok", answered_by="core", answered_core=target.core, rtt_seconds=1e-4)


@pytest.fixture
def site(tmp_path):
    found = Site(tmp_path, TOPOLOGY)
    yield found
    found.close()


@contextlib.asynccontextmanager
async def agent(site, monkeypatch, clock=None):
    monkeypatch.setenv(PASSWORD_FILE_ENV, site.environment("p1")[PASSWORD_FILE_ENV])
    found = Agent(parse_broker(site.url("p1")), "p1", site.spool("p1").parent, clock=clock, registry={"options": good})
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition, what, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(condition)):
        assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
        await asyncio.sleep(0.05)
    return found


def three_hours(site, now_us):
    """What four paths at one a second leave while nobody takes anything: 43,200 results."""
    path = site.spool("p1")
    path.parent.mkdir(parents=True)
    spool = Spool(path, "p1")
    spool._file._db.execute("PRAGMA synchronous=OFF")  # the test's own haste
    spool.begin_boot("aaaaaaaaaaaaaaaa")
    targets = [
        Target(check="options", sbc=sbc, core=core) for sbc in ("sbc-1", "sbc-2") for core in ("core-a", "core-b")
    ]
    count = HOURS * 3_600
    for second in range(count):
        for target in targets:
            at_us = now_us - (count - second) * SECOND_US
            spool.append(result(target, at_us, "ok", answered_by="core", answered_core=target.core, rtt_seconds=1e-4))
    assert len(spool) == HOURS * 3_600 * PATHS == 43_200
    spool.close()


async def test_three_hours_without_a_broker_are_delivered_newest_first_with_bounded_memory(site, monkeypatch, capsys):
    three_hours(site, time.time_ns() // 1_000)
    site.start("broker")
    site.start("collector")
    site.wait_for(lambda: "collector.link: connected" in site.log("collector"), "the collector")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, first_live = time.monotonic(), None
    async with agent(site, monkeypatch) as one:
        while len(one._spool) > 20 or first_live is None:
            assert time.monotonic() < began + 40, f"{len(one._spool)} are left"
            if first_live is None:
                fresh = await asyncio.to_thread(newest, site)
                if fresh is not None and fresh != "aaaaaaaaaaaaaaaa":
                    first_live = time.monotonic() - began
                    left_then = len(one._spool)
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    with capsys.disabled():
        print(
            f"\n    43,200 results of three hours delivered in {took:.1f} s; what was measured meanwhile was stored"
            f" after {first_live:.1f} s, {left_then} still waiting; {grown / 1024:.0f} MB more memory"
        )
    assert left_then > 5_000, "the newest first, the backlog after it"
    assert grown < 60 * 1024
    stored = await asyncio.to_thread(site.results, "p1")
    old = sorted(found.seq for found in stored if found.boot == "aaaaaaaaaaaaaaaa")
    assert old == list(range(1, 43_201))


def newest(site):
    """The boot of the newest result stored."""
    return site.ask("SELECT boot FROM results ORDER BY at_us DESC LIMIT 1")


def boots_of(found):
    """Seqs by boot, in order of arrival; every boot whole."""
    boots = {}
    for one in found:
        boots.setdefault(one.boot, []).append(one.seq)
    for seqs in boots.values():
        assert sorted(seqs) == list(range(1, len(seqs) + 1))
    return boots


async def test_a_clock_that_is_set_forwards_and_back_begins_new_boots_and_is_doubted_at_once(site, monkeypatch):
    site.start("broker")
    site.start("collector")
    clock = Clock()
    async with agent(site, monkeypatch, clock) as one:
        await until(lambda: len(site.results("p1")) > 10, "results")
        assert (await until(lambda: one._delivery.offset.best(clock.monotonic()), "the offset")).error_seconds < 2
        wrong = []
        for step_us in (3 * SECOND_US, -3_600 * SECOND_US):
            clock.offset_us, before = step_us, one._spool.boot
            await until(lambda before=before: one._spool.boot != before, "a new boot")
            wrong.append(one._spool.boot)
            await until(lambda: site.invalid_since(one._spool.boot) > 5, "results that are called invalid")
            status = one._status()
            assert any("off the collector's" in note for note in status.notes)
            assert abs(status.clock_offset_seconds + step_us / SECOND_US) < 0.5
        clock.offset_us, before = 0, one._spool.boot
        await until(lambda: one._spool.boot != before, "a new boot")
        right = one._spool.boot
        await until(lambda: site.valid_since(right) > 5, "results that count")
        assert one._status().notes is None
    found = site.results("p1")
    boots = boots_of(found)
    assert len(boots) == 4
    for each in found:
        assert (each.outcome == "invalid") == (each.boot in wrong), "not one result of a wrong clock counts"
    now_us = time.time_ns() // 1_000
    assert all(abs(each.at_us - now_us) < 60 * SECOND_US for each in found), "put where they belong in time"
    assert site.ask("SELECT count(*) FROM quarantine") == 0


async def test_a_clock_that_is_off_by_less_than_a_step_is_found_by_the_collectors_and_mended(site, monkeypatch):
    site.start("broker")
    site.start("collector")
    clock = Clock()
    clock.offset_us = -700_000
    async with agent(site, monkeypatch, clock) as one:
        wrong = one._spool.boot
        await until(lambda: site.invalid_since(wrong) > 5, "results that are called invalid")
        clock.offset_us = 0
        await until(lambda: one._spool.boot != wrong, "a new boot, since it is known to have been off")
        right = one._spool.boot
        await until(lambda: site.valid_since(right) > 5, "results that count")
    found = site.results("p1")
    assert len(boots_of(found)) == 2
    assert {each.outcome for each in found if each.boot == right} == {"ok"}
    assert {each.reason for each in found if each.outcome == "invalid"} == {"probe_fault"}


async def test_what_waits_survives_kill_nine_of_the_probe_while_the_broker_is_away(site):
    site.start("p1")
    site.wait_for(lambda: "nobody listens" in site.log("p1"), "the complaint")
    site.start("broker")
    site.start("collector")
    site.wait_for(lambda: len(site.results()) > 5, "results")
    site.end("broker", signal.SIGKILL)
    site.wait_for(lambda: len(spooled(site.spool("p1"))) > 40, "a spool that grows")
    site.end("p1", signal.SIGKILL)
    waiting = {(one["boot"], one["seq"]) for one in spooled(site.spool("p1"))}
    site.start("p1")
    site.start("broker")
    site.wait_for(lambda: waiting <= {(one.boot, one.seq) for one in site.results()}, "everything that had waited", 30)
