"""Work that somebody thinks of announcing: read from a form, and all that can be said of it before it is announced."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dashboards.web.incidents.acts import moment_us
from dashboards.web.incidents.house import House
from dashboards.web.incidents.times import moment
from dashboards.web.words import Words
from dashboards.web.works.saying import Saying, saying
from sereno.answers.works import Judged, Loss
from sereno.incident import IncidentRecord
from sereno.topology.model import Topology
from sereno.verdict import MaintenanceWindow

SCOPES = ("service", "sbc", "core", "site", "path", "customer")
LONGEST_WHAT = 500
LONGEST_US = 366 * 86_400 * 1_000_000
_FIELDS = ("scope", "from", "to", "told", "announced", "critical", "what")


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """The form as it was typed, and the window that it means: None while something is missing or wrong."""

    typed: dict[str, str]
    window: MaintenanceWindow | None = None
    notify: bool = False
    what: str = ""
    wrong: dict[str, str] = {}  # ids of words, by field

    @property
    def begun(self) -> bool:
        """Something was filled in."""
        return any(self.typed.get(name) for name in ("scope", "from", "to"))


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said of it. `warnings` must be seen before it is announced; `seen` stands for them."""

    sayings: tuple[Saying, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    judged: bool = True

    @property
    def grave(self) -> bool:
        return bool(self.warnings) or any(one.weight != "out" for one in self.sayings)

    @property
    def seen(self) -> str:
        """A word for all that was warned of: who sends it has seen this, and not something else."""
        said = [*self.warnings, *(f"{one.customer}:{one.weight}" for one in self.sayings if one.weight != "out")]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16] if said or not self.judged else ""


def scopes_of(topology: Topology) -> list[tuple[str, list[str]]]:
    """Every scope that work can have, by kind."""
    names = {
        "service": [topology.service], "sbc": list(topology.sbcs), "core": list(topology.cores),
        "site": list(topology.sites), "path": [path.name for path in topology.paths()],
        "customer": list(topology.customers),
    }  # fmt: skip
    return [(kind, names[kind]) for kind in SCOPES if names[kind]]


def proposal_of(form: Mapping[str, Any], topology: Topology, zone: str, now_us: int) -> Proposal:
    """What the form means."""
    typed = {name: str(form.get(name, "")).replace("\x00", "").strip()[:LONGEST_WHAT] for name in _FIELDS}
    wrong: dict[str, str] = {}
    kind, _, name = typed["scope"].partition(":")
    if (kind, name) not in {(kind, name) for kind, names in scopes_of(topology) for name in names}:
        wrong["scope"] = "Choose what is worked on."
    from_us, to_us = moment_us(typed["from"], zone), moment_us(typed["to"], zone)
    if from_us is None:
        wrong["from"] = "Write a date and a time."
    if to_us is None:
        wrong["to"] = "Write a date and a time."
    elif from_us is not None and to_us <= from_us:
        wrong["to"] = "It ends before it begins."
    elif from_us is not None and to_us - from_us > LONGEST_US:
        wrong["to"] = "A window lasts a year at most."
    announced_us = moment_us(typed["announced"], zone) if typed["told"] == "before" else now_us
    if announced_us is None:
        wrong["announced"] = "Write a date and a time."
    elif announced_us > now_us:
        wrong["announced"] = "That is still to come: it cannot have been announced then."
    window = None
    if not wrong and from_us is not None and to_us is not None and announced_us is not None:
        window = MaintenanceWindow(
            scope_kind=kind, scope_name=name, from_us=from_us, to_us=to_us, announced_us=announced_us,
            critical_fix=bool(typed["critical"]),
        )  # fmt: skip
    return Proposal(typed=typed, window=window, notify=typed["told"] == "mail", what=typed["what"], wrong=wrong)


def arguments_of(proposal: Proposal) -> dict[str, Any]:
    """As the desk is asked: without an instant of its own the notice is given when it is recorded."""
    window = proposal.window
    if window is None:
        return {}
    return {
        "kind": window.scope_kind, "name": window.scope_name, "from_us": window.from_us, "to_us": window.to_us,
        "announced_us": window.announced_us if proposal.typed["told"] == "before" else None,
        "critical_fix": window.critical_fix, "notify": proposal.notify, "what": proposal.what or None,
    }  # fmt: skip


def check_of(
    proposal: Proposal, judged: Judged | None, house: House, touched: list[IncidentRecord], words: Words, now_us: int
) -> Check:  # fmt: skip
    """All that is said of it; `judged` None: the rule cannot be asked here, and that is said, too."""
    if judged is None:
        return Check(warnings=(words.text("The contracts' rule cannot be asked here."),), judged=False)
    return Check(
        sayings=tuple(saying(one, house, words, now_us) for one in judged.customers),
        warnings=tuple(_warnings(proposal, judged, touched, words, now_us)),
        notes=tuple(_notes(proposal, judged, house, words)),
    )


def _warnings(
    proposal: Proposal, judged: Judged, touched: list[IncidentRecord], words: Words, now_us: int
) -> Iterator[str]:  # fmt: skip
    yield from (_dark(loss, words, now_us) for loss in judged.dark)
    yield from (_thin(loss, words) for loss in judged.thin)
    for number in judged.overlapping:
        yield words.text("it overlaps window {number}", number=number)
    for one in touched:
        yield words.text("incident {number} is open there: {title}", number=one.number, title=one.title)
    if proposal.window is not None and proposal.window.to_us <= now_us:
        yield words.text("it is over already: it is only put on the record")
    elif proposal.window is not None and proposal.window.from_us <= now_us:
        yield words.text("it has begun already")


def _dark(loss: Loss, words: Words, now_us: int) -> str:
    if loss.windows:
        numbers = words.names(str(number) for number in loss.windows)
        begin, end = (moment(words, at_us, now_us, seconds=False) for at_us in (loss.from_us, loss.to_us))
        return words.text(
            "with window {numbers}, site {site} is left without any path from {begin} to {end}", numbers=numbers,
            site=loss.site, begin=begin, end=end,
        )  # fmt: skip
    if loss.down:
        down = words.names(name.partition(":")[2] for name in loss.down)
        return words.text("down now: {down}; with this work site {site} has no path left", down=down, site=loss.site)
    return words.text("site {site} is left without any path", site=loss.site)


def _thin(loss: Loss, words: Words) -> str:
    what = words.text(f"left:{loss.what}")
    beside = ""
    if loss.windows:
        numbers = words.names(str(one) for one in loss.windows)
        beside = words.text(" (together with window {numbers})", numbers=numbers)
    elif loss.down:
        down = words.names(one.partition(":")[2] for one in loss.down)
        beside = words.text(" (while {down} is down)", down=down)
    return words.text("site {site} is left with {what}", site=loss.site, what=what) + beside


def _notes(proposal: Proposal, judged: Judged, house: House, words: Words) -> Iterator[str]:
    if not judged.customers:
        yield words.text("No customer's site uses what is worked on.")
    if proposal.notify:
        known = house.topology.customers if house.topology is not None else {}
        mute = [
            house.customer_name(one.customer) for one in judged.customers
            if one.customer in known and not known[one.customer].contacts
        ]  # fmt: skip
        if mute:
            yield words.text("{names} have no contacts: nobody there gets the mail", names=words.names(mute))
        yield words.text("By mail it counts as announced once the last of the customers has it.")
