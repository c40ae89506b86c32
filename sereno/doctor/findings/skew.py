"""Probes' clocks against the collector's, as each probe measures it."""

from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, unknown, warning
from sereno.doctor.patient import Patient

OFF_SECONDS, INVALID_SECONDS = 0.1, 0.5  # the alarm clock_off; beyond the second its results are invalid


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    probe: str
    offset_seconds: float | None
    error_seconds: float


def look(patient: Patient) -> list[Skew]:
    """The newest word of each probe that is online."""
    return [
        Skew(
            probe=one.probe, offset_seconds=one.status.clock_offset_seconds,
            error_seconds=one.status.clock_error_seconds or 0.0,
        )
        for one in patient.standings()
        if one.status is not None and one.status.state == "online"
    ]  # fmt: skip


def judge(skews: list[Skew]) -> Iterator[Finding]:
    """What is certainly off counts; an offset within its own error does not."""
    for one in skews:
        if one.offset_seconds is None:
            yield unknown("its clock was not compared yet", "wait a minute", f"probe {one.probe}", optional=True)
            continue
        sure = abs(one.offset_seconds) - one.error_seconds
        if sure > OFF_SECONDS:
            tell = broken if sure > INVALID_SECONDS else warning
            yield tell(
                "its clock is {seconds} s off the collector's; beyond 0.5 s its results are invalid",
                "chronyc sources, on both machines: one of them is not kept", f"probe {one.probe}",
                seconds=f"{one.offset_seconds:+.3f}",
            )  # fmt: skip
    if skews and all(one.offset_seconds is not None and abs(one.offset_seconds) - one.error_seconds <= OFF_SECONDS
                     for one in skews):  # fmt: skip
        yield ok("within 0.1 s of the collector's")


QUESTION = Question(name="skew", title="Probes' clocks", look=look, judge=judge)
