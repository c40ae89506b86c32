"""Results arrive and are committed."""

from collections.abc import Iterator

import msgspec

from sereno.clock import SECOND_US, iso
from sereno.doctor.model import Finding, Question, broken, ok, unknown
from sereno.doctor.patient import Patient

LATE_US = 60 * SECOND_US


class Commits(msgspec.Struct, frozen=True, kw_only=True):
    now_us: int
    newest_us: int | None  # when the last result arrived
    within_us: int = LATE_US  # by when the next must have come


def look(patient: Patient) -> Commits:
    """The newest result of all."""
    from sqlalchemy import select

    from sereno.store.tables import results

    with patient.store().read() as connection:
        query = select(results.c.arrived_us).order_by(results.c.at_us.desc()).limit(1)
        newest = connection.execute(query).scalar()
    checks = patient.topology().checks
    declared = (checks.edge, checks.options, checks.natural, checks.register_, checks.call)
    every = [one.every_us for one in declared if one is not None]
    return Commits(
        now_us=patient.clock.now_us(), newest_us=None if newest is None else int(newest),
        within_us=max(LATE_US, 3 * min(every, default=LATE_US)),
    )  # fmt: skip


def judge(commits: Commits) -> Iterator[Finding]:
    """Without commits every verdict goes to unknown."""
    if commits.newest_us is None:
        yield unknown("nothing was ever committed", "start a probe and wait ten seconds; then ask again")
        return
    age_us = commits.now_us - commits.newest_us
    if age_us > commits.within_us:
        yield broken(
            "nothing was committed since {at}", "see what is said of collector, broker and probes; probes keep their "
            "results until somebody takes them", at=iso(commits.newest_us),
        )  # fmt: skip
    else:
        yield ok("the newest result arrived {seconds} s ago", seconds=max(0, age_us // SECOND_US))


QUESTION = Question(name="commits", title="Commits", look=look, judge=judge)
