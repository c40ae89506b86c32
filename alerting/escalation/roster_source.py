"""The roster as the store has it now: overrides as they are, feeds spelt out from their last good copies."""

import logging

from sqlalchemy import Connection

from sereno.desk import Rota
from sereno.oncall import Copy, Roster
from sereno.store.oncall import FeedRow, feeds, overrides, place_of

log = logging.getLogger(__name__)
_AGAIN_US = 24 * 3_600_000_000  # a copy is spelt out for ten weeks, and anew every day
_LOOK_BACK_US = 3_600_000_000


class RosterSource:
    """Reads it; a copy of a feed is spelt out once a day."""

    def __init__(self) -> None:
        self._spelt: dict[tuple[str, int | None, str], tuple[int, Copy]] = {}

    def refresh(self, connection: Connection, roster: Roster, at_us: int) -> None:
        """What counts at an instant, into the roster."""
        if roster.desk is None or not roster.desk.levels:
            return
        wanted = {name: rota for name, rota in roster.desk.rotas.items() if rota.icalendar is not None}
        known = feeds(connection) if wanted else {}
        roster.copies = {name: self._copy(rota, known.get(name), roster.zone, at_us) for name, rota in wanted.items()}
        roster.overrides = overrides(connection, at_us - _LOOK_BACK_US)

    def _copy(self, rota: Rota, row: FeedRow | None, zone: str, at_us: int) -> Copy:
        if row is None or row.place != place_of(rota.icalendar or ""):
            return Copy()
        if row.copy is None:
            return Copy(error=row.error)
        key = (row.rota, row.read_us, rota.timezone or zone)
        made_us, copy = self._spelt.get(key, (0, None))
        if copy is None or not 0 <= at_us - made_us < _AGAIN_US:
            copy = spelt_out(row, rota.timezone or zone, at_us)
            self._spelt = {known: one for known, one in self._spelt.items() if known[0] != row.rota}
            self._spelt[key] = (at_us, copy)
        return Copy(shifts=copy.shifts, checked_us=copy.checked_us, error=row.error or copy.error)


def spelt_out(row: FeedRow, zone: str, at_us: int) -> Copy:
    """The shifts of a copy around an instant."""
    from sereno.oncall.feed import FeedError, shifts, window  # the library of calendars is slow to load

    try:
        return Copy(shifts=shifts(row.copy or b"", zone, *window(at_us)), checked_us=row.read_us)
    except FeedError as error:  # it was good when it was kept: another zone, another version
        log.warning("rota %s: its copy %s", row.rota, error)
        return Copy(error=str(error))
