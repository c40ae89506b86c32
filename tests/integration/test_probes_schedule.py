"""The scheduler: cadence, extra checks, canaries, faults of its own; on real sockets where a network is meant."""

import asyncio
import contextlib
import logging
import time

import pytest

from probes.canary import Canaries, check_canary
from probes.checks import Runtime, Target, result
from probes.schedule import Scheduler
from probes.sip.client import SipClient
from sereno.clock import SystemClock, parse_instant
from sereno.errors import UsageError
from sereno.topology.model import Topology

FILE = {
    "service": "voice",
    "cores": {"core-a": {"uri": "sip:10.8.0.1"}},
    "sbcs": {"sbc-1": {"addresses": ["sip:127.20.1.1"], "primary": "core-a"}},
}


def runtime(canaries=(), sip=None):
    probes = {"p": {"network": "n", "canaries": list(canaries)}}
    return Runtime(
        clock=SystemClock(), topology=Topology.model_validate({**FILE, "probes": probes}), probe="p", sip=sip
    )


def target(name="t", every_us=50_000, phase=0.0, **more):
    return Target(check="edge", sbc="sbc-1", name=name, every_us=every_us, timeout_us=40_000, phase=phase, **more)


@contextlib.asynccontextmanager
async def running(scheduler):
    task = asyncio.ensure_future(scheduler.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def collect(check, targets, count, run=None, **options):
    """Results of a scheduler until there are `count`."""
    got, enough = [], asyncio.Event()

    def take(found):
        got.append(found)
        if len(got) >= count:
            enough.set()

    run = run or runtime()
    scheduler = Scheduler(targets, run, take, registry={"edge": check}, **options)
    async with asyncio.timeout(10), running(scheduler):
        await enough.wait()
    return got, scheduler


def instants(got, name="t"):
    return [parse_instant(found.at) for found in got if found.target == name]


async def good(one, run):
    return result(one, run.clock.now_us(), "ok")


async def test_fixed_cadence_without_drift_though_checks_take_time():
    async def slow(one, run):
        at = run.clock.now_us()
        await asyncio.sleep(0.02)
        return result(one, at, "ok")

    got, scheduler = await collect(slow, [target()], 20)
    times = instants(got)
    skipped = scheduler.counts.missed + scheduler.counts.overruns
    beats = (times[-1] - times[0]) / 50_000
    assert abs(beats - (len(times) - 1 + skipped)) < 1, "sleep-after-work would take 1.4 beats each"
    assert scheduler.counts.extras == 0


async def test_targets_of_a_kind_are_spread_over_the_interval():
    got, _ = await collect(good, [target("a", 600_000), target("b", 600_000, 0.5)], 2)
    a, b = instants(got, "a")[0], instants(got, "b")[0]
    assert 0.15 < (b - a) / 1e6 < 0.45


async def test_no_overlap_an_overrun_is_counted():
    running_now = most = 0

    async def long(one, run):
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0.12)
        running_now -= 1
        return result(one, run.clock.now_us(), "ok")

    _, scheduler = await collect(long, [target()], 3)
    assert most == 1
    assert scheduler.counts.overruns >= 4


async def test_an_extra_check_at_the_first_failure_only():
    outcomes = iter(["ok", "failed", "failed", "failed", "ok", "failed", "ok", "ok"])

    async def check(one, run):
        return result(one, run.clock.now_us(), next(outcomes))

    got, scheduler = await collect(check, [target(every_us=500_000)], 7)
    assert [found.outcome for found in got] == ["ok", "failed", "failed", "failed", "ok", "failed", "ok"]
    assert scheduler.counts.extras == 2
    times = instants(got)
    assert times[2] - times[1] < 250_000, "the extra goes at once"
    assert times[3] - times[2] > 250_000, "the next one keeps the beat"
    assert times[6] - times[5] < 250_000


def rare(check, sbc, core, account="a"):
    return Target(
        check=check, sbc=sbc, core=core, account=account, every_us=600_000, timeout_us=300_000,
        phase={"register": 0.0, "call": 0.5}[check] + (0.25 if sbc == "sbc-2" else 0.0),
    )  # fmt: skip


async def until(targets, check, enough):
    """Results of a scheduler until `enough(results)`."""
    got, done = [], asyncio.Event()

    def take(found):
        got.append(found)
        if enough(got):
            done.set()

    names = {one.check for one in targets}
    scheduler = Scheduler(targets, runtime(), take, registry=dict.fromkeys(names, check))
    async with asyncio.timeout(10), running(scheduler):
        await done.wait()
    return got, scheduler


async def test_a_servers_failure_is_put_to_every_way_to_that_core_at_once():
    ways = [rare(check, sbc, core) for check in ("register", "call") for sbc in ("sbc-1", "sbc-2") for core in "ab"]

    async def check(one, run):
        if one.core == "a":
            return result(one, run.clock.now_us(), "failed", "sip_5xx", code=500)
        return result(one, run.clock.now_us(), "ok")

    def confirmed(got):
        failures = [(one.check, one.sbc) for one in got if one.outcome == "failed"]
        return all(failures.count(way) >= 2 for way in {(one.check, one.sbc) for one in ways})

    got, scheduler = await until(ways, check, confirmed)
    failed = [parse_instant(one.at) for one in got if one.outcome == "failed"]
    assert max(failed) - min(failed) < 140_000, "every way twice, before any other turn"
    assert {(one.sbc, one.check) for one in got if one.core == "b"} <= {("sbc-1", "register")}
    assert scheduler.counts.extras == 7  # each of four ways twice; the first one's first was its turn


@pytest.mark.parametrize(("reason", "code"), [("auth", 401), ("timeout", None), ("one_way", 200)])
async def test_what_is_no_servers_failure_is_that_ways_own_affair(reason, code):
    ways = [rare("register", "sbc-1", "a"), rare("call", "sbc-1", "a"), rare("call", "sbc-2", "a")]

    async def check(one, run):
        if one.check == "register":
            return result(one, run.clock.now_us(), "failed", reason, code=code)
        return result(one, run.clock.now_us(), "ok")

    _, scheduler = await until(ways, check, lambda got: len(got) == 4)
    assert scheduler.counts.extras == 1


async def test_a_rare_success_after_failures_is_asked_again_at_once():
    outcomes = iter(["failed", "failed", "ok", "ok", "ok"])

    async def check(one, run):
        return result(one, run.clock.now_us(), next(outcomes), code=500)

    got, scheduler = await until([rare("call", "sbc-1", "a")], check, lambda got: len(got) == 5)
    times = [parse_instant(found.at) for found in got]
    assert times[3] - times[2] < 300_000, "at once"
    assert times[4] - times[3] > 300_000, "the next one keeps the beat"
    assert scheduler.counts.extras == 2


async def test_a_check_that_raises_is_the_probes_fault_and_the_others_go_on(caplog):
    async def check(one, run):
        if one.name == "bad":
            raise ZeroDivisionError("on purpose")
        return await good(one, run)

    with caplog.at_level(logging.ERROR):
        got, _ = await collect(check, [target("bad"), target("good")], 8)
    bad = [found for found in got if found.target == "bad"]
    assert len(bad) >= 3
    assert {(f.outcome, f.reason) for f in bad} == {("invalid", "probe_fault")}
    assert bad[0].evidence == {"error": "ZeroDivisionError: on purpose"}
    assert len([f for f in got if f.target == "good"]) >= 3
    assert "on purpose" in caplog.text


async def test_a_check_that_never_returns_is_the_probes_fault():
    async def hang(one, run):
        await asyncio.Event().wait()

    got, _ = await collect(hang, [target()], 2, hung_after_seconds=0.05)
    assert got[0].reason == "probe_fault"
    assert "did not come back" in got[0].evidence["error"]


async def test_a_listener_that_raises_does_not_end_it(caplog):
    taken = []

    def take(found):
        taken.append(found)
        raise OSError("disk full")

    scheduler = Scheduler([target()], runtime(), take, registry={"edge": good})
    with caplog.at_level(logging.ERROR):
        async with running(scheduler), asyncio.timeout(5):
            while len(taken) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert "disk full" in caplog.text


async def test_late_results_go_where_results_go():
    run = runtime()

    async def check(one, same):
        asyncio.get_running_loop().call_later(0.01, same.emit, result(one, 1, "ok", "late"))
        return result(one, 1, "failed", "timeout")

    got, _ = await collect(check, [target()], 4, run)
    assert {"late", "timeout"} == {found.reason for found in got}


def test_two_targets_of_one_kind_and_place_are_refused():
    with pytest.raises(ValueError, match="same thing"):
        Scheduler([target(), target()], runtime(), print)


# --- canaries ---


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
        self.heard = 0

    def datagram_received(self, data, addr):
        self.heard += 1
        lines = [
            line
            for line in data.decode().split("\r\n")
            if line.split(":")[0] in {"Via", "From", "To", "Call-ID", "CSeq"}
        ]
        self.transport.sendto(("\r\n".join(["SIP/2.0 404 No", *lines]) + "\r\n\r\n").encode(), addr)


@pytest.fixture
async def sip():
    made = SipClient("p")
    yield made
    await made.close()


@pytest.fixture
async def alive():
    """A SIP canary and a TCP canary that answer, and a TCP canary that does not."""
    loop = asyncio.get_running_loop()
    transport, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.20.9.1", 0))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.20.9.1", 0)
    closed = await asyncio.start_server(lambda _, writer: writer.close(), "127.20.9.2", 0)
    dead = f"tcp:127.20.9.2:{closed.sockets[0].getsockname()[1]}"
    closed.close()
    await closed.wait_closed()
    sip_canary = f"sip:127.20.9.1:{transport.get_extra_info('sockname')[1]}"
    yield sip_canary, f"tcp:127.20.9.1:{server.sockets[0].getsockname()[1]}", dead, echo
    transport.close()
    server.close()
    await server.wait_closed()


async def test_failed_results_carry_what_the_canaries_said(sip, alive):
    sip_canary, tcp, dead, _ = alive

    async def fail(one, run):
        return result(one, run.clock.now_us(), "failed", "timeout", evidence={"messages": []})

    got, _ = await collect(fail, [target(every_us=200_000)], 3, runtime([sip_canary, tcp, dead], sip))
    assert [found.evidence for found in got] == [
        {"messages": [], "canaries": {sip_canary: True, tcp: True, dead: False}}
    ] * 3
    got, _ = await collect(good, [target()], 2, runtime([sip_canary], sip))
    assert {found.evidence for found in got} == {None}


async def test_when_every_canary_is_silent_too_the_probe_says_invalid_not_failed(sip, alive):
    _, tcp, dead, _ = alive

    async def fail(one, run):
        return result(one, run.clock.now_us(), "failed", "timeout", answered_by="none")

    got, _ = await collect(fail, [target(every_us=200_000)], 2, runtime([dead], sip))
    assert {(found.outcome, found.reason) for found in got} == {("invalid", "timeout")}
    assert got[0].evidence["doubt"] == "network"
    got, _ = await collect(fail, [target(every_us=200_000)], 2, runtime([dead, tcp], sip))
    assert {(found.outcome, found.reason) for found in got} == {("failed", "timeout")}, "one witness is enough"


async def test_a_dead_canary_is_known_before_it_is_needed_and_an_only_one_is_noted(sip, alive):
    sip_canary, tcp, dead, _ = alive
    canaries = Canaries([sip_canary, tcp, dead], sip)
    watching = asyncio.ensure_future(canaries.watch(0.02))
    async with asyncio.timeout(5):
        while not canaries.notes():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert canaries.notes() == [f"canary {dead} did not answer 3 times in a row: mend or replace it"]
    assert canaries.last == {sip_canary: True, tcp: True, dead: False}
    watching.cancel()
    await canaries.close()
    assert "only one canary" in Canaries([tcp], sip).notes()[0]


async def test_targets_change_while_it_runs_and_what_stays_keeps_its_beat():
    got, seen = [], asyncio.Event()

    def take(found):
        got.append(found)
        seen.set()

    async def more(name, count):
        async with asyncio.timeout(5):
            while len(instants(got, name)) < count:
                seen.clear()
                await seen.wait()

    scheduler = Scheduler([target("stays"), target("goes")], runtime(), take, registry={"edge": good})
    async with running(scheduler):
        await more("goes", 3)
        scheduler.update([target("stays"), target("comes"), target("rare", 3_600_000_000, 0.9)])
        gone = len(instants(got, "goes"))
        await more("comes", 3)
        await more("rare", 1)  # its turn is most of an hour away: it is looked at now all the same
        await more("stays", 12)
        assert len(instants(got, "goes")) <= gone + 1
        assert len(instants(got, "rare")) == 1
    times = instants(got, "stays")
    beats = [round((at - times[0]) / 50_000) for at in times]
    assert len(set(beats)) == len(beats)
    assert scheduler.keys == {one.key for one in (target("stays"), target("comes"), target("rare"))}


async def test_a_target_that_goes_while_its_check_runs_ends_with_it_and_no_fault(caplog):
    release = asyncio.Event()

    async def wait(one, run):
        await release.wait()
        return result(one, run.clock.now_us(), "failed", "timeout")

    got = []
    scheduler = Scheduler([target("goes")], runtime(), got.append, registry={"edge": wait})
    async with running(scheduler), asyncio.timeout(5):
        await asyncio.sleep(0.01)
        scheduler.update([])
        release.set()
        while not got:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [found.outcome for found in got] == ["failed"]
    assert scheduler.counts.extras == 0
    assert caplog.records == []


async def test_failures_that_happen_together_share_a_round(sip, alive):
    sip_canary, tcp, _, echo = alive
    canaries = Canaries([sip_canary, tcp], sip)
    now = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(canaries.testify(now) for _ in range(10)))
    assert canaries.rounds == echo.heard == 1
    assert answers == [{sip_canary: True, tcp: True}] * 10
    await canaries.testify(now)
    assert canaries.rounds == 1, "it answered after that check was sent"
    await canaries.testify(asyncio.get_running_loop().time())
    assert canaries.rounds == 2, "an older round says nothing of a newer failure"
    await canaries.close()


async def test_a_silent_canary_is_false_within_half_a_second(sip):
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.20.9.3", 0))
        name = f"sip:127.20.9.3:{mute.getsockname()[1]}"
        canaries = Canaries([name], sip)
        assert await canaries.testify(0.0) == {name: False}


@pytest.mark.parametrize("name", ["tcp:host", "tcp::80", "tcp:h:0", "tcp:h:99999", "http://x", "sip:"])
def test_a_canary_that_cannot_be_asked_is_refused(name):
    with pytest.raises(UsageError):
        check_canary(name)


async def test_eight_checks_a_second_cost_little(sip, alive):
    """Twenty seconds' worth of the lab's checks in two: 160 real transactions through the scheduler."""
    sip_canary = alive[0]
    from probes.sip.client import Ask
    from probes.sip.uri import parse_uri

    async def check(one, run):
        exchange = await run.sip.options(Ask(to=parse_uri(sip_canary), uri="sip:x", timeout_seconds=0.9))
        assert exchange.kind == "answered"
        return result(one, exchange.at_us, "ok")

    targets = [target(f"t{n}", 100_000, n / 8) for n in range(8)]
    began = time.process_time()
    got, _ = await collect(check, targets, 160, runtime(sip=sip))
    each = (time.process_time() - began) / len(got)
    assert each < 0.002, f"{each * 1e6:.0f} µs a check, the canary's own work included; 8 a second stay under 2 %"
