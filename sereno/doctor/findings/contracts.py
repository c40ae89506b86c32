"""Every contract that customers and desk name can be found and is valid."""

from collections.abc import Iterator, Mapping

from sereno.doctor.model import Finding, Question, broken, ok
from sereno.doctor.patient import Patient


def look(patient: Patient) -> Mapping[str, tuple[str, str] | None]:
    """By name: None, or what is wrong and how to mend it."""
    from sereno.contract import known_contract

    topology, desk = patient.topology(), patient.desk()
    names = {customer.contract for customer in topology.customers.values()} | ({desk.contract} if desk else set())
    return {name: known_contract(name, patient.beside()) for name in sorted(names)}


def judge(contracts: Mapping[str, tuple[str, str] | None]) -> Iterator[Finding]:
    """A missing contract stops the collector from starting."""
    for name, fault in contracts.items():
        if fault is not None:
            yield broken("{what}", "{mend}", f"contracts/{name}.yaml", what=fault[0], mend=fault[1])
    if contracts and not any(contracts.values()):
        yield ok("found and valid: {names}", names=", ".join(contracts))


QUESTION = Question(name="contracts", title="Contracts", look=look, judge=judge)
