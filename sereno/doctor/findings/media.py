"""Test calls have sound both ways: else NAT in the SDP or a blocked range of RTP ports, most of the time."""

from collections.abc import Iterator, Sequence

import msgspec

from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok, unknown
from sereno.doctor.patient import Patient
from sereno.wire import Result

_DEAF = ("no_media", "one_way", "dead_air", "wrong_audio")
_CALLS = ("call", "terminating", "pstn")


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """Of the newest call through one SBC from each probe."""

    sbc: str
    heard: int
    deaf: int
    reason: str | None = None
    other: int = 0  # failed for something else: answered by another finding
    rtp_ports: str | None = None


def look(patient: Patient) -> list[Calls] | None:
    """The newest calls; None where none is made."""
    topology = patient.topology()
    if topology.checks.call is None:
        return None
    found = [one for one in patient.tally().newest if one.check in _CALLS]
    if not found:
        raise CannotLookError("no test call was made in the last minutes", "wait for `checks.call.every`")
    return calls(found, {name: sbc.rtp_ports for name, sbc in topology.sbcs.items()})


def calls(results: Sequence[Result], ports: dict[str, str | None]) -> list[Calls]:
    """By SBC."""
    found: dict[str, list[Result]] = {}
    for one in results:
        if one.sbc is not None:
            found.setdefault(one.sbc, []).append(one)
    return [
        Calls(
            sbc=sbc, heard=sum(one.outcome == "ok" for one in mine), deaf=sum(one.reason in _DEAF for one in mine),
            reason=next((one.reason for one in mine if one.reason in _DEAF), None),
            other=sum(one.outcome != "ok" and one.reason not in _DEAF for one in mine), rtp_ports=ports.get(sbc),
        )
        for sbc, mine in sorted(found.items())
    ]  # fmt: skip


def judge(found: list[Calls] | None) -> Iterator[Finding]:
    """Signalling works and nobody hears: what users complain of most."""
    for one in found or ():
        where = f"sbc {one.sbc}"
        if one.deaf:
            yield broken(
                "calls are answered and lack sound ({reason})", "open UDP {ports} both ways between probe and SBC, and "
                "look at the address in its SDP (NAT); `sereno preflight --sbc {sbc}` tries it", where,
                reason=one.reason or "", ports=one.rtp_ports or "10000-60000", sbc=one.sbc,
            )  # fmt: skip
        elif one.other and not one.heard:
            yield unknown("no call came about, so its sound is not known", "see what failed: `sereno forensics`", where)
    if found and all(one.heard and not one.deaf for one in found):
        yield ok("sound both ways through {names}", names=", ".join(one.sbc for one in found))


QUESTION = Question(name="media", title="Sound of calls", look=look, judge=judge)
