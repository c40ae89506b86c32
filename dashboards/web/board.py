"""What stands on the Panorama beside the matrix, as the templates want it: sites, incidents, days, the live figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.web.days import Bar, Line, worst_first
from dashboards.web.matrix import GRAVITY
from dashboards.web.records import IncidentLine, Panorama, ProbeLine, Series
from dashboards.web.view import View
from dashboards.web.words import Words
from sereno.availability import Scope
from sereno.clock import SECOND_US, iso
from sereno.verdict import ElementVerdict

MOST_SITES = 6  # chips in the banner; what is up beyond that is counted
MOST_TROUBLED = 12
MOST_INCIDENTS = 4
MOST_PROBES = 8
MOST_LINES = 4  # of days, below the service's own
MOST_CURVES = 8  # more cannot be told apart
QUIET_US = 30 * SECOND_US  # a probe of which nothing came for so long is named in the first line


def sites_of(page: Panorama) -> tuple[list[ElementVerdict], list[tuple[str, int]]]:
    """The sites to name, worst first, and how many more there are by state."""
    ordered = sorted(page.sites, key=lambda site: GRAVITY[site.state])
    if len(ordered) <= MOST_SITES:
        return ordered, []
    named = [site for site in ordered if site.state != "up"][:MOST_TROUBLED]
    rest = ordered[len(named) :]
    states = sorted({site.state for site in rest}, key=GRAVITY.__getitem__)
    return named, [(state, sum(site.state == state for site in rest)) for state in states]


def incidents_of(page: Panorama) -> tuple[list[IncidentLine], list[IncidentLine]]:
    """Those to show, who waits for somebody first, and the rest."""
    ordered = sorted(page.incidents, key=lambda line: not line.waiting)
    return ordered[:MOST_INCIDENTS], ordered[MOST_INCIDENTS:]


def probes_of(page: Panorama) -> tuple[list[ProbeLine], int]:
    """Those to show, and how many more are well."""
    if len(page.probes) <= MOST_PROBES:
        return list(page.probes), 0
    odd = [probe for probe in page.probes if probe.state != "up"]
    return odd, len(page.probes) - len(odd)


def quiet_of(page: Panorama) -> list[ProbeLine]:
    """The probes of which nothing has come for a while."""
    return [probe for probe in page.probes if probe.last_us is None or page.at_us - probe.last_us > QUIET_US]


# -- days --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BadDay:
    """A day that was not wholly good, with where to read more of it."""

    told: str
    link: str


@dataclass(frozen=True)
class DayLine:
    """One line of bars, told."""

    line: Line
    now: ElementVerdict
    today: str
    summary: str
    told: str
    bad: tuple[BadDay, ...]


def scopes_of(page: Panorama) -> list[Scope]:
    """Of what there are days: the service and its sites; of a system without sites, its SBCs."""
    parts = [Scope("site", site.name) for site in page.sites] or [Scope("sbc", row.name) for row in page.rows]
    return [Scope("service", page.service.name), *parts]


def day_lines(words: Words, page: Panorama, lines: Sequence[Line]) -> tuple[list[DayLine], str]:
    """The lines to show, the worst parts after the service; and what is said of the others."""
    service, parts = lines[:1], worst_first(lines[1:])
    shown, rest = [*service, *parts[:MOST_LINES]], parts[MOST_LINES:]
    states: dict[Scope, ElementVerdict] = {Scope("service", page.service.name): page.service}
    states |= {Scope("site", site.name): site for site in page.sites}
    states |= {Scope("sbc", row.name): row.verdict for row in page.rows}
    told = [_day_line(words, line, states[line.scope]) for line in shown]
    return told, _folded(words, rest)


def _folded(words: Words, rest: Sequence[Line]) -> str:
    if not rest:
        return ""
    known = [line for line in rest if line.days is not None]
    good = sum(not line.down_us for line in known)
    said = words.text("{count} more: {good} without an outage in these days", count=len(rest), good=good)
    lacking = len(rest) - len(known)
    return said + (" · " + words.text("{count} not read yet", count=lacking) if lacking else "") + "."


def _day_line(words: Words, line: Line, now: ElementVerdict) -> DayLine:
    days = line.days or ()
    bad = [day for day in days if day.kind == "down"]
    blind = sum(day.kind == "unmeasured" for day in days)
    partly = sum(bool(day.unknown_us) and day.kind != "unmeasured" for day in days)
    excluded = sum(bool(day.excluded_us) for day in days)
    said = [
        words.text("{count} days with an outage, {down} in all", count=len(bad), down=words.span(line.down_us))
        if bad
        else words.text("no outage seen")
    ]
    if blind:
        said.append(words.text("{count} days not measured", count=blind))
    if partly:
        said.append(words.text("{count} measured in part", count=partly))
    if excluded:
        said.append(words.text("{count} with excluded maintenance", count=excluded))
    summary = " · ".join(said)
    whole = words.text(
        "{kind} {name}, {count} past days: {summary}; {percent} of the measured time",
        kind=words.text(f"kind:{line.scope.kind}"), name=line.scope.name, count=len(days), summary=summary,
        percent=words.percent(line.observed),
    )  # fmt: skip
    return DayLine(line, now, today_of(words, line), summary, whole, tuple(_bad(words, line, day) for day in bad[::-1]))


def _bad(words: Words, line: Line, day: Bar) -> BadDay:
    kind = {"site": "site", "sbc": "sbc", "path": "path"}.get(line.scope.kind)
    of = f"&{kind}={line.scope.name}" if kind else ""
    link = f"/forensics?from={iso(day.from_us)}&to={iso(day.to_us)}{of}"
    return BadDay(f"{words.day(day.from_us)}: {words.span(day.down_us)}", link)


def today_of(words: Words, line: Line) -> str:
    """Today up to now, which is not over: never the green of a whole day."""
    today = line.today
    if today is None:
        return words.text("not known yet")
    until = words.text("until {time}", time=words.clock(today.to_us))
    length = today.to_us - today.from_us
    if today.unknown_us >= length:
        return f"{until}: {words.text('not measured')}"
    said = [
        words.text("{span} down", span=words.span(today.down_us)) if today.down_us else words.text("no outage seen")
    ]
    if today.unknown_us >= SECOND_US:
        said.append(words.text("{span} not measured", span=words.span(today.unknown_us)))
    if today.excluded_us:
        said.append(words.text("{span} excluded", span=words.span(today.excluded_us)))
    return f"{until}: {', '.join(said)}"


# -- curves ------------------------------------------------------------------------------------------------------------


def plots_of(view: View, page: Panorama, words: Words) -> dict[str, Series]:
    """The two live plots: every path by itself while they can be told apart, else the middle and the worst of all."""
    names = [cell.name for cell in page.paths]
    with view.lock:
        recent, now_us = view.recent, page.at_us
        if len(names) <= MOST_CURVES:
            rtt = recent.rtt.lines(now_us, names)
            heard = [recent.mos_rx.lines(now_us, names), recent.mos_tx.lines(now_us, names)]
            if len(names) > MOST_CURVES // 2:
                worst = {name: _lower(*(one.values.get(name) for one in heard)) for name in names}
                return {"rtt": rtt, "mos": Series(_times(heard), {k: v for k, v in worst.items() if v})}
            mos = {f"{k} ↓": v for k, v in heard[0].values.items()} | {f"{k} ↑": v for k, v in heard[1].values.items()}
            return {"rtt": rtt, "mos": Series(_times(heard), dict(sorted(mos.items())))}
        times, middle, worst_rtt = recent.rtt.summary(now_us, names)
        rx, tx = recent.mos_rx.summary(now_us, names), recent.mos_tx.summary(now_us, names)
    middle_name = words.text("middle of {count} paths", count=len(names))
    worst_name = words.text("worst path")
    low = _lower(rx[2], tx[2]) or [None] * len(rx[0])
    return {
        "rtt": _some(times, {worst_name: worst_rtt, middle_name: middle}),
        "mos": _some(rx[0], {worst_name: low, middle_name: _lower(rx[1], tx[1]) or [None] * len(rx[0])}),
    }


def _times(heard: Sequence[Series]) -> list[int]:
    """The times that both directions share."""
    return heard[0].times


def _some(times: list[int], values: dict[str, list[float | None]]) -> Series:
    return Series(times, {name: listed for name, listed in values.items() if any(v is not None for v in listed)})


def _lower(one: Sequence[float | None] | None, other: Sequence[float | None] | None) -> list[float | None]:
    """Of two directions the worse, instant by instant."""
    if one is None or other is None:
        return list(one or other or [])
    return [min((v for v in pair if v is not None), default=None) for pair in zip(one, other, strict=True)]


def told_of(words: Words, page: Panorama) -> dict[str, str]:
    """The plots in a sentence each, as of now."""
    paths = page.paths
    timed = [(cell.options.rtt_seconds, cell.name) for cell in paths if cell.options and cell.options.rtt_seconds]
    heard = [(cell.call.mos, cell.name) for cell in paths if cell.call is not None and cell.call.mos is not None]
    found = {"told-rtt": "", "told-mos": ""}
    if timed:
        seconds, name = max(timed)
        found["told-rtt"] = words.text("Slowest now: {name}, {value}", name=name, value=words.milliseconds(seconds))
    if heard:
        mos, name = min(heard)
        found["told-mos"] = words.text("Poorest now: {name}, MOS {value}", name=name, value=words.number(mos, 2))
    return found
