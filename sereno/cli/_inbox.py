"""Asking the desk for something: through the active collector or, when none runs, by doing it here under the lock."""

import getpass
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sereno.cli._words import span
from sereno.clock import SECOND_US, SystemClock
from sereno.errors import SerenoError, StoreError, UsageError
from sereno.instance import RunningError, data_directory, lock, open_store
from sereno.store import Store
from sereno.store.commands import Outcome, collector_alive, submit, wait

ANSWER_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_AHEAD_US = 60 * SECOND_US


class RefusedByDeskError(SerenoError):
    """The desk's own words, with the exit status that it gave them."""

    def __init__(self, outcome: Outcome) -> None:
        self.exit_code = outcome.code or 1
        super().__init__(outcome.text)


def ask(data: Path | None, database: str | None, verb: str, arguments: Mapping[str, Any], who: str | None) -> str:
    """What was done, in words; RefusedByDeskError with why not."""
    return outcome_of(data, database, verb, arguments, who).text


def outcome_of(
    data: Path | None, database: str | None, verb: str, arguments: Mapping[str, Any], who: str | None
) -> Outcome:
    """What was done, with the number of what it made; RefusedByDeskError with why not."""
    for text in (who, *arguments.values()):
        if isinstance(text, str) and _is_garbled(text):
            raise UsageError(f"{text!r}: is not text in UTF-8; write it again")
    store = open_store(data, database)
    try:
        alive = collector_alive(store)
        if not alive:
            stored_machine(store)  # what cannot be carried out is not left in the inbox for a better day
        command = submit(store, verb, arguments, who or user())
        if alive:
            outcome = wait(store, command, ANSWER_SECONDS)
        else:
            outcome = _apply_here(store, command, None if database else data_directory(data))
    finally:
        store.dispose()
    if outcome.state == "pending":
        raise StoreError(
            "the collector did not answer in 5 s; the order stays in its inbox: see logs/collector.log in the data"
        )
    if outcome.state == "refused":
        raise RefusedByDeskError(outcome)
    return outcome


def _is_garbled(text: str) -> bool:
    """Whether it holds octets that are no UTF-8 (they arrive from the command line as lone surrogates)."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _apply_here(store: Store, command: int, folder: Path | None) -> Outcome:
    """Nothing runs: the same round that a collector would make, as the writer for that long.

    Where somebody turns out to run after all (another command just now; a machine whose clock is off), it applies the
    command meanwhile.
    """
    clock = SystemClock()
    deadline = clock.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with lock(folder, _LOOK_SECONDS) if folder is not None else nullcontext():
                return _as_writer(store, command, clock, deadline)
        except RunningError:
            found = wait(store, command, _LOOK_SECONDS)
            if found.state != "pending" or clock.monotonic() > deadline:
                return found


def _as_writer(store: Store, command: int, clock: SystemClock, deadline: float) -> Outcome:
    """Alone on the data: takes the lease, runs the desk's round, gives the lease back."""
    from alerting.service import Desk
    from sereno.store.lease import Lease

    lease = Lease(store, clock.monotonic)
    while not lease.try_take(clock.now_us()):
        found = wait(store, command, _LOOK_SECONDS)
        if found.state != "pending" or clock.monotonic() > deadline:
            return found
    try:
        machine = stored_machine(store)
        desk = Desk(store.fenced(lease.check), machine, clock)
        while desk.round()[2]:
            continue
        _tell_ahead(machine.now_us - clock.now_us())
    finally:
        lease.release()
    return wait(store, command, 0.0)


def _tell_ahead(ahead_us: int) -> None:
    """The desk's time never goes back: who once wrote with a clock that was ahead dates all that follows."""
    if ahead_us > _AHEAD_US:
        sys.stderr.write(
            f"sereno: la mesa va {span(ahead_us // SECOND_US)} por delante de esta máquina y fecha así lo que se hace: "
            "alguna vez se escribió con un reloj adelantado; ponga en hora las máquinas\n"
        )


def stored_machine(store: Store) -> Any:
    """The machine of the topology and desk that were accepted last."""
    import msgspec
    from sqlalchemy import select

    from alerting.service import machine_for
    from sereno.desk import desk_from_json
    from sereno.store.tables import topologies
    from sereno.topology import topology_from_json

    with store.read() as connection:
        row = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).first()
    if row is None:
        raise StoreError("no topology was ever accepted here; start `sereno up` once")
    desk = desk_from_json(msgspec.json.decode(row.desk)) if row.desk else None
    beside = Path(row.beside) if row.beside else None
    return machine_for(topology_from_json(msgspec.json.decode(row.topology)), desk, beside)


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in some containers
        return "cli"
