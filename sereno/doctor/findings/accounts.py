"""The platform knows the test accounts: REGISTER is not answered 401, 403 or 404 again and again."""

from collections.abc import Iterator, Sequence

import msgspec

from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok
from sereno.doctor.patient import Patient
from sereno.wire import Result

_REFUSING = {401, 403, 404, 407}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Of one account, by the newest result of each place it registers at."""

    account: str
    good: int
    refused: int
    missing: int  # no secret at the probe
    code: int | None = None


def look(patient: Patient) -> list[Standing] | None:
    """The newest REGISTERs; None where nobody registers."""
    if patient.topology().checks.register_ is None:
        return None
    found = [one for one in patient.tally().newest if one.check == "register"]
    if not found:
        raise CannotLookError("no registration was tried in the last minutes", "see what is said of probes",
                              optional=False)  # fmt: skip
    return standings(found)


def standings(results: Sequence[Result]) -> list[Standing]:
    """By account."""
    found: dict[str, list[Result]] = {}
    for one in results:
        if one.account is not None:
            found.setdefault(one.account, []).append(one)
    return [
        Standing(
            account=account, good=sum(one.outcome == "ok" for one in mine),
            refused=sum(_refused(one) for one in mine),
            missing=sum(one.outcome == "invalid" and one.reason == "auth" and one.code is None for one in mine),
            code=next((one.code for one in mine if _refused(one)), None),
        )
        for account, mine in sorted(found.items())
    ]  # fmt: skip


def _refused(one: Result) -> bool:
    return one.outcome != "ok" and one.code in _REFUSING


def judge(found: list[Standing] | None) -> Iterator[Finding]:
    """Refused everywhere is the account's fault; refused at one place is that place's."""
    for one in found or ():
        where = f"account {one.account}"
        if one.refused and not one.good:
            yield broken("the platform refuses it ({code})", "is it created there, with this user, realm and password? "
                         "was it locked?", where, code=one.code or "?")  # fmt: skip
        elif one.refused:
            yield broken("refused in some places and taken in others ({code})", "compare the cores' user databases",
                         where, code=one.code or "?")  # fmt: skip
        elif one.missing and not one.good:
            yield broken("is not tried: its password is missing at the probe", "put the secret on the probe's own "
                         "machine; secrets never travel", where)  # fmt: skip
    good = [one.account for one in found or () if one.good and not one.refused]
    if found and len(good) == len(found):
        yield ok("registered: {names}", names=", ".join(good))


QUESTION = Question(name="accounts", title="Test accounts", look=look, judge=judge)
