"""What was promised: contract files, service calendars, service-level clocks."""

from sereno.contract.calendar import Calendar, month_bounds
from sereno.contract.clock import ClockRule
from sereno.contract.load import known_contract, load_contract, load_contract_file, parse_contract, shipped
from sereno.contract.model import Contract, Version

__all__ = [
    "Calendar",
    "ClockRule",
    "Contract",
    "Version",
    "known_contract",
    "load_contract",
    "load_contract_file",
    "month_bounds",
    "parse_contract",
    "shipped",
]
