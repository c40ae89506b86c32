"""The supervisor of one lab: starts its components, proves them, breaks and heals them on command, leaves nothing.

It listens on a Unix socket in the state directory: one JSON request a line, one JSON answer a line. In the lab nothing
is restarted by itself: what was killed stays dead until it is healed.
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from deploy.lab import proof
from deploy.lab.faults import Fault, healed, parse
from deploy.lab.machine import Machine, kamailio_program
from deploy.lab.media import check_programs
from deploy.lab.plan import Plan
from deploy.lab.ports import check_free
from deploy.lab.process import LabError, kill_marked, start_reaper
from deploy.lab.render import log_file, render
from sereno.clock import SystemClock, iso
from sereno.errors import SerenoError, UsageError

CONTROL = "control"  # the Unix socket's name in the state directory
_READY_SECONDS = 20.0
_SLICE_SECONDS = 1.0
_LEAVING_SECONDS = 1.0  # what a reaper has just killed holds its sockets until it is quite gone

Say = Callable[[str], None]


class Supervisor:
    """One lab, from the lock to the last process killed."""

    def __init__(self, lab: Plan, state: Path, say: Say) -> None:
        self._lab, self._state, self._say = lab, state, say
        self._clock = SystemClock()
        self._mark = f"{state}:{secrets.token_hex(8)}"
        self._machines = {one.name: Machine(one, lab, state, self._mark) for one in lab.components}
        self._faults: dict[Fault, int] = {}  # active, and since when
        self._ready = False
        self._busy = asyncio.Lock()
        self._stop = asyncio.Event()

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Up, serve until told to stop, down. The state directory stays only when the start failed: for its logs."""
        kamailio_program()
        check_programs(self._lab)
        lock = lock_state(self._state)
        try:
            kill_marked(f"{self._state}:")
            shutil.rmtree(self._state, ignore_errors=True)
            check_free(self._lab, _LEAVING_SECONDS)
            self._state.mkdir(mode=0o700)
            reaper = start_reaper(self._mark)
            try:
                await self._serve(on_ready)
            finally:
                for machine in self._machines.values():
                    machine.kill()
                kill_marked(self._mark)
                reaper.communicate()  # closes the pipe: it looks once more, finds nothing and ends
            shutil.rmtree(self._state)
        finally:
            os.close(lock)

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(signum, self._stop.set)
        render(self._lab, self._state)
        server = await asyncio.start_unix_server(self._client, self._state / CONTROL)
        started = asyncio.create_task(self._start())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            await started
            on_ready()
            await stopped
        started.cancel()
        server.close()

    async def _start(self) -> None:
        """Everything up and proved; LabError names what is not, and where its log is."""
        async with self._busy:
            for component in self._lab.components:
                self._machines[component.name].start()
                self._say(f"{component.name} started on {component.address}")
            await self._prove()
            self._ready = True
        self._say(f"ready: {len(proof.questions(self._lab, ()))} ways asked, all answered")

    async def _prove(self) -> None:
        """Everything that should work with the present faults does; LabError otherwise."""
        faults = tuple(self._faults)
        end = time.monotonic() + _READY_SECONDS
        asked = proof.questions(self._lab, faults)
        while True:
            unanswered = await proof.prove(asked, _SLICE_SECONDS)
            failed = [one.name for one in unanswered] or proof.blind_dispatchers(self._lab, self._state, faults)
            failed = failed or await proof.mute_relays(self._lab, self._state, faults, _SLICE_SECONDS)
            if not failed:
                return
            self._raise_if_dead()
            if time.monotonic() > end:
                where = log_file(self._state, "*")
                raise LabError(f"lab: no proof of {', '.join(failed)} in {_READY_SECONDS:.0f} s; see {where}")
            await asyncio.sleep(0.05)

    def _raise_if_dead(self) -> None:
        killed = {fault.component for fault in self._faults if fault.kind == "kill"}
        for name, machine in self._machines.items():
            if name not in killed and machine.state() == "dead":
                raise LabError(f"lab: {name} died by itself; see {log_file(self._state, name)}")

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        try:
            request = json.loads(await reader.readline())
            answer = await self._answer(request.get("verb"), request.get("what"))
        except SerenoError as error:
            answer = {"error": str(error)}
        except ValueError as error:
            answer = {"error": f"lab: not a request: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def _answer(self, verb: str, what: str | None) -> dict[str, Any]:
        if verb == "status":
            return self.status()
        if verb == "ready":
            return {"ready": self._ready}
        if verb == "down":
            self._stop.set()
            return {}
        async with self._busy:
            if verb == "break" and what is not None:
                return self.break_(what)
            if verb == "heal":
                return await self.heal(what)
        raise UsageError(f"lab: no such verb {verb!r}")

    def status(self) -> dict[str, Any]:
        """Every component's state and the faults that are on."""
        return {
            "net": self._lab.net,
            "up": True,
            "ready": self._ready,
            "supervisor": os.getpid(),
            "state_dir": str(self._state),
            "components": {
                name: {
                    "kind": machine.component.kind,
                    "address": f"{machine.component.address}:5060",
                    "state": machine.state(),
                    "pid": machine.pid,
                    "calls": machine.calls() if machine.component.kind == "core" else None,
                }
                for name, machine in self._machines.items()
            },
            "faults": [{"what": fault.text, "at": iso(at_us)} for fault, at_us in self._faults.items()],
            "media": self._media(),
        }

    def _media(self) -> list[dict[str, Any]]:
        """The truth of every stream, named after the SBC that it passed."""
        return [{"sbc": name, **stream} for name, machine in self._machines.items() for stream in machine.media()]

    def break_(self, what: str) -> dict[str, Any]:
        """Make it so; the same fault again answers when it began."""
        fault = parse(what, self._lab)
        if fault not in self._faults:
            self._faults[fault] = self._effect(fault)
            self._forget_what_died(fault)
            self._say(f"{iso(self._faults[fault])} {fault.text} broken")
        return {"what": what, "at": iso(self._faults[fault])}

    def _effect(self, fault: Fault) -> int:
        machine = self._machines[fault.component]
        state = machine.state()
        if state == "dead" or (state == "frozen" and fault.kind not in {"kill", "freeze"}):
            raise LabError(
                f"lab: {fault.component} is {state}; heal it first: sereno lab heal {fault.component}{self._lab.flag}"
            )
        if fault.kind == "kill":
            return machine.kill()
        if fault.kind == "freeze":
            return machine.freeze()
        same = [one for one in self._faults if fault.replaces(one)]
        if fault.is_media:
            at_us = machine.impair([fault, *self._media_faults(fault.component, but=same)])
        else:
            at_us = machine.switch(fault, on=True)
        for one in same:
            del self._faults[one]
        return at_us

    def _media_faults(self, component: str, but: Collection[Fault]) -> list[Fault]:
        return [one for one in self._faults if one.component == component and one.is_media and one not in but]

    def _forget_what_died(self, fault: Fault) -> None:
        """A killed machine has no other fault: its switches died with it."""
        if fault.kind == "kill":
            self._faults = {
                one: at_us for one, at_us in self._faults.items() if one == fault or one.component != fault.component
            }

    async def heal(self, what: str | None) -> dict[str, Any]:
        """Undo one fault, everything of one component, or everything; ends when all that should work is proved."""
        mended = list(self._faults) if what is None else healed(what, self._lab, self._faults)
        touched = {fault.component for fault in mended}
        # One that died by itself is no fault of ours, but healing it, or everything, brings it back.
        touched |= {name for name, one in self._machines.items() if what in {None, name} and one.state() == "dead"}
        for name in touched:
            self._mend(self._machines[name], [fault for fault in mended if fault.component == name])
        for fault in mended:
            del self._faults[fault]
        faults = tuple(self._faults)
        own = [one for one in proof.questions(self._lab, faults) if one.component in touched]
        await proof.prove(own, _SLICE_SECONDS)  # a first look, for the instant; the real proof follows
        at_us = self._clock.now_us()
        await self._prove()
        if what is None:
            for machine in self._machines.values():
                machine.let_go()
        self._say(f"{iso(at_us)} {what or 'all'} healed")
        return {"what": what or "all", "at": iso(at_us), "ready": iso(self._clock.now_us())}

    def _mend(self, machine: Machine, faults: list[Fault]) -> None:
        """In the order that works: alive first, then running, then its switches."""
        if machine.state() == "dead":
            machine.start()  # as new: its switches are off
            return
        if any(fault.kind == "freeze" for fault in faults):
            machine.thaw()
        for fault in faults:
            if fault.is_switch:
                machine.switch(fault, on=False)
        if any(fault.is_media for fault in faults):
            machine.impair(self._media_faults(machine.component.name, but=faults))


def lock_state(state: Path) -> int:
    """The lock beside a state directory, held for life; LabError when another supervisor holds it."""
    state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = lock_path(state)
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise LabError(f"lab: a lab is up in {state}; stop it with: sereno lab down --net {state.name}") from None
        # `down` removes the file while it holds the lock: one that is no longer there guards nothing.
        if path.exists() and path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)


def lock_path(state: Path) -> Path:
    return state.with_name(f"{state.name}.lock")
