"""The desk at work: reads what is said, decides by the machine, writes each round in one transaction, sends.

A round that fails leaves no trace in the store; the machine is then rebuilt from it, so memory never runs ahead.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import func, select

from alerting.channels.base import Channel
from alerting.commands import Handler, apply_pending, handlers_for
from alerting.desk import DeskMachine
from alerting.effects import Effect
from alerting.escalation.auditor import Auditor
from alerting.escalation.feeds import Feeds
from alerting.escalation.orders import handlers as oncall_orders
from alerting.escalation.roster_source import RosterSource
from alerting.heartbeat import Heartbeat
from alerting.outbox import Ack, Dispatcher
from alerting.reports import ReportPost
from alerting.storage import BATCH, Memory
from sereno.alarms import Alarms, load_alarms
from sereno.clock import SECOND_US, Clock
from sereno.contract import load_contract
from sereno.desk import Desk as DeskModel
from sereno.desk.notifications import Heartbeat as HeartbeatConfig
from sereno.errors import StoreError
from sereno.press import Press
from sereno.store import Store
from sereno.store.commands import Command
from sereno.store.lease import LeaseLostError
from sereno.store.tables import commands, verdict_changes
from sereno.tasks import in_thread
from sereno.topology.model import Topology

log = logging.getLogger(__name__)
DEFAULT_CONTRACT = "callmyway"  # with neither desk nor customers: clocks that run 24×7, the strictest reading
URL_VARIABLE = "SERENO_URL"
_SAY_SECONDS = 60.0
POLL_SECONDS = 0.1  # commands must be applied within 250 ms; what the collector commits wakes us at once


class Desk:
    """The machine and its memory in the store, one round at a time; no loop, no network."""

    def __init__(
        self, store: Store, machine: DeskMachine, clock: Clock,
        *, handlers: Mapping[str, Handler] | None = None,
    ) -> None:  # fmt: skip
        self._store, self._machine, self._clock = store, machine, clock
        self._handlers = {**_orders(machine), **(handlers or {})}
        self._memory: Memory | None = None
        self._rosters = RosterSource()
        self._lock = threading.Lock()

    def replace(self, machine: DeskMachine) -> None:
        """Another topology, desk or alarm file is in force from the next round on."""
        with self._lock:
            self._machine = machine
            self._handlers |= _orders(machine)
            self._memory = None

    def round(self) -> tuple[int, list[Command], bool]:
        """One round: (messages to send, commands done, whether more waits)."""
        with self._lock:
            memory = self._memory or self._remember()
            if not self._anything(memory):
                return 0, [], False
            try:
                return self._decide(memory)
            except BaseException:
                self._memory = None  # the transaction is gone: forget what only memory holds
                raise

    def next_due_us(self) -> int | None:
        return self._machine.next_due_us()

    def _remember(self) -> Memory:
        memory = Memory()
        with self._store.read() as connection:
            memory.load(connection, self._machine)
        self._memory = memory
        return memory

    def _anything(self, memory: Memory) -> bool:
        due = self._machine.next_due_us()
        if due is not None and due <= self._clock.now_us():
            return True
        with self._store.read() as connection:
            last = connection.execute(select(func.max(verdict_changes.c.id))).scalar()
            asked = connection.execute(select(commands.c.id).where(commands.c.state == "pending").limit(1)).scalar()
        return asked is not None or (last is not None and int(last) > memory.position)

    def _decide(self, memory: Memory) -> tuple[int, list[Command], bool]:
        machine, effects, position = self._machine, list[Effect](), memory.position
        machine.escalation.horizon_us = self._clock.now_us()
        with self._store.write() as connection:
            memory.take_steps(connection, machine, machine.escalation.horizon_us)
            self._rosters.refresh(connection, machine.escalation.roster, machine.escalation.horizon_us)
            news = memory.news(connection)
            for number, change in news:
                effects += machine.change(change)
                position = number
            more = len(news) == BATCH
            done: list[Command] = []
            if not more:  # with news still to read, neither time nor people may run ahead of it
                now_us = self._clock.now_us()
                effects += machine.tick(now_us)
                decided, done = apply_pending(connection, machine, self._handlers, now_us)
                effects += decided
            messages = memory.write(connection, machine, effects, position, self._clock.now_us())
        memory.wrote(machine, position)
        return messages, done, more


def _orders(machine: DeskMachine) -> dict[str, Handler]:
    roster = machine.escalation.roster
    return {**handlers_for(machine.topology), **oncall_orders(roster.desk, roster.zone)}


def machine_for(
    topology: Topology, desk: DeskModel | None, beside: Path | None, alarms: Alarms | None = None
) -> DeskMachine:
    """The machine of a topology and a desk; contracts and alarms from the folder `beside`, else the shipped ones.

    Messages carry the incident's address when `SERENO_URL` says where people reach the page.
    """
    names = {customer.contract for customer in topology.customers.values()}
    names.add(desk.contract if desk is not None else min(names, default=DEFAULT_CONTRACT))
    contracts = {name: load_contract(name, beside) for name in sorted(names)}
    declared = alarms if alarms is not None else load_alarms(beside)
    return DeskMachine(topology, desk, contracts, declared, os.environ.get(URL_VARIABLE))


class AlertingService:
    """The desk inside a collector: `run()` until cancelled, `wake()` after each commit of verdict changes.

    Nothing is handed over while `may_speak` says no: another collector may be the writer, and send it by now.
    """

    def __init__(
        self, store: Store, machine: DeskMachine, clock: Clock, channels: Mapping[str, Channel],
        *, handlers: Mapping[str, Handler] | None = None,
        on_command: Callable[[Command], None] | None = None,
        may_speak: Callable[[], bool] = lambda: True,
        ack: Ack | None = None, heartbeat: HeartbeatConfig | None = None,
    ) -> None:  # fmt: skip
        self.desk = Desk(store, machine, clock, handlers=handlers)
        press = Press(store.url)
        self._dispatcher = Dispatcher(store, channels, clock, may_speak, ack=ack, render=press.render)
        self._reports = ReportPost(
            store, machine.topology, machine.model, machine.contracts, clock, press, may_speak=may_speak,
            wake=self._dispatcher.wake,
        )  # fmt: skip
        self._feeds = Feeds(store, machine.escalation.roster, clock, may_speak)
        self._auditor = Auditor(store, machine.topology.service, machine.escalation.roster, clock, may_speak)
        self._rounded_us: int | None = None
        self._said_at: float | None = None
        self._heartbeat: Heartbeat | None = None
        if heartbeat is not None:
            self._heartbeat = Heartbeat(
                store, heartbeat, machine.topology, clock, rounded_us=lambda: self._rounded_us, may_speak=may_speak
            )
        self._clock = clock
        self._on_command = on_command
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was committed that concerns the desk."""
        self._wake.set()

    async def run(self) -> None:
        """Rounds and deliveries until cancelled."""
        beside = [
            asyncio.create_task(self._dispatcher.run(), name="outbox"),
            asyncio.create_task(self._feeds.run(), name="rotas"),
            asyncio.create_task(self._auditor.run(self.wake), name="auditor"),
            asyncio.create_task(self._reports.run(), name="reports"),
        ]
        if self._heartbeat is not None:
            beside.append(asyncio.create_task(self._heartbeat.run(), name="heartbeat"))
        try:
            while not any(task.done() for task in beside):
                await self._once()
            for task in beside:
                if task.done():
                    task.result()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _once(self) -> None:
        self._wake.clear()
        try:
            messages, done, more = await in_thread(self.desk.round)
        except LeaseLostError:
            raise
        except StoreError as error:
            self._troubled(str(error))
            await asyncio.sleep(POLL_SECONDS)
            return
        self._rounded_us, self._said_at = self._clock.now_us(), None
        if messages:
            self._dispatcher.wake()
        for command in done:
            if self._on_command is not None:
                self._on_command(command)
        if more:
            return
        try:
            async with asyncio.timeout(self._patience()):  # wait_for of 3.11 can swallow a cancellation
                await self._wake.wait()
        except TimeoutError:
            return

    def _troubled(self, words: str) -> None:
        """A round failed: said once a minute, not ten times a second; the heartbeat stops by itself."""
        at = self._clock.monotonic()
        if self._said_at is None or at - self._said_at >= _SAY_SECONDS:
            self._said_at = at
            log.error("desk: a round failed, nothing is decided or told until one does not: %s", words)

    def _patience(self) -> float:
        due = self.desk.next_due_us()
        if due is None:
            return POLL_SECONDS
        return min(POLL_SECONDS, max(0.001, (due - self._clock.now_us()) / SECOND_US))
