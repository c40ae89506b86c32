"""A pjsua2 worker process: `python -m probes.sip.worker --fd N --source 127.0.0.1 --rtp-port 20000`.

One thread. It sleeps in pjsip's own event loop; the pool wakes it after each command with a datagram of two line ends
to its SIP port, which pjsip takes for a keep-alive (RFC 5626 section 3.5.1) and ignores. It dies with its parent.
"""

import argparse
import ctypes
import os
import resource
import signal
import socket
import sys
import time
from typing import Protocol

from probes.sip.ipc import (
    LINE_LIMIT,
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
    decode_command,
    encode,
)

_SLEEP_SECONDS = 0.5  # when a wake-up is lost
_PR_SET_PDEATHSIG = 1
_MEMORY_OCTETS = 256 << 20  # six times what four calls need; one that grows beyond it ends, and says so
_BEHIND_OCTETS = 4 << 20  # a pool that reads nothing any more


class Operation(Protocol):
    """Something in progress: ticked when due, forgotten when done."""

    deadline: float
    done: bool

    def start(self) -> None:
        """Begin."""

    def tick(self, now: float) -> None:
        """Do what is due."""


class Channel:
    """The pool's end of the socketpair, without ever waiting for it to speak."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._read, self._unsent = b"", b""

    def send(self, event: AnyEvent) -> None:
        """Queue an event; it goes out at the next `flush` at the latest."""
        self._unsent += encode(event)
        self.flush()

    def flush(self) -> None:
        """Write what the pool has room for; ConnectionError when it is gone."""
        while self._unsent:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                if len(self._unsent) > _BEHIND_OCTETS:
                    raise ConnectionError("the pool does not read") from None
                return

    def commands(self) -> list[AnyCommand]:
        """What has arrived; ConnectionError when the pool is gone, IpcError for garbage."""
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            if not data:
                raise ConnectionError("the pool is gone")
            self._read += data
            if len(self._read) > LINE_LIMIT:
                raise IpcError("a line without an end")
        *lines, self._read = self._read.split(b"\n")
        return [decode_command(line) for line in lines]


class Worker:
    """Commands in, events out, pjsua2 in between."""

    def __init__(self, channel: Channel, source: str, rtp_port: int, clock_rate: int) -> None:
        from probes.sip.ua import UserAgent  # after stdout is closed: the library prints while it loads

        self._channel = channel
        self._ua = UserAgent(source, rtp_port, clock_rate)
        self._operations: list[Operation] = []
        self._quit_at: float | None = None

    def run(self) -> None:
        """Until told to quit, or the pool is gone."""
        self._channel.send(Ready(sip_port=self._ua.sip_port))
        while not self._finished():
            self._ua.poll(self._milliseconds())
            for command in self._channel.commands():
                self._obey(command)
            self._tick()
            self._channel.flush()

    def _obey(self, command: AnyCommand) -> None:
        from probes.sip.ua_call import CallInProgress
        from probes.sip.ua_register import Registration

        if isinstance(command, Quit):
            self._leave(command.seconds)
        elif isinstance(command, Hangup):
            for operation in self._operations:
                if isinstance(operation, CallInProgress) and operation.id == command.id:
                    operation.hang_up()
        elif isinstance(command, Call):
            self._begin(CallInProgress(self._ua, command, self._channel.send), command.id)
        elif isinstance(command, Register | Unregister):
            self._begin(Registration(self._ua, command, self._channel.send), command.id)

    def _begin(self, operation: "Operation", number: int) -> None:
        try:
            operation.start()
        except RuntimeError as error:
            self._channel.send(Fault(id=number, detail=str(error)))
            return
        if not operation.done:
            self._operations.append(operation)

    def _tick(self) -> None:
        now = time.monotonic()
        for operation in self._operations:
            operation.tick(now)
        if any(operation.done for operation in self._operations):
            self._operations = [operation for operation in self._operations if not operation.done]
            self._quiet()

    def _quiet(self) -> None:
        from probes.sip.ua_call import CallInProgress

        self._ua.sound(on=any(isinstance(operation, CallInProgress) for operation in self._operations))

    def _leave(self, seconds: float) -> None:
        """Hang up and un-register what is live; `_finished` when all is answered or the time is over."""
        from probes.sip.ua_call import CallInProgress

        self._quit_at = time.monotonic() + seconds
        for operation in self._operations:
            if isinstance(operation, CallInProgress):
                operation.hang_up()
        for account in list(self._ua.registered()):
            self._obey(Unregister(id=0, key=account.spec.key, timeout_seconds=seconds))

    def _finished(self) -> bool:
        return self._quit_at is not None and (not self._operations or time.monotonic() >= self._quit_at)

    def _milliseconds(self) -> int:
        due = min((operation.deadline for operation in self._operations), default=float("inf"))
        wait = min(due - time.monotonic(), _SLEEP_SECONDS)
        return max(0, int(wait * 1000) + 1)


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent ends, however it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def main(arguments: list[str] | None = None) -> None:
    """Serve the pool; ends without tearing pjsua2 down, whose asserts would make a crash of it."""
    parser = argparse.ArgumentParser(prog="sip-worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--rtp-port", type=int, required=True)
    parser.add_argument("--clock-rate", type=int, default=8000)
    options = parser.parse_args(arguments)
    die_with_parent(options.parent)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_OCTETS, _MEMORY_OCTETS))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool says when to go
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pjlib prints before it can be told not to
    try:
        Worker(Channel(options.fd), options.source, options.rtp_port, options.clock_rate).run()
    except ConnectionError:
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - whatever it is, leave without pjsua2's destructors
        reason = getattr(error, "reason", "")  # `str()` of pjsua2's own is empty
        said = f"sip-worker: {type(error).__name__}: {error}{reason}\n"
        sys.stderr.write(said.encode(errors="backslashreplace").decode())
        sys.stderr.flush()
        os._exit(70)
    os._exit(0)


if __name__ == "__main__":
    main()
