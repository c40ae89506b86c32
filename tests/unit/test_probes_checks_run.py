"""A check that fails by the probe's own fault is a result; its fault is a line, not one for every second."""

import errno
import logging
import os

import pytest

from probes.checks import Runtime, Target, run
from probes.checks.run import guarded
from sereno.clock import SystemClock

TARGET = Target(check="edge", sbc="sbc-1")


@pytest.fixture
def forgotten(monkeypatch):
    monkeypatch.setattr(run, "_told", {})


def runtime():
    return Runtime(clock=SystemClock(), topology=None, probe="p1")


async def many(fault, caplog, times=50):
    caplog.set_level(logging.INFO)

    async def check(target, runtime):
        raise fault

    return [await guarded(TARGET, runtime(), {"edge": check}) for _ in range(times)]


async def test_what_the_system_refuses_us_is_one_line_without_a_stack(forgotten, caplog):
    found = await many(OSError(errno.EMFILE, os.strerror(errno.EMFILE)), caplog)
    assert {(one.outcome, one.reason) for one in found} == {("invalid", "probe_fault")}
    (record,) = caplog.records
    assert record.exc_info in {None, (None, None, None)}
    assert "Too many open files" in record.message
    assert "Traceback" not in caplog.text


async def test_a_mistake_of_ours_shows_its_stack_once_and_another_one_its_own(forgotten, caplog):
    await many(KeyError("here"), caplog)
    await many(KeyError("there"), caplog)
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
    assert caplog.text.count("Traceback") == 2
