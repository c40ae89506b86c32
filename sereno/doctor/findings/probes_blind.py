"""A probe that reaches nobody at all: its own network, not the platform's."""

from collections import Counter
from collections.abc import Iterator, Mapping

from sereno.doctor.model import Finding, Question, broken, ok
from sereno.doctor.patient import Patient
from sereno.doctor.tally import Tally


def look(patient: Patient) -> Tally:
    """The newest results."""
    return patient.tally()


def judge(tally: Tally) -> Iterator[Finding]:
    """Not one answer to anything, from anybody, is told of the probe; one answer is enough to see."""
    for probe, (answered, silent) in sorted(_answers(tally).items()):
        if not answered:
            yield broken(
                "reached nobody in {count} checks", "its own network: route, DNS, firewall of that host, source "
                "address; `sereno check options` there shows more", f"probe {probe}", count=silent,
            )  # fmt: skip
    if any(answered for answered, _ in _answers(tally).values()):
        seeing = [probe for probe, (answered, _) in sorted(_answers(tally).items()) if answered]
        yield ok("reach somebody: {names}", names=", ".join(seeing))


def _answers(tally: Tally) -> Mapping[str, tuple[int, int]]:
    """By probe: how many were answered by anybody, and how many were not."""
    yes, no = Counter[str](), Counter[str]()
    for kind, count in tally.of():
        answered = kind.outcome == "ok" or kind.answered_by in {"core", "sbc", "unknown"}
        (yes if answered else no)[kind.probe] += count
    return {probe: (yes[probe], no[probe]) for probe in tally.probes()}


QUESTION = Question(name="blind", title="What probes reach", look=look, judge=judge)
