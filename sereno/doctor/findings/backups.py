"""A copy of the store exists that is not the store."""

from collections.abc import Iterator

import msgspec

from sereno.clock import SECOND_US, iso
from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient

OLD_US = 36 * 3_600 * SECOND_US
_YOUNG_US = 24 * 3_600 * SECOND_US  # a store of this morning needs none yet
MADE = "backup.make"  # in the audit log


class Copies(msgspec.Struct, frozen=True, kw_only=True):
    """`newest_us`: when the last proven copy was made; `store_us`: when the store begins."""

    now_us: int
    newest_us: int | None
    store_us: int | None


def look(patient: Patient) -> Copies:
    """What `sereno backup` noted, and the files in the folder named with --backups."""
    from sqlalchemy import func, select

    from sereno.store.tables import audit, topologies

    with patient.store().read() as connection:
        made = select(func.max(audit.c.at_us)).where(audit.c.what == MADE, audit.c.outcome == "done")
        noted = connection.execute(made).scalar()
        first = connection.execute(select(func.min(topologies.c.from_us))).scalar()
    times = [int(noted)] if noted is not None else []
    folder = patient.asked.backups
    times += [file.stat().st_mtime_ns // 1_000 for file in folder.glob("*.backup")] if folder is not None else []
    return Copies(
        now_us=patient.clock.now_us(),
        newest_us=max(times, default=None),
        store_us=None if first is None else int(first),
    )


def judge(found: Copies) -> Iterator[Finding]:
    """The ledger and the incidents of years are in this one place."""
    mend = "sereno backup -o /another/disk/ every day by cron or a systemd timer; `sereno restore` proves it"
    if found.newest_us is None:
        if found.store_us is None or found.now_us - found.store_us < _YOUNG_US:
            yield ok("none yet, and the store is younger than a day")
        else:
            yield warning("no backup was ever made", mend)
    elif found.now_us - found.newest_us > OLD_US:
        yield warning("the last backup is of {at}", mend, at=iso(found.newest_us))
    else:
        yield ok("the last one is of {at}", at=iso(found.newest_us))


QUESTION = Question(name="backups", title="Backups", look=look, judge=judge)
