"""With --network only: every SBC answers an OPTIONS sent from this machine now."""

from collections.abc import Iterator

from sereno.doctor.knock import Knock
from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok
from sereno.doctor.patient import Patient


def look(patient: Patient) -> list[Knock]:
    """Knocks at every address; who may knock is given by the command line, as probes are another room."""
    if not patient.asked.network or patient.knock is None:
        raise CannotLookError("the SBCs were not spoken to from here", "ask again with --network", optional=True)
    return patient.knock(patient.topology())


def judge(found: list[Knock]) -> Iterator[Finding]:
    """From the monitor's own machine; probes may stand elsewhere."""
    for one in found:
        if one.reason is not None:
            yield broken("does not answer an OPTIONS from this machine ({reason})", "let this address in, or look at "
                         "the address in topology.yaml", f"sbc {one.sbc} {one.address}", reason=one.reason)  # fmt: skip
    if found and all(one.reason is None for one in found):
        yield ok("answer from here: {names}", names=", ".join(dict.fromkeys(one.sbc for one in found)))


QUESTION = Question(name="reached", title="SBCs from here", look=look, judge=judge)
