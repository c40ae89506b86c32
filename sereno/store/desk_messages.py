"""Messages to and from customers' contacts, each with what became of its delivery."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sereno.clock import iso
from sereno.store.tables import incident_messages, outbox

_STATES = {
    "pending": "en camino", "sent": "entregado", "failed": "no se pudo entregar", "expired": "no se pudo entregar",
    "obsolete": "ya no hizo falta",
}  # fmt: skip


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `state` and what follows are of its delivery, None for what never went by the outbox."""

    id: int
    number: int | None
    maintenance: int | None
    at_us: int
    direction: str
    kind: str
    customer: str | None
    address: str | None
    who: str
    subject: str
    body: str
    message_id: str | None
    state: str | None
    handed_us: int | None
    receipt: str | None
    error: str | None

    def as_json(self) -> dict[str, Any]:
        """The shape of `incidents messages --json`."""
        return {
            "at": iso(self.at_us),
            "direction": self.direction,
            "kind": self.kind,
            "customer": self.customer,
            "address": self.address,
            "who": self.who,
            "subject": self.subject,
            "body": self.body,
            "message_id": self.message_id,
            "state": self.state,
            "handed": None if self.handed_us is None else iso(self.handed_us),
            "receipt": self.receipt,
            "error": self.error,
        }

    def delivery(self) -> str:
        """What became of it, in a line."""
        if self.state is None:
            return "recibido" if self.direction == "in" else "dicho por otra vía"
        why = self.receipt if self.state == "sent" else self.error
        return _STATES.get(self.state, self.state) + (f": {why}" if why else "")


def messages_of(connection: Connection, *, number: int | None = None, maintenance: int | None = None) -> list[Said]:
    """Those of an incident or of a maintenance window, oldest first."""
    said = incident_messages
    query = (
        select(said, outbox.c.state, outbox.c.handed_us, outbox.c.receipt, outbox.c.error)
        .select_from(said.outerjoin(outbox, outbox.c.key == said.c.outbox_key))
        .order_by(said.c.id)
    )
    if number is not None:
        query = query.where(said.c.number == number)
    if maintenance is not None:
        query = query.where(said.c.maintenance == maintenance)
    names = Said.__struct_fields__
    return [Said(**{name: getattr(row, name) for name in names}) for row in connection.execute(query)]
