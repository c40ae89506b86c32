"""Does the chain hold, does every row lie under its seal? Reads a store; decides by `collector.ledger.seal`."""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection

from collector.ledger import seal
from collector.ledger.seal import Fault
from sereno.store.queries import seals
from sereno.store.queries.seals import DAY_US, Seal


class Verdict(NamedTuple):
    """What a check of the ledger found."""

    days: int  # sealed ones looked at
    seals: int
    rows: int
    last: Seal | None
    faults: list[Fault]  # the first day first; those of the chain itself before all
    unsealed: list[int]  # days whose time has come and that nobody sealed yet


def verify(
    connection: Connection, now_us: int, from_us: int | None = None, to_us: int | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Verdict:  # fmt: skip
    """The whole chain; the rows of the days that touch [from, to), of all without it."""
    chain = seals.seals(connection)
    faults = seal.chain_faults(chain)
    newest = {one.day_us: one.id for one in chain}
    wanted = [one for one in chain if _touches(one.day_us, from_us, to_us)]
    rows = 0
    for place, one in enumerate(sorted(wanted, key=lambda one: (one.day_us, one.id))):
        progress(place / len(wanted))
        then = seals.rows_of(connection, one.day_us, one.upto)
        now = seals.rows_of(connection, one.day_us) if newest[one.day_us] == one.id else None
        fault = seal.rows_fault(one, then, now)
        if fault is not None and not any(known.seal == fault.seal for known in faults):
            faults.append(fault)
        if now is not None:
            rows += len(now)
    written = [day for day in seals.days_in_force(connection) if _touches(day, from_us, to_us)]
    unsealed = seal.due_days(written, {one.day_us: one for one in chain}, now_us)
    last = chain[-1] if chain else None
    return Verdict(len({one.day_us for one in wanted}), len(chain), rows, last, faults, unsealed)


def _touches(day_us: int, from_us: int | None, to_us: int | None) -> bool:
    return (from_us is None or day_us + DAY_US > from_us) and (to_us is None or day_us < to_us)
