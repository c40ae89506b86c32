"""Windows as files to take away: made by a child process each, few at once, with progress; gone some time after."""

import asyncio
import contextlib
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import msgspec

from sereno.answers.cases import Asked

AT_ONCE = 2
WAITING = 6
SECONDS = 600.0
_KEPT_SECONDS = 900.0
_LEAVE_SECONDS = 2.0
Form = Literal["json", "zip"]


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child (sereno/cli/_excerpt.py) is asked, on its standard input: a database's URL may hold a password."""

    store: str
    asked: Asked
    form: Form
    folder: str


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child says, a line each: how far it is; in the end the file."""

    done: float = 0.0
    file: str | None = None


class Job(msgspec.Struct, kw_only=True):
    """One export."""

    id: str
    form: Form
    who: str
    done: float = 0.0
    file: Path | None = None
    error: str | None = None
    ended: float | None = None  # monotonic


class Exports:
    """The exports of one application; none outlives it."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._folder: Path | None = None

    def find(self, name: str, who: str) -> Job | None:
        """A job of this person's."""
        job = self._jobs.get(name)
        return job if job is not None and job.who == who else None

    def begin(self, asked: Asked, form: Form, who: str) -> Job | None:
        """A new one; None while too many wait."""
        self._forget()
        if sum(job.ended is None for job in self._jobs.values()) >= WAITING:
            return None
        job = Job(id=secrets.token_urlsafe(12), form=form, who=who)
        self._jobs[job.id] = job
        task = asyncio.get_running_loop().create_task(self._made(job, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def close(self) -> None:
        """Ends what runs, and leaves no file."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _forget(self) -> None:
        now = time.monotonic()
        for name, job in list(self._jobs.items()):
            if job.ended is not None and now - job.ended > _KEPT_SECONDS:
                del self._jobs[name]
                shutil.rmtree(self._place() / name, ignore_errors=True)

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sereno-forensics-"))  # for its owner alone
        return self._folder

    async def _made(self, job: Job, asked: Asked) -> None:
        folder = self._place() / job.id
        folder.mkdir(mode=0o700)
        order = Order(store=self._store, asked=asked, form=job.form, folder=str(folder))
        try:
            async with self._turns:
                await self._child(job, order)
        except TimeoutError:
            job.error = f"{SECONDS:.0f} s"
        finally:
            job.ended = time.monotonic()
            if job.file is None:
                job.error = job.error or "?"
                shutil.rmtree(folder, ignore_errors=True)

    async def _child(self, job: Job, order: Order) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sereno.cli._excerpt", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                if child.stdin is None or child.stdout is None or child.stderr is None:
                    raise RuntimeError("a child without its pipes")
                child.stdin.write(msgspec.json.encode(order))
                child.stdin.close()
                async for line in child.stdout:
                    step = msgspec.json.decode(line, type=Step)
                    job.done = step.done
                    job.file = Path(step.file) if step.file is not None else None
                complaint = (await child.stderr.read()).decode("utf-8", "replace").strip().splitlines()
                if await child.wait():
                    job.file = None
                    job.error = complaint[-1].removeprefix("sereno: ")[:300] if complaint else f"{child.returncode}"
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LEAVE_SECONDS):
                        await child.wait()
