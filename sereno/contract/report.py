"""What a report of a ticket must hold before a contract calls it complete."""

from collections.abc import Callable

from sereno.contract.model import Version
from sereno.incident import IncidentRecord

_HELD: dict[str, Callable[[IncidentRecord], object]] = {
    "reporter": lambda record: record.reporter,
    "contact": lambda record: record.contact,
    "extension": lambda record: record.extension,
    "direction": lambda record: record.direction,
    "counterpart": lambda record: record.counterpart,
    "occurred": lambda record: record.occurred_us,
    "description": lambda record: record.description,
    "title": lambda record: record.title,
}


def missing(version: Version, record: IncidentRecord) -> tuple[str, ...]:
    """The fields that the contract still wants of it, in the contract's order; none: the report is complete."""
    wanted = version.report.request if record.kind == "request" else version.report.incident
    return tuple(name for name in wanted if _HELD[name](record) in (None, ""))
