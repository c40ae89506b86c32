"""Every SBC answers OPTIONS to every probe: one that answers only some has a whitelist."""

from collections.abc import Iterable, Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient
from sereno.doctor.tally import Tally

_CHECKS = ("edge", "options", "natural")


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """`answered` and `silent` are probes; `blocked`: those that it is believed to have shut out."""

    sbc: str
    answered: tuple[str, ...]
    silent: tuple[str, ...]
    blocked: tuple[str, ...]


def look(patient: Patient) -> list[Answers]:
    """Who of the probes got a word out of each SBC."""
    return answers(patient.tally(), patient.topology().sbcs)


def answers(tally: Tally, sbcs: Iterable[str]) -> list[Answers]:
    """The same of a tally."""
    found = []
    for sbc in sbcs:
        mine = [kind for kind, _ in tally.of(*_CHECKS) if kind.sbc == sbc]
        heard = {one.probe for one in mine if one.outcome == "ok" or one.answered_by in {"core", "sbc", "unknown"}}
        asked = {one.probe for one in mine}
        blocked = {one.probe for one in mine if one.reason == "blocked"}
        if asked:
            found.append(
                Answers(
                    sbc=sbc, answered=tuple(sorted(heard)), silent=tuple(sorted(asked - heard)),
                    blocked=tuple(sorted(blocked)),
                )
            )  # fmt: skip
    return found


_LET = "let the probes' addresses in: its whitelist, pike/fail2ban, the firewall before it; and check the address"


def judge(found: list[Answers]) -> Iterator[Finding]:
    """One that answers nobody may be down as well: the incident says so, if it ever answered."""
    for one in found:
        where = f"sbc {one.sbc}"
        if not one.answered:
            yield broken("answers OPTIONS to no probe", _LET, where)
        elif one.silent:
            yield warning("answers {some} and not {others}", _LET, where, some=", ".join(one.answered),
                          others=", ".join(one.silent))  # fmt: skip
        elif one.blocked:
            yield warning("shuts out {names} now and then", _LET, where, names=", ".join(one.blocked))
    if found and all(one.answered and not one.silent and not one.blocked for one in found):
        yield ok("all answer OPTIONS: {names}", names=", ".join(one.sbc for one in found))


QUESTION = Question(name="sbcs", title="SBCs", look=look, judge=judge)
