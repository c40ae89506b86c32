"""Results that probes measured and nobody will ever have: unknown time in every report."""

from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient


class Holes(msgspec.Struct, frozen=True, kw_only=True):
    probe: str
    missing: int
    dropped: int  # given up by the running probe itself


def look(patient: Patient) -> list[Holes]:
    """What each probe's cursors leave out."""
    return [
        Holes(probe=one.probe, missing=one.missing, dropped=(one.status.dropped or 0) if one.status else 0)
        for one in patient.standings()
    ]


def judge(holes: list[Holes]) -> Iterator[Finding]:
    """A hole is for ever; only the next one can be prevented."""
    for one in holes:
        if one.missing or one.dropped:
            yield warning(
                "{count} results are lost for ever", "look at the probe's disk and at its spool's bound, and at how "
                "long the broker was away; `sereno probes` lists the holes", f"probe {one.probe}",
                count=max(one.missing, one.dropped),
            )  # fmt: skip
    if holes and not any(one.missing or one.dropped for one in holes):
        yield ok("no result is missing")


QUESTION = Question(name="holes", title="Holes", look=look, judge=judge)
