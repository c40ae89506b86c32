"""What a report may say of an incident that touched others, too: a customer's paper names nobody else."""

from collections.abc import Collection

from dashboards.reports.model import Cause
from sereno.incident import IncidentRecord
from sereno.incident.reading import titled

LANGUAGES = ("es", "en")
_PLAIN = {"es": "Algo que tocó también su servicio", "en": "Something that touched your service, too"}
_NAMED = ("site", "customer", "account")
_OURS = ("sereno", "ledger")


class Own:
    """The customer, and the sites that were theirs within the window."""

    def __init__(self, customer: str, sites: Collection[str]) -> None:
        self._customer, self._sites = customer, frozenset(sites)

    def sites(self, record: IncidentRecord) -> tuple[str, ...]:
        """Of the sites that it touched the customer's."""
        return tuple(name for name in record.sites if name in self._sites)

    def title(self, record: IncidentRecord) -> dict[str, str]:
        """By language; what people wrote of several customers, and causes that are another's, are left out."""
        alone = {self._customer}.issuperset(record.customers)
        if self._foreign(record) or not (alone or record.opened_by in _OURS):
            return dict(_PLAIN)
        return {language: titled(record, language) for language in LANGUAGES}

    def cause(self, record: IncidentRecord) -> Cause:
        """Without its name where that is somebody else's."""
        return Cause(kind=record.cause.kind, name="—" if self._foreign(record) else record.cause.name)

    def _foreign(self, record: IncidentRecord) -> bool:
        return record.cause.kind in _NAMED and record.cause.name not in {self._customer, *self._sites}
