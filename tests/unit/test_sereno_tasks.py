"""Parts side by side: the first failure is ours, cancellation reaches all, nothing is left behind."""

import asyncio
import contextlib
import threading

import pytest

from sereno import tasks
from sereno.tasks import in_thread, raise_if_cancelled, together


async def forever(log):
    try:
        await asyncio.Event().wait()
    finally:
        log.append("ended")


async def fail():
    await asyncio.sleep(0.01)
    raise ValueError("broken")


async def nothing():
    await asyncio.sleep(0)


async def test_the_first_failure_is_raised_and_the_rest_ended():
    log = []
    with pytest.raises(ValueError, match="broken"):
        await together(forever(log), nothing(), fail(), forever(log))
    assert log == ["ended", "ended"]
    assert not asyncio.current_task().cancelling()


async def test_all_done_is_the_end():
    await together(nothing(), nothing())


async def test_cancellation_reaches_every_part_and_is_ours():
    log = []
    task = asyncio.create_task(together(forever(log), forever(log)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["ended", "ended"]


async def test_a_cancellation_in_the_moment_of_a_failure_is_not_lost():
    task = asyncio.create_task(together(fail(), forever([])))
    await asyncio.sleep(0.009)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0.001)
    assert task.cancelled() or isinstance(task.exception(), ValueError)


async def test_a_part_that_swallows_the_first_cancellation_is_cancelled_again(monkeypatch):
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.02)

    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    async with asyncio.timeout(2):
        with pytest.raises(ValueError, match="broken"):
            await together(stubborn(), fail())


async def test_a_loop_notices_a_cancellation_that_something_swallowed():
    async def loop():
        while True:
            with contextlib.suppress(asyncio.CancelledError):  # as asyncio.wait_for of 3.11 when both happen at once
                await asyncio.sleep(1)
            raise_if_cancelled()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)


async def test_a_cancelled_thread_is_over_before_its_task_is():
    begun, may_end, log = threading.Event(), threading.Event(), []

    def work(word):
        begun.set()
        may_end.wait(10)
        log.append(word)

    task = asyncio.create_task(in_thread(work, "stored"))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["stored"]


async def test_a_thread_gives_its_answer_or_its_error():
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_a_word_that_wait_for_lost_is_heard_before_going_on():
    heard = asyncio.get_running_loop().create_future()

    async def part():
        await asyncio.wait_for(heard, 10)
        raise_if_cancelled()
        await asyncio.sleep(10)

    task = asyncio.ensure_future(part())
    await asyncio.sleep(0)
    heard.set_result(None)
    task.cancel()  # in the same turn of the loop: the wait has just ended
    await asyncio.wait([task], timeout=1)
    assert task.cancelled()
