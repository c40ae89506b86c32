"""What is right in the topology and still worth a second look: no canary, no `identify`, a network without a probe."""

from collections.abc import Iterator

from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient


def look(patient: Patient) -> list[str]:
    """The notes of `sereno topology validate`."""
    from sereno.topology.validate import notes

    return notes(patient.topology())


def judge(notes: list[str]) -> Iterator[Finding]:
    """Each is one line: WHERE: WHAT, so WHAT FOLLOWS."""
    for note in notes:
        where, _, words = note.partition(": ")
        yield warning("{words}", "docs/configuration.md says what it is for", where, words=words)
    if not notes:
        yield ok("canaries, identities and networks are declared")


QUESTION = Question(name="topology", title="Topology", look=look, judge=judge)
