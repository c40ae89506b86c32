"""The chain of sealed days: what a seal vouches for, as text that any SHA-256 tool can check (docs/availability.md).

A seal hashes the hash of the seal before it, its own columns, and every row in force of its day. Rows and seals are
never rewritten: a day that late results changed gets another seal, which names the one that it revises.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sereno.clock import iso
from sereno.store.queries.seals import DAY_US, Seal, SealedRow

FORMAT = 1
FIRST = "0" * 64  # what stands for the hash before the first seal
CHANGED = "its rows changed after it was sealed, and no seal revises it"
SEAL_AFTER_US = DAY_US  # after a day's end: late results have had their time


class Fault(NamedTuple):
    """Something that does not fit: of a day (None: of the chain as a whole), at a seal."""

    day_us: int | None
    seal: int | None
    what: str


def day_of(at_us: int) -> int:
    """The beginning of the UTC day that an instant lies in."""
    return at_us - at_us % DAY_US


def day_name(day_us: int) -> str:
    """`2026-11-20`."""
    return iso(day_us)[:10]


def canonical(seal: Seal, rows: Iterable[SealedRow]) -> bytes:
    """What is hashed: nine lines of the seal, an empty one, a line of nine fields for each row; each ends in LF."""
    head = (
        f"sereno ledger seal {seal.format}",
        f"previous: {seal.previous}",
        f"seal: {seal.id}",
        f"day: {iso(seal.day_us)}",
        f"upto: {seal.upto}",
        f"rows: {seal.rows}",
        f"sealed: {iso(seal.sealed_us)}",
        f"revises: {_or_dash(seal.revises)}",
        f"note: {_or_dash(seal.note)}",
        "",
    )
    lines = (
        "\t".join(
            (
                str(row.id), row.kind, row.name, row.state, iso(row.from_us), iso(row.to_us), _or_dash(row.reason),
                str(row.interval_us), iso(row.written_us),
            )
        )
        for row in rows
    )  # fmt: skip
    return "".join(f"{line}\n" for line in (*head, *lines)).encode()


def digest(seal: Seal, rows: Iterable[SealedRow]) -> str:
    """The hash that the seal must have."""
    return hashlib.sha256(canonical(seal, rows)).hexdigest()


def sealed(
    last: Seal | None, rows: Sequence[SealedRow], *,
    day_us: int, upto: int, now_us: int, revises: int | None = None, note: str | None = None,
) -> Seal:  # fmt: skip
    """The next link of the chain."""
    seal = Seal(
        id=1 if last is None else last.id + 1,
        format=FORMAT,
        day_us=day_us,
        upto=upto,
        rows=len(rows),
        hash="",
        previous=FIRST if last is None else last.hash,
        sealed_us=now_us,
        revises=revises,
        note=None if note is None else " ".join(note.split()),
    )
    return seal._replace(hash=digest(seal, rows))


def chain_faults(chain: Sequence[Seal]) -> list[Fault]:
    """Where the links themselves do not follow from each other; rows are another question."""
    found: list[Fault] = []
    before: Seal | None = None
    newest: dict[int, int] = {}
    for place, seal in enumerate(chain, start=1):
        if seal.id != place:
            found.append(Fault(seal.day_us, seal.id, f"seal {place} is missing, {seal.id} comes in its place"))
        if seal.format != FORMAT:
            found.append(Fault(seal.day_us, seal.id, f"unknown format {seal.format} of the seal"))
        expected = FIRST if before is None else before.hash
        if seal.previous != expected:
            found.append(Fault(seal.day_us, seal.id, "the hash of the seal before it is not the one that it holds"))
        if before is not None and seal.upto < before.upto:
            found.append(Fault(seal.day_us, seal.id, "it was sealed when the ledger was shorter than before"))
        if seal.revises != newest.get(seal.day_us):
            found.append(Fault(seal.day_us, seal.id, f"it revises {_or_dash(seal.revises)}, not the day's last seal"))
        newest[seal.day_us] = seal.id
        if found:
            break  # what follows hangs on what is broken
        before = seal
    return found


def rows_fault(seal: Seal, then: Sequence[SealedRow], now: Sequence[SealedRow] | None) -> Fault | None:
    """Whether the rows are what the seal vouches for; `now`: those in force today, of a day's last seal only."""
    if len(then) != seal.rows:
        return Fault(seal.day_us, seal.id, f"{seal.rows} rows were sealed and {len(then)} are there")
    if digest(seal, then) != seal.hash:
        return Fault(seal.day_us, seal.id, "its rows or its own fields are not those that were sealed")
    if now is not None and [row.id for row in now] != [row.id for row in then]:
        return Fault(seal.day_us, seal.id, CHANGED)
    return None


def due_days(written: Iterable[int], newest: Mapping[int, Seal], now_us: int) -> list[int]:
    """Days whose time to be sealed has come and that never were."""
    return [day for day in written if day not in newest and day + DAY_US + SEAL_AFTER_US <= now_us]


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)
