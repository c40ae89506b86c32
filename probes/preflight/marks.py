"""DSCP: whether the marks of signalling (CS3) and telephony (EF) survive the way (RFC 4594 section 2.3)."""

from probes.preflight.ask import Seen, ask, responders
from probes.preflight.base import NEEDS_RESPONDER, Line, Plan, Say, untested
from probes.preflight.datagram import Datagrams

MARKS = {"CS3": 96, "EF": 184}
_ECN = 0xFC  # the two low bits are ECN's (RFC 3168), not the mark's


async def marks(plan: Plan) -> list[Line]:
    """One line for each mark, both ways."""
    found = responders(plan)
    if not found:
        return [untested("dscp", "CS3, EF", Say("only the far side can tell which marks arrive"), NEEDS_RESPONDER)]
    lines = []
    for name, tos in MARKS.items():
        with Datagrams(found[0].family, tos=tos) as sock:
            lines.append(judge(name, tos, await ask(sock, found[0], seconds=plan.timeout_seconds)))
    return lines


def judge(name: str, sent: int, seen: Seen) -> Line:
    """Pure. The responder's answer is marked CS3, whatever it was asked with."""
    if seen.copy is None or seen.outcome.heard is None:
        return untested("dscp", name, Say("the responder did not answer"), NEEDS_RESPONDER)
    there, back = seen.copy.tos, seen.outcome.heard.tos
    facts = {"sent": sent >> 2, "arrived": _dscp(there), "returned": _dscp(back), "returned_sent": MARKS["CS3"] >> 2}
    if there is None:
        return untested("dscp", name, Say("the far side's kernel did not tell the mark"))
    values = {"sent": sent >> 2, "arrived": there >> 2, "back": _dscp(back), "back_sent": MARKS["CS3"] >> 2}
    if there & _ECN != sent:
        return Line(
            test="dscp",
            subject=name,
            state="warning",
            said=Say("sent with DSCP {sent}, arrives with {arrived}", values),
            remedy=Say(
                "trust DSCP in switches and router, and ask the provider to carry it or to give voice its own class"
            ),
            facts=facts,
        )
    if back is not None and back & _ECN != MARKS["CS3"]:
        return Line(
            test="dscp",
            subject=name,
            state="warning",
            said=Say(
                "arrives with DSCP {arrived} as sent; answers sent with {back_sent} come back with {back}", values
            ),
            remedy=Say("ask the provider to keep marks toward this site, or mark again at its router"),
            facts=facts,
        )
    return Line(
        test="dscp",
        subject=name,
        state="ok",
        said=Say("arrives with DSCP {arrived} as sent; answers sent with {back_sent} come back with it", values),
        facts=facts,
    )


def _dscp(tos: int | None) -> int | None:
    return None if tos is None else tos >> 2
