"""What is right in the topology and still worth a second look: no canary, no `identify`, a network without a probe."""

from collections.abc import Iterator

from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient

_MEND = "docs/configuration.md says what it is for"


def look(patient: Patient) -> list[str]:
    """The notes of `sereno topology validate`."""
    from sereno.topology.validate import notes

    return notes(patient.topology())


def judge(notes: list[str]) -> Iterator[Finding]:
    """Each is one line: WHERE: WHAT, so WHAT FOLLOWS."""
    for note in notes:
        where, _, words = note.partition(": ")
        if words == "no `identify`, so its answers prove nothing":
            yield warning("no `identify`, so its answers prove nothing", _MEND, where)
        elif words == "no canary, so a fault of its own network looks like the service's":
            yield warning("no canary, so a fault of its own network looks like the service's", _MEND, where)
        elif words.startswith("no probe looks from "):
            network = words.removeprefix("no probe looks from ").removesuffix(" yet")
            yield warning("no probe looks from {network} yet", _MEND, where, network=network)
        else:
            yield warning("{words}", _MEND, where, words=words)
    if not notes:
        yield ok("canaries, identities and networks are declared")


QUESTION = Question(name="topology", title="Topology", look=look, judge=judge)
