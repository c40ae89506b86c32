"""Announced windows of work: the shape of `maintenance list --json`."""

from collections.abc import Iterable
from typing import Any

from sereno.clock import iso
from sereno.store.desk import Window
from sereno.store.desk_messages import Said


def window_json(window: Window, notices: Iterable[Said]) -> dict[str, Any]:
    """One window, with the notices that went out and what became of each."""
    return {
        "id": window.id,
        "scope": {"kind": window.kind, "name": window.name},
        "from": iso(window.from_us),
        "to": iso(window.to_us),
        "announced": iso(window.announced_us),
        "critical_fix": window.critical_fix,
        "who": window.who,
        "recorded": iso(window.recorded_us),
        "cancelled": None if window.cancelled_us is None else iso(window.cancelled_us),
        "notices": [said.as_json() for said in notices],
    }
