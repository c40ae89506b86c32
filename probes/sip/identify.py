"""Who answered, and what the answer means (docs/reasons.md): pure functions of a reply and the topology's rules.

Where the table is silent:

- An answer that no rule identifies is the SBC's if it is one that cores do not give here (408, 500, 502-504, 403, 404,
  416, 429, 473, 476-478, 483, 488) and the core that was asked has an `identify` rule; else nobody's (`unknown`).
- Any other answer of another core than the forced one is `wrong_core` too, bad ones included: it says nothing of the
  core that was asked.
- An SBC that answers a forced OPTIONS in the core's place with a good code did not steer it: `steering`.
- 480 of an SBC says that it reaches nobody, as do 473, 476, 477 and 478 (Kamailio's and OpenSIPS' own, when nothing
  can be sent to the next hop): failed, `sip_4xx`. 482 is a loop as 483 is. 3xx is failed, `sip_3xx`:
  nobody follows it.
- A 4xx that the table does not name is neither silence nor refusal of service, it is our request that somebody
  dislikes: invalid, `sip_4xx`, a ticket and never downtime.
- An edge that answers 500, 503, 504 or 6xx to a request for itself refuses service, as a core does; any other answer
  is an SBC alive, 483 to Max-Forwards 0 included.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from probes.sip.message import Reply
from sereno.topology.model import Topology
from sereno.wire import UNSENT_CODES, AnsweredBy, Outcome, Reason

Plane = Literal["edge", "options", "natural"]

SPEAKS = frozenset({401, 404, 405, 407, 420, 480, 486, 489, 501})  # beside 2xx: a core spoke
REFUSES = frozenset({500, 503, 504})  # beside 6xx: a core, or an SBC asked for itself, refuses service
UNREACHED = frozenset({408, 500, 502, 503, 504})  # of an SBC: the core behind it does not answer
MISSTEERED = frozenset({403, 404, 416, 488})
BLOCKED = 429
LOOPS = frozenset({482, 483})
_SBC_CODES = UNREACHED | UNSENT_CODES | MISSTEERED | {BLOCKED, 483}


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the target because of this answer."""

    outcome: Outcome
    reason: Reason | None = None
    answered_by: AnsweredBy
    answered_core: str | None = None


class Speaker(msgspec.Struct, frozen=True):
    """`core` is set when `by` is "core"."""

    by: AnsweredBy
    core: str | None = None


_Rules = Mapping[str, Mapping[str, Sequence[tuple[str, Speaker]]]]
_known: tuple[Topology, _Rules] | None = None  # of the topology that was asked about last: most often the only one


def _rules(topology: Topology) -> _Rules:
    """For each SBC, for each header, the texts that may name who answers through it."""
    global _known  # noqa: PLW0603 - a memory of one place; what is in it is never changed
    known = _known
    if known is not None and known[0] is topology:
        return known[1]
    cores = [(core.identify, Speaker("core", name)) for name, core in topology.cores.items()]
    rules: dict[str, dict[str, list[tuple[str, Speaker]]]] = {}
    for name, sbc in topology.sbcs.items():
        of = rules[name] = {}
        for identify, who in (*cores, (sbc.identify, Speaker("sbc"))):
            if identify is not None:
                of.setdefault(identify.header, []).append((identify.contains, who))
    _known = (topology, rules)
    return rules


def speaker(reply: Reply, topology: Topology, *, sbc: str, core: str | None, plane: Plane) -> Speaker:
    """Who sent this reply, by the `identify` rules; the most specific (longest) text that it contains wins."""
    matched: list[tuple[int, Speaker]] = []
    for header, rules in _rules(topology)[sbc].items():
        for value in reply.values(header):
            matched += [(len(contains), who) for contains, who in rules if contains in value]
    if len(matched) == 1:
        return matched[0][1]
    if matched:
        longest = max(length for length, _ in matched)
        found = {who for length, who in matched if length == longest}
        return found.pop() if len(found) == 1 else Speaker("unknown")
    if plane == "edge":
        return Speaker("sbc")  # it went to the SBC, for the SBC, with no hop left to go further
    asked = topology.cores[core].identify if core is not None else None
    provable = asked is not None if core is not None else any(c.identify for c in topology.cores.values())
    return Speaker("sbc" if provable and reply.code in _SBC_CODES else "unknown")


def meaning(
    reply: Reply, topology: Topology, *, sbc: str, core: str | None, plane: Plane, late: bool = False
) -> Meaning:
    """The outcome of a final reply; a good one after the deadline is `late`: degraded, never down."""
    who = speaker(reply, topology, sbc=sbc, core=core, plane=plane)
    outcome, reason = _judge(reply.code, who, core, plane)
    if late and outcome == "ok":
        reason = "late"
    return Meaning(outcome=outcome, reason=reason, answered_by=who.by, answered_core=who.core)


def _judge(code: int, who: Speaker, forced: str | None, plane: Plane) -> tuple[Outcome, Reason | None]:
    if code == BLOCKED:
        return "invalid", "blocked"
    if plane == "edge":
        return ("failed", sip_class(code)) if code in REFUSES or code >= 600 else ("ok", None)  # noqa: PLR2004
    if code in LOOPS:
        return "failed", "loop"  # our Max-Forwards was above 0
    if forced is not None and who.by == "core" and who.core != forced:
        return "failed", "wrong_core"
    return _judge_sbc(code, plane) if who.by == "sbc" else _judge_core(code)


def _judge_core(code: int) -> tuple[Outcome, Reason | None]:
    """Of the core that was asked, of any core (natural), or of nobody identifiable."""
    return ("ok", None) if code < 300 or code in SPEAKS else _judge_rest(code)  # noqa: PLR2004


def _judge_sbc(code: int, plane: Plane) -> tuple[Outcome, Reason | None]:
    if code in MISSTEERED:
        return "invalid", "steering"
    if code == 480:  # noqa: PLR2004  # temporarily unavailable: it reaches nobody
        return "failed", "sip_4xx"
    if code < 300 or code in SPEAKS:  # noqa: PLR2004
        return ("ok", None) if plane == "natural" else ("invalid", "steering")
    return _judge_rest(code)


def _judge_rest(code: int) -> tuple[Outcome, Reason | None]:
    """408, 47x, 3xx, 5xx and 6xx are failures whoever says them; a 4xx that nobody foresaw is a ticket."""
    if 400 <= code < 500 and code != 408 and code not in UNSENT_CODES:  # noqa: PLR2004
        return "invalid", "sip_4xx"
    return "failed", sip_class(code)


def sip_class(code: int) -> Reason:
    """The reason that names a bad status code."""
    if code == 408:  # noqa: PLR2004
        return "sip_408"
    classes: dict[int, Reason] = {3: "sip_3xx", 4: "sip_4xx", 5: "sip_5xx", 6: "sip_6xx"}
    return classes[code // 100]
