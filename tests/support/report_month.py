"""A month in Santiago whose truth is known cell by cell, of 150 seconds each: nothing here asks what the ledger asks.

September 2026 loses an hour on the 6th. A customer has three sites; the plan of the network changes on the 20th, the
contract on the 16th; one window is announced as it should be, one too late, one runs over.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from ledger_month import DAY, HOUR, S, empty_store, put_topology, samples
from sqlalchemy import insert

from sereno.clock import parse_instant
from sereno.incident import Clock, Element, IncidentRecord, Symptom, TimelineEntry, encode_record
from sereno.store.results import insert_results
from sereno.store.tables import incident_timeline, incidents, maintenance
from sereno.wire import Result

EVERY, HOLD, CELL = 300 * S, 750 * S, 150 * S
BEGIN, END = parse_instant("2026-09-01T00:00-04:00"), parse_instant("2026-10-01T00:00-03:00")
REWIRED = parse_instant("2026-09-20T00:00-03:00")
AMENDED = parse_instant("2026-09-16T00:00-03:00")
NOW = END + 20 * DAY
MONTH = "2026-09"
CHECKS = {
    "options": {"every": "300s", "timeout": "900ms"},
}
CONTRACT = """
contract: propio
versions:
- effective: 2023-07-01
  timezone: America/Santiago
  availability: {target_ppm: 999900}
  maintenance: {notice_days: [10, 15], window: "19:00-05:00", critical_fix: same_day}
  calendars: {always: 24x7}
  severities: {Urgente: S1, Alta: S2, Normal: S3, Baja: S4}
  matrix: {alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}
  clocks:
    incident:
      attention: {calendar: always, Urgente: 1h, Alta: 1h30m}
      solution: {calendar: always, Urgente: 3h, Alta: 4h}
    request: {attention: {calendar: always, Baja: 2h}}
  closing: {confirmation: true}
  compliance:
    target_percent: 98
    credits: {currency: CLP, shortfall: {amount: 1000}, late: {amount: 250.5}}
"""
SECOND = CONTRACT.partition("versions:\n- ")[2].replace("2023-07-01", "2026-09-16").replace("999900", "999000")


def plan(**sites: list[str]) -> dict[str, object]:
    return {
        "service": "voz",
        "timezone": "America/Santiago",
        "cores": {"a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {name: {"addresses": [f"sip:192.0.2.{n}"], "primary": "a"} for n, name in enumerate(("s1", "s2"), 1)},
        "customers": {"acme": {"name": "Ñandú & Cía <S.A.>", "contract": "propio", "locale": "es_CL"}},
        "sites": {name: {"customer": "acme", "sbcs": sbcs} for name, sbcs in sites.items()},
        "checks": CHECKS,
        "probes": {"p1": {"network": "isp"}},
    }


def local(text: str) -> int:
    """`05 14:30`, in September, by the clock on the wall."""
    day, clock = text.split()
    return parse_instant(f"2026-09-{day}T{clock}-0{4 if int(day) < 6 else 3}:00")


BAD = {
    "s1": [
        (BEGIN - 900 * S, BEGIN + 600 * S),  # over the month's beginning
        (local("03 10:00"), local("03 10:40")),
        (local("12 20:30"), local("12 21:10")),  # within announced work: excluded
        (local("12 21:50"), local("12 22:20")),  # and over its end
        (local("22 11:00"), local("22 11:05")),  # one failure alone: nothing
    ],
    "s2": [
        (local("03 10:30"), local("03 11:00")),  # both at once for ten minutes
        (local("17 20:00"), local("17 20:45")),  # within work that was announced too late
        (local("25 09:00"), local("25 09:25")),
        (END - 1200 * S, END + 1200 * S),  # over the month's end
    ],
}
GONE = [(local("08 02:00"), local("08 05:00")), (local("28 12:00"), local("28 13:00"))]
WINDOWS = [  # scope, from, to, announced
    ("service", "voz", local("12 20:00"), local("12 22:00"), local("01 09:00")),
    ("service", "voz", local("17 19:30"), local("17 21:00"), local("12 23:00")),
    ("sbc", "s2", local("24 22:00"), local("24 23:00"), local("11 12:00")),  # does not cover who has another way
]
PLANS = [
    (0, {"hq": ["s1"], "dos": ["s2", "s1"], "tres": ["s2"]}),
    (REWIRED, {"hq": ["s2"], "dos": ["s2", "s1"], "tres": ["s2"]}),
]
SITES = ("hq", "dos", "tres")


def calls() -> Iterator[Result]:
    """Test calls: one an hour through each SBC for ten days, with values that are known."""
    seq = 100_000
    for number in range(240):
        for sbc in ("s1", "s2"):
            seq += 1
            at_us = local("10 00:00") + number * HOUR + (7 if sbc == "s1" else 11) * S
            failed = number % 40 == 39
            said: dict[str, object] = {"outcome": "failed", "reason": "no_answer"}
            said["post_dial_delay_seconds"] = 4.0 + number / 100
            if not failed:
                said = {
                    "outcome": "ok", "setup_seconds": round(0.2 + number * 0.01, 6), "disconnect_seconds": 0.05,
                    "post_dial_delay_seconds": round(0.1 + number * 0.005, 6),
                    "media": {
                        "rx": {"mos_lq": round(4.4 - number / 200, 4), "mos_cq": round(4.3 - number / 200, 4)},
                        "tx": {"mos_lq": 4.1 if sbc == "s1" else 3.9},
                    },
                }  # fmt: skip
            yield Result(v=1, probe="p1", boot="c", seq=seq, at=iso_of(at_us), check="call", sbc=sbc, core="a", **said)  # type: ignore[arg-type]


def iso_of(at_us: int) -> str:
    from sereno.clock import iso

    return iso(at_us)


# -- the store ---------------------------------------------------------------------------------------------------------


def fill(folder):
    """A store of the month, as a collector would have left it, and its contract beside the topology."""
    store = empty_store(folder / "data")
    beside = folder / "files"
    (beside / "contracts").mkdir(parents=True)
    (beside / "contracts" / "propio.yaml").write_text(f"{CONTRACT}- {SECOND.strip()}\n", encoding="utf-8")
    for from_us, sites in PLANS:
        put_topology(store, plan(**sites), from_us, str(beside))
    found = [*calls()]
    for place, sbc in enumerate(("s1", "s2")):
        found += samples(
            BEGIN - DAY, END + DAY, EVERY, bad=BAD[sbc], gone=GONE, sbc=sbc, seq=1 + place * 50_000
        )  # fmt: skip
    with store.write() as connection:
        by_hour = sorted(found, key=lambda one: one.at_us)
        for hour, group in groupby(by_hour, key=lambda one: one.at_us // HOUR):
            insert_results(connection, list(group), (hour + 1) * HOUR)
        for kind, name, from_us, to_us, announced_us in WINDOWS:
            connection.execute(insert(maintenance).values(
                scope_kind=kind, scope_name=name, from_us=from_us, to_us=to_us, announced_us=announced_us,
                critical_fix=False, who="ana", recorded_us=announced_us,
            ))  # fmt: skip
        for record in tickets():
            connection.execute(insert(incidents).values(
                number=record.number, state=record.state, **{"class": record.class_}, priority=record.priority,
                cause_kind=record.cause.kind, cause_name=record.cause.name, since_us=record.since_us,
                opened_us=record.opened_us, resolved_us=record.resolved_us, closed_us=None, version=1,
                body=encode_record(record),
            ))  # fmt: skip
            for line in record.timeline:
                connection.execute(insert(incident_timeline).values(
                    number=record.number, at_us=line.at_us, what=line.what, who=line.who
                ))  # fmt: skip
    return store


def tickets() -> list[IncidentRecord]:
    """Met and missed, of an outage and of a request; titles such as somebody might write."""
    t1, t2 = local("03 10:30"), local("21 09:00")

    def clock(name, priority, due_us, state, ended_us):
        return Clock(
            contract="propio", clock=name, priority=priority, due_us=due_us, state=state, customer="acme",
            severity={"Urgente": "S1", "Baja": "S4"}[priority], ended_us=ended_us,
        )  # fmt: skip

    return [
        IncidentRecord(
            number=7, state="resolved", class_="service", priority="Urgente", priority_peak="Urgente",
            cause=Element(kind="service", name="voz"), title="Servicio de voz caído", since_us=t1, opened_us=t1 + 5 * S,
            severity="S1", customers={"acme": "Urgente"}, sites=("dos", "hq", "tres"), acknowledged_us=t1 + 600 * S,
            symptoms=(Symptom(kind="site", name="dos", alarm="site_down"),),
            resolved_us=local("03 10:40"), resolved_at_us=local("03 10:45"),
            clocks=(
                clock("attention", "Urgente", t1 + HOUR, "met", t1 + 600 * S),
                clock("solution", "Urgente", t1 + 3 * HOUR, "met", local("03 10:40")),
            ),
            timeline=(TimelineEntry(at_us=t1 + 600 * S, what="atendido", who="ana"),),
        ),
        IncidentRecord(
            number=9, state="acknowledged", class_="service", priority="Baja", priority_peak="Baja", kind="request",
            cause=Element(kind="customer", name="acme"), title="=2+3 <b>extensión</b> nueva & más", since_us=t2,
            opened_us=t2, severity="S4", customers={"acme": "Baja"}, sites=("hq",), opened_by="eva",
            acknowledged_us=t2 + 3 * HOUR,
            clocks=(clock("attention", "Baja", t2 + 2 * HOUR, "missed", t2 + 3 * HOUR),),
        ),
    ]  # fmt: skip


# -- the truth ---------------------------------------------------------------------------------------------------------


class Truth(NamedTuple):
    """Of one scope, in seconds."""

    down: int
    excluded: int
    unknown: int
    total: int
    outages: list[tuple[int, int]]  # each from its first cell to its last, whether all of it counts or not
    by_day: dict[int, tuple[int, int, int]]

    @property
    def bound(self) -> int:
        return len(self.outages) * 300

    @property
    def allowed(self) -> Fraction:
        """By two versions of the contract: 99.99 %, then 99.9 %."""
        late = self.excluded - 7200  # what is excluded beside the first window lies after the amendment
        before = Fraction((AMENDED - BEGIN) // S - 7200, 10_000)
        return before + Fraction((END - AMENDED) // S - late, 1_000)

    @property
    def verdict(self) -> str:
        if self.down + self.bound + self.unknown <= self.allowed:
            return "met"
        return "missed" if self.down - self.bound > self.allowed else "not_provable"

    def ratio(self, bad: int, of: int) -> float:
        return float(1 - Fraction(bad, of))


def sample_at(sbc: str, at_us: int) -> str | None:
    """What the sample at this instant said; None where there is none."""
    if any(begin <= at_us < end for begin, end in GONE):
        return None
    return "F" if any(begin <= at_us < end for begin, end in BAD[sbc]) else "G"


def path_state(sbc: str, cell_us: int) -> str:
    """By looking around: down from two failures in a row to the next two successes; silence is unknown after 750 s."""
    last = cell_us - (cell_us - (BEGIN - DAY)) % EVERY
    while sample_at(sbc, last) is None:
        last -= EVERY
    if cell_us - last >= HOLD:
        return "unknown"
    if sample_at(sbc, last) == "G":
        before = sample_at(sbc, last - EVERY)
        return "down" if before == "F" and sample_at(sbc, last + EVERY) == "F" else "up"
    paired = "F" in (sample_at(sbc, last - EVERY), sample_at(sbc, last + EVERY))
    return "down" if paired else "up"


def site_state(site: str, cell_us: int) -> str:
    sites = PLANS[0][1] if cell_us < REWIRED else PLANS[1][1]
    states = [path_state(sbc, cell_us) for sbc in sites[site]]
    return "up" if "up" in states else "unknown" if "unknown" in states else "down"


def excluded_at(site: str, cell_us: int) -> bool:
    """The first window keeps the contract's terms for all; the third for whoever then has no other SBC than s2."""
    sites = PLANS[0][1] if cell_us < REWIRED else PLANS[1][1]
    return WINDOWS[0][2] <= cell_us < WINDOWS[0][3] or (
        sites[site] == ["s2"] and WINDOWS[2][2] <= cell_us < WINDOWS[2][3]
    )


def truth(site: str | None) -> Truth:
    """A site, or the customer: at every cell the worst of its sites that are not excluded."""
    counts = {"down": 0, "unknown": 0, "excluded": 0}
    by_day: dict[int, list[int]] = {}
    marks: list[tuple[int, str, bool]] = []
    for cell_us in range(BEGIN, END, CELL):
        mine = (site,) if site else SITES
        left = [one for one in mine if not excluded_at(one, cell_us)]
        states, seen = ([site_state(one, cell_us) for one in some] for some in (mine, left))
        worst = next((state for state in ("down", "unknown") if state in states), "up")
        out = not left
        counted = "excluded" if out else next((state for state in ("down", "unknown") if state in seen), "up")
        marks.append((cell_us, worst, out))
        if counted in counts:
            counts[counted] += CELL // S
            day = by_day.setdefault(_day(cell_us), [0, 0, 0])
            day[("down", "unknown", "excluded").index(counted)] += CELL // S
    return Truth(
        counts["down"], counts["excluded"], counts["unknown"], (END - BEGIN) // S, _outages(marks),
        {day: (found[0], found[1], found[2]) for day, found in by_day.items()},
    )  # fmt: skip


def _outages(marks: list[tuple[int, str, bool]]) -> list[tuple[int, int]]:
    """Runs of cells that are down, as they were; those that are wholly excluded are none of the contract's."""
    found = []
    for down, group in groupby(marks, key=lambda one: one[1] == "down"):
        cells = list(group)
        if down and not all(out for _, _, out in cells):
            found.append((cells[0][0], cells[-1][0] + CELL))
    return found


def _day(cell_us: int) -> int:
    """The day of the month in Santiago; on the 6th clocks went from 24:00 to 1:00."""
    return next(day for day in range(30, 0, -1) if cell_us >= _midnight(day))


def _midnight(day: int) -> int:
    if day == 6:
        return parse_instant("2026-09-06T01:00-03:00")
    return parse_instant(f"2026-09-{day:02d}T00:00-0{4 if day < 6 else 3}:00")


def told(out: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(out)
    return found
