"""What the form of `/forensics` offers, the windows a click away, and what is said where a window is empty."""

from collections.abc import Mapping, Sequence

import msgspec

from dashboards.web.forensics.question import OUTCOMES, Question
from dashboards.web.laddertext import instant
from dashboards.web.words import Words
from sereno.answers.cases import Look
from sereno.clock import SECOND_US
from sereno.topology.model import Topology
from sereno.wire import CHECKS, REASONS

_DAY_US = 86_400 * SECOND_US
_QUICK = ((300, "last 5 min"), (900, "last 15 min"), (3_600, "last hour"), (86_400, "last 24 h"))


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the form's lists."""

    about: Mapping[str, Sequence[str]]
    checks: Sequence[str]
    outcomes: Sequence[str]
    reasons: Sequence[tuple[str, str]]


class Quick(msgspec.Struct, frozen=True, kw_only=True):
    """A window a click away."""

    label: str
    address: str
    key: str = ""  # `prev` or `next`


def choices(words: Words, topology: Topology | None, question: Question) -> Choices:
    """Names of the topology in use, and the one that is asked about, should it be gone from it."""
    names: dict[str, list[str]] = {"path": [], "sbc": [], "core": [], "site": [], "probe": [], "target": []}
    if topology is not None:
        names |= {
            "path": [path.name for path in topology.paths()], "sbc": list(topology.sbcs), "core": list(topology.cores),
            "site": list(topology.sites), "probe": list(topology.probes),
            "target": [*topology.portals, *topology.databases],
        }  # fmt: skip
    if question.about is not None and question.name not in names[question.about]:
        names[question.about] = [question.name, *names[question.about]]
    reasons = sorted(((one, words.reason(one)) for one in REASONS), key=lambda pair: pair[1])
    return Choices(about=names, checks=CHECKS, outcomes=OUTCOMES, reasons=reasons)


def quick(words: Words, question: Question, now_us: int) -> list[Quick]:
    """Windows a click away; from the one that is shown: earlier, later, wider, the day before."""
    found = []
    now_us += SECOND_US - now_us % SECOND_US
    for seconds, label in _QUICK:
        address = question.address(from_us=now_us - seconds * SECOND_US, to_us=now_us, incident=None, result=None)
        found.append(Quick(label=words.text(label), address=address))
    from_us, to_us = question.from_us, question.to_us
    if from_us is None or to_us is None:
        return found
    length = to_us - from_us

    def moved(label: str, by_us: int, key: str = "") -> Quick:
        address = question.address(from_us=max(0, from_us + by_us), to_us=to_us + by_us, result=None)
        return Quick(label=words.text(label), address=address, key=key)

    wider = question.address(from_us=max(0, from_us - length // 2), to_us=to_us + length // 2, result=None)
    return [
        *found,
        Quick(label=words.text("wider"), address=wider),
        moved("the same the day before", -_DAY_US),
        moved("earlier", -length, "prev"),
        moved("later", length, "next"),
    ]


def nothing(words: Words, look: Look, now_us: int) -> str:
    """Why there is nothing in the window, where there is nothing: silence is no sign of calm."""
    head = look.head
    if head.first_us is None or head.last_us is None:
        return words.text("Unknown: the store holds no results at all.")
    if head.from_us >= now_us:
        return words.text("This window lies in the future: nothing can be known of it.")
    if head.to_us <= head.first_us:
        at = instant(words, head.first_us)
        return words.text("Unknown: the store's first result is of {at}; of before that nobody knows.", at=at)
    if head.from_us > head.last_us:
        return words.text(
            "Unknown: the store's last result is of {at}; nothing came since.", at=instant(words, head.last_us)
        )
    seen = [lane for lane in look.picture.lanes if lane.seen]
    if seen and not any(any(lane.seen) for lane in seen):
        return words.text("Unknown: nothing was measured here in this window.")
    return ""
