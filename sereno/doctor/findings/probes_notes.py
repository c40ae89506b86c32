"""What probes say of themselves that a person must mend: a missing secret, above all."""

from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

_MISSING = "no secret for "  # as explain_secret begins


class Note(msgspec.Struct, frozen=True, kw_only=True):
    probe: str
    words: str


def look(patient: Patient) -> list[Note] | None:
    """The notes of every probe that is online; None where none is."""
    online = [one for one in patient.standings() if one.status is not None and one.status.state == "online"]
    if not online:
        return None
    return [
        Note(probe=one.probe, words=note) for one in online for note in (one.status.notes if one.status else []) or ()
    ]


def judge(notes: list[Note] | None) -> Iterator[Finding]:
    """Without a secret its checks are invalid: not failed, and not measured."""
    for one in notes or ():
        where = f"probe {one.probe}"
        if one.words.startswith(_MISSING):
            yield broken("{words}: its checks are invalid", "put the secret on the probe's own machine; secrets never "
                         "travel", where, words=one.words)  # fmt: skip
        else:
            yield warning("the probe says: {words}", "mend it there", where, words=one.words)
    if notes is not None and not notes:
        yield ok("nothing to complain of")


QUESTION = Question(name="notes", title="What probes say", look=look, judge=judge)
