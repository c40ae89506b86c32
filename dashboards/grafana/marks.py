"""Incidents and maintenance as marks on a time axis: what stands in the store, and what Grafana already has of it.

A mark is known again by its tag (`sereno:SERVICE:incident:12`), so that it is made once, changed when what it tells
changes, and taken away when it no longer holds. Pure: nothing is asked of anybody here.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dashboards.grafana.frame import INCIDENT, MAINTENANCE, TAG
from sereno.incident import IncidentRecord
from sereno.store.desk import Window


class Mark(NamedTuple):
    """An annotation as it ought to be; `until_ms` is None while it goes on."""

    own: str
    kind: str
    from_ms: int
    until_ms: int | None
    text: str
    tags: tuple[str, ...] = ()
    gone: bool = False  # merged into another, or cancelled: it is to be taken away

    def all_tags(self) -> list[str]:
        return [TAG, self.kind, self.own, *self.tags]


class Steps(NamedTuple):
    """What is to be done so that Grafana shows what is so."""

    create: list[Mark]
    update: list[tuple[int, Mark]]
    delete: list[int]
    unchanged: int


def of_incidents(records: Iterable[IncidentRecord], service: str, pages: str) -> list[Mark]:
    """Open and past incidents; what was merged into another one is told by that one."""
    return [
        Mark(
            f"{TAG}:{service}:{INCIDENT}:{one.number}", INCIDENT, one.since_us // 1_000, _milliseconds(_over(one)),
            f"#{one.number} · {one.priority} · {one.title}\n{pages}/incidents/{one.number}", (one.priority,),
            one.merged_into is not None,
        )
        for one in records
    ]  # fmt: skip


def of_maintenance(windows: Iterable[Window], service: str, pages: str) -> list[Mark]:
    """Announced windows, future ones too; cancelled ones are taken away."""
    return [
        Mark(
            f"{TAG}:{service}:{MAINTENANCE}:{one.id}", MAINTENANCE, one.from_us // 1_000, one.to_us // 1_000,
            f"{one.name if one.kind == 'service' else f'{one.kind}:{one.name}'} · {one.who}\n{pages}/maintenance",
            gone=one.cancelled_us is not None,
        )
        for one in windows
    ]  # fmt: skip


def steps(wanted: Iterable[Mark], found: Iterable[Mapping[str, Any]]) -> Steps:
    """From what ought to be and Grafana's annotations; what is neither asked for nor gone is left alone."""
    there: dict[str, list[Mapping[str, Any]]] = {}
    for one in found:
        for tag in one.get("tags") or ():
            there.setdefault(tag, []).append(one)
    made = Steps([], [], [], 0)
    unchanged = 0
    for mark in wanted:
        same = there.get(mark.own, [])
        first, doubles = (None, same) if mark.gone else (same[0] if same else None, same[1:])
        made.delete.extend(int(one["id"]) for one in doubles)
        if mark.gone:
            continue
        if first is None:
            made.create.append(mark)
        elif _same(first, mark):
            unchanged += 1
        else:
            made.update.append((int(first["id"]), mark))
    return made._replace(unchanged=unchanged)


def _same(there: Mapping[str, Any], mark: Mark) -> bool:
    until = there.get("timeEnd") or None
    until = None if until == there.get("time") and mark.until_ms is None else until  # a point ends where it begins
    said = (there.get("time"), until, there.get("text"), sorted(there.get("tags") or ()))
    return said == (mark.from_ms, mark.until_ms, mark.text, sorted(mark.all_tags()))


def _over(record: IncidentRecord) -> int | None:
    return record.resolved_us if record.state in {"resolved", "closed"} else None


def _milliseconds(at_us: int | None) -> int | None:
    return None if at_us is None else at_us // 1_000
