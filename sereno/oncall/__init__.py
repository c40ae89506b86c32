"""Who is on call: levels as they are frozen into incidents, rotas and overrides. Pure; feeds are in `feed`."""

from sereno.oncall.roster import Copy, Duty, Override, Roster
from sereno.oncall.rung import is_open, rungs_of
from sereno.oncall.shift import Shift

__all__ = ["Copy", "Duty", "Override", "Roster", "Shift", "is_open", "rungs_of"]
