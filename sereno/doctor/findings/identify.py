"""Answers prove who spoke: `identify` matches, and it is the core that was asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient
from sereno.doctor.tally import Tally


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Of the answers to forced OPTIONS on one path."""

    path: str
    core: str
    proved: int = 0
    unproved: int = 0  # a good answer of nobody identifiable
    other: int = 0  # of a core that was not asked


def look(patient: Patient) -> list[Proof]:
    """Counted for every path whose core has an `identify` rule."""
    topology = patient.topology()
    with_rule = [name for name, core in topology.cores.items() if core.identify is not None]
    return proofs(patient.tally(), with_rule)


def proofs(tally: Tally, cores: Iterable[str]) -> list[Proof]:
    """The same of a tally."""
    known = set(cores)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for kind, count in tally.of("options"):
        if kind.core is None or kind.core not in known:
            continue
        sort = "other" if kind.reason == "wrong_core" else ""
        if not sort and kind.outcome == "ok":
            sort = "proved" if kind.answered_by == "core" else "unproved"
        counts.setdefault((f"{kind.sbc}/{kind.core}", kind.core), Counter())[sort] += count
    return [
        Proof(path=path, core=core, proved=found["proved"], unproved=found["unproved"], other=found["other"])
        for (path, core), found in sorted(counts.items())
    ]


def judge(found: list[Proof]) -> Iterator[Finding]:
    """A rule that never matches proves nothing, and nobody would see the wrong core answer."""
    sound = True
    for one in found:
        where = f"path {one.path}"
        if one.other:
            sound = False
            yield broken(
                "answered by another core than the one asked, {count} times", "review how this SBC steers (`steer:`): "
                "its backup path is not proved", where, count=one.other,
            )  # fmt: skip
        if one.unproved and not one.proved:
            sound = False
            yield warning(
                "`identify` of {core} matched none of {count} answers", "look at an answer (`sereno check options "
                "--sbc … --core {core} --json`) and write a header and a text that it really has", where,
                core=one.core, count=one.unproved,
            )  # fmt: skip
    if sound and any(one.proved for one in found):
        yield ok(
            "every core proves who it is: {names}", names=", ".join(sorted({one.core for one in found if one.proved}))
        )


QUESTION = Question(name="identify", title="Who answers", look=look, judge=judge)
