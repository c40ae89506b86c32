"""Forced transactions reach the core that they name: no loop, and the SBC does not refuse to relay."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok
from sereno.doctor.patient import Patient
from sereno.doctor.tally import Tally


class Steered(msgspec.Struct, frozen=True, kw_only=True):
    """Of the forced OPTIONS on one path."""

    path: str
    loops: int
    refused: int  # 403, 404, 416, 488 by the SBC itself
    code: int | None
    arrived: int


def look(patient: Patient) -> list[Steered]:
    """What became of forced OPTIONS."""
    return steered(patient.tally())


def steered(tally: Tally) -> list[Steered]:
    """The same of a tally."""
    counts: dict[str, Counter[str]] = {}
    codes: dict[str, int | None] = {}
    for kind, count in tally.of("options"):
        path = f"{kind.sbc}/{kind.core}"
        sort = kind.reason if kind.reason in {"loop", "steering"} else "arrived" if kind.outcome == "ok" else "else"
        counts.setdefault(path, Counter())[sort or "else"] += count
        if kind.reason == "steering":
            codes[path] = kind.code
    return [
        Steered(path=path, loops=found["loop"], refused=found["steering"], code=codes.get(path),
                arrived=found["arrived"])
        for path, found in sorted(counts.items())
    ]  # fmt: skip


def judge(found: list[Steered]) -> Iterator[Finding]:
    """Neither is downtime of the platform: both are ours to mend, with its people."""
    for one in found:
        where = f"path {one.path}"
        if one.loops:
            yield broken("loops: {count} answers 483 with hops left", "the SBC ignores the Route and sends it back to "
                         "itself: review `steer:` and its routing", where, count=one.loops)  # fmt: skip
        if one.refused:
            yield broken(
                "the SBC refuses to relay ({code}), {count} times", "allow preloaded Routes from the probes, or steer "
                "by header, prefix or domain (`steer:`)", where, code=one.code or "?", count=one.refused,
            )  # fmt: skip
    if any(one.arrived for one in found) and not any(one.loops or one.refused for one in found):
        yield ok("forced transactions reach the cores that they name")


QUESTION = Question(name="steering", title="Steering", look=look, judge=judge)
