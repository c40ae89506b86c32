"""One pjsua2 worker process, kept alive: started, spoken to with deadlines, restarted with back-off when it dies."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from probes.sip.ipc import (
    LINE_LIMIT,
    Answered,
    AnyCommand,
    AnyEvent,
    Call,
    Fault,
    Hangup,
    IpcError,
    Quit,
    Ready,
    Register,
    Unregister,
    decode_event,
    encode,
)

log = logging.getLogger("sereno.calls")

_BACK_OFF_SECONDS = (0.1, 5.0)  # doubling from the first to the second
_SETTLED_SECONDS = 30.0  # alive for so long: the next death is a new story
_START_SECONDS = 10.0  # a busy machine starts Python slowly
_LOG_LINES = 20  # of what a worker wrote before it died, as evidence: a stack and what caused it
_WAKE = b"\r\n\r\n"


class WorkerFault(Exception):  # noqa: N818 - it is the worker's fault, nobody else's error
    """It could not do it: it died, hangs, or refused; says nothing about the softswitch; `log`: its last words."""

    def __init__(self, detail: str, log: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.log = tuple(log)


class WorkerProcess:
    """A worker on one local address with its own block of RTP ports."""

    def __init__(
        self, name: str, *, source: str, rtp_port: int, clock_rate: int, gate: asyncio.Semaphore | None = None
    ) -> None:
        """`gate`: how many of a pool may start at once; a start takes a processor for a tenth of a second."""
        self.name, self.source, self.rtp_port = name, source, rtp_port
        self._gate = gate if gate is not None else asyncio.Semaphore()
        self._in_gate = False
        self._clock_rate = clock_rate
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[AnyEvent]] = {}
        self._answered: dict[int, Callable[[Answered], None]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._handle: int | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip_port = 0
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=_LOG_LINES)
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The running process, if any."""
        return self._process.pid if self._process is not None and self._ready.is_set() else None

    def start(self) -> None:
        """Begin to keep it alive."""
        self._waker.setblocking(False)
        self._life = asyncio.create_task(self._live(), name=f"sip-worker-{self.name}")

    async def request(
        self,
        command: Register | Unregister | Call,
        *,
        seconds: float,
        on_answered: Callable[[Answered], None] | None = None,
    ) -> AnyEvent:
        """What came of a command; WorkerFault when the worker died or said nothing for `seconds`.

        They count from when it was told: one that waited for its start is not yet to blame, nor are its other calls.
        """
        number = next(self._numbers)
        command = msgspec.structs.replace(command, id=number)
        future: asyncio.Future[AnyEvent] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(min(seconds, _START_SECONDS)):
                await self._ready.wait()
            async with asyncio.timeout(seconds):
                self._pending[number] = future
                if on_answered is not None:
                    self._answered[number] = on_answered
                self._send(command)
                event = await future
        except TimeoutError:
            if future in self._pending.values():
                self._kill()
                raise WorkerFault(
                    f"worker {self.name} said nothing for {seconds:g} s and was killed", self._last_words
                ) from None
            raise WorkerFault(f"worker {self.name} is not running: {self._words()}", self._last_words) from None
        except asyncio.CancelledError:
            if isinstance(command, Call):
                self._send(Hangup(id=number))
            raise
        finally:
            self._pending.pop(number, None)
            self._answered.pop(number, None)
        if isinstance(event, Fault):
            raise WorkerFault(event.detail)
        return event

    async def stop(self, seconds: float) -> None:
        """Let it un-register and hang up, then make sure that it is gone."""
        self._stopping.set()
        self._send(Quit(seconds=seconds))
        process = self._process
        if process is not None and self._ready.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds + 0.5):
                    await process.wait()
        self._kill()
        if self._life is not None:
            await self._life
        self._waker.close()

    async def _live(self) -> None:
        pause, longest = _BACK_OFF_SECONDS
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            try:
                ended = await self._one_life()
            except OSError as error:
                ended = f"cannot be started: {error.strerror or error}"
                self._last_words.append(ended)
            if self._stopping.is_set():
                return
            if asyncio.get_running_loop().time() - began > _SETTLED_SECONDS:
                pause = _BACK_OFF_SECONDS[0]
            log.warning("worker %s ended (%s); again in %.1f s", self.name, ended, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for of 3.11 can swallow a cancellation
                    await self._stopping.wait()
            pause = min(2 * pause, longest)

    async def _one_life(self) -> str:
        """Start it when its turn has come, read it until it ends; how it ended."""
        await self._gate.acquire()
        self._in_gate = True
        try:
            return "told to stop" if self._stopping.is_set() else await self._started()
        finally:
            self._leave_gate()

    def _leave_gate(self) -> None:
        """It runs, or never will: the next may start."""
        if self._in_gate:
            self._in_gate = False
            self._gate.release()

    async def _started(self) -> str:
        process, ours = await self._spawned()
        self.starts += 1
        if self._stopping.is_set():
            self._kill()
        words = asyncio.create_task(self._listen(process))
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
            await self._read(reader)
        finally:
            self._ready.clear()
            if self._writer is not None:
                self._writer.close()
            self._writer = None
            self._kill()
            status = await process.wait()
            await words
            self._process = None
            if self._handle is not None:
                os.close(self._handle)
            self._handle = None
            ended = f"status {status}; {self._words()}" if self._last_words else f"status {status}"
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(WorkerFault(f"worker {self.name} ended: {ended}", self._last_words))
        return ended

    async def _spawned(self) -> tuple[asyncio.subprocess.Process, socket.socket]:
        """The process and our end of its socket; OSError, and nothing left behind, when there can be none."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as stack:
            stack.callback(ours.close)
            command = [
                sys.executable, "-X", "faulthandler", "-m", "probes.sip.worker",
                "--fd", str(theirs.fileno()), "--parent", str(os.getpid()),
                "--source", self.source, "--rtp-port", str(self.rtp_port), "--clock-rate", str(self._clock_rate),
            ]  # fmt: skip
            self._process = process = await asyncio.create_subprocess_exec(
                *command,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                self._handle = os.pidfd_open(process.pid)
            except OSError:  # no descriptor is left: what we cannot watch may not run
                process.kill()
                await process.wait()
                self._process = None
                raise
            stack.pop_all()
        return process, ours

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Events until the end of the stream; garbage ends the worker."""
        late = asyncio.get_running_loop().call_later(_START_SECONDS, self._kill_unready)
        try:
            while line := await reader.readline():
                self._heard(decode_event(line.removesuffix(b"\n")))
        except (IpcError, ValueError, ConnectionError) as error:
            self._last_words.append(f"unreadable: {error}")
        finally:
            late.cancel()

    def _heard(self, event: AnyEvent) -> None:
        if isinstance(event, Ready):
            self._sip_port = event.sip_port
            self._ready.set()
            self._leave_gate()
            self._last_words.clear()  # those of a life before are not this one's
        elif isinstance(event, Answered):
            if event.id in self._answered:
                self._answered[event.id](event)
        elif isinstance(event, Fault) and event.id is None:
            log.warning("worker %s: %s", self.name, event.detail)
        else:
            future = self._pending.get(event.id or 0)
            if future is not None and not future.done():
                future.set_result(event)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep its last words: an assert of pjsip says where."""
        stream: Any = process.stderr
        while line := await stream.readline():
            self._last_words.append(line.decode("utf-8", "backslashreplace").strip()[:200])

    def _words(self) -> str:
        return self._last_words[-1] if self._last_words else "no last words"

    def _send(self, command: AnyCommand) -> None:
        if self._writer is None or not self._ready.is_set():
            return
        self._writer.write(encode(command))
        try:
            self._waker.sendto(_WAKE, (self.source, self._sip_port))
        except OSError as error:
            log.debug("worker %s: wake-up: %s; it looks by itself", self.name, error)

    def _kill_unready(self) -> None:
        if not self._ready.is_set():
            self._last_words.append(f"not ready in {_START_SECONDS:g} s")
            self._kill()

    def _kill(self) -> None:
        self._ready.clear()
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                # By descriptor: a number may be another's already, and Popen would reap it behind asyncio's back.
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
