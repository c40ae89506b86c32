"""Monthly compliance with a contract's clocks, pure: which were met, what falls short, what is discounted for it."""

from sereno.compliance.as_json import compliance_json
from sereno.compliance.judge import alone, cases
from sereno.compliance.model import Case, Credit, Month, Part, Scope, Tally
from sereno.compliance.month import month_window, monthly

__all__ = [
    "Case",
    "Credit",
    "Month",
    "Part",
    "Scope",
    "Tally",
    "alone",
    "cases",
    "compliance_json",
    "month_window",
    "monthly",
]
