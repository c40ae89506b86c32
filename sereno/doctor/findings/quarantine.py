"""Results that were refused and kept apart: a few are history, many of late are a fault."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from sereno.clock import SECOND_US
from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient

HOUR_US = 3_600 * SECOND_US
_MOST = 5_000


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Of the last hour."""

    probe: str
    count: int
    why: str


def look(patient: Patient) -> list[Refused]:
    """What was refused within the hour, by probe."""
    from sqlalchemy import select

    from sereno.store.tables import quarantine

    columns = quarantine.c
    with patient.store().read() as connection:
        query = select(columns.probe, columns.why).where(columns.arrived_us >= patient.clock.now_us() - HOUR_US)
        rows = connection.execute(query.order_by(columns.id.desc()).limit(_MOST)).all()
    counts = Counter(row.probe for row in rows)
    newest = {row.probe: row.why for row in reversed(rows)}
    return [Refused(probe=probe, count=count, why=newest[probe]) for probe, count in sorted(counts.items())]


def judge(refused: list[Refused]) -> Iterator[Finding]:
    """Refused results are unknown time."""
    for one in refused:
        yield warning(
            "{count} results were refused within the hour; the last: {why}", "look at the probe's clock and version; "
            "`sereno probes` says more", f"probe {one.probe}", count=one.count, why=one.why,
        )  # fmt: skip
    if not refused:
        yield ok("nothing was refused within the hour")


QUESTION = Question(name="quarantine", title="Quarantine", look=look, judge=judge)
