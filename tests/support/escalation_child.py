"""Desks that kill themselves: `STORE FOLDER SPEED BASE_US REAL_US` on the command line, one number a line on stdin.

Each number is a life: a fresh process (forked, so that it costs no start) opens the store, runs the whole alerting
service, and ends by SIGKILL at that many events from its birth; 0 lives until the file `stop` appears. Events are every
statement that writes, every commit before and after it happens, and every hand-over before and after it. The life's end
is answered by a line: the number, and the event that it ended at. Time runs SPEED times faster than on the wall.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from alerting_bench import topology
from sqlalchemy import event

from alerting.channels import channels_of
from alerting.service import AlertingService, machine_for
from sereno.desk import load_desk
from sereno.store import open_store

WRITES = ("INSERT", "UPDATE", "DELETE")


class FastClock:
    """The wall's time from an agreed instant on, some times faster."""

    def __init__(self, speed: float, base_us: int, real_us: int) -> None:
        self.speed, self.base_us, self.real_us = speed, base_us, real_us

    def now_us(self) -> int:
        return self.base_us + round((time.time_ns() // 1_000 - self.real_us) * self.speed)

    def monotonic(self) -> float:
        return self.now_us() / 1_000_000


class Bomb:
    """Counts events and ends the process at one of them."""

    def __init__(self, at: int, last_words: int) -> None:
        self.at, self.count, self.last_words = at, 0, last_words

    def point(self, name: str) -> None:
        self.count += 1
        if self.count == self.at:
            os.write(self.last_words, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # never: the signal is on its way

    def watch(self, store) -> None:
        @event.listens_for(store.engine, "before_cursor_execute")
        def _statement(_connection, _cursor, statement, *_rest) -> None:
            words = statement.split(None, 3)
            if words[0] in WRITES:
                self.point(" ".join(words[:3]))

        dialect, commit = store.engine.dialect, store.engine.dialect.do_commit

        def counted(connection) -> None:
            self.point("before a commit")
            commit(connection)
            self.point("after a commit")

        dialect.do_commit = counted

    def around(self, channel):
        async def send(message):
            self.point(f"before handing over {message.what}")
            receipt = await channel(message)
            self.point(f"after handing over {message.what}")
            return receipt

        return send


async def live(place: str, folder: Path, clock: FastClock, bomb: Bomb) -> None:
    store = open_store(place)
    bomb.watch(store)
    desk = load_desk(folder / "desk.yaml")
    channels = {name: bomb.around(channel) for name, channel in channels_of(desk.channels).items()}
    service = AlertingService(store, machine_for(topology(), desk, None), clock, channels)
    running = asyncio.ensure_future(service.run())
    while not (folder / "stop").exists() and not running.done():  # noqa: ASYNC110 - nobody signals a file
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    store.dispose()


def main() -> None:
    place, folder, speed, base_us, real_us = sys.argv[1:6]
    clock = FastClock(float(speed), int(base_us), int(real_us))
    for line in sys.stdin:
        hear, say = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                asyncio.run(live(place, Path(folder), clock, Bomb(int(line), say)))
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.close(say)
        with os.fdopen(hear, "rb") as end:
            words = end.read().decode()
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(f"{line.strip()} {'killed' if killed else 'ended'} {words}", flush=True)


if __name__ == "__main__":
    main()
