"""A verb with its arguments read: what every act works with. What cannot be read is refused in the operator's words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from alerting import clocks
from alerting.causes import Key
from alerting.lifecycle import RefusedError, UnknownIncidentError
from alerting.machine import AlarmState
from alerting.reconcile import Reconciler
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import parse_instant
from sereno.contract import Version
from sereno.incident import IncidentRecord

if TYPE_CHECKING:
    from alerting.papers import Papers

LOUD = ("Urgente", "Alta")  # what may wake somebody
ATTENTION = frozenset({"attention"})
LONGEST_TEXT = 20_000  # of a description or a mail; what is longer is cut, and says so


class Act:
    """A verb on the desk's book, its arguments, who asks for it and when."""

    def __init__(
        self, desk: Reconciler, states: dict[Key, AlarmState], papers: "Papers", arguments: Mapping[str, object],
        who: str, at_us: int,
    ) -> None:  # fmt: skip
        self.desk, self.states, self.papers = desk, states, papers
        self.arguments, self.who, self.at_us = arguments, who, at_us

    # -- arguments -----------------------------------------------------------------------------------------------------

    def text(self, name: str) -> str | None:
        """An argument in words; None where it is absent or blank."""
        value = self.arguments.get(name)
        if value is None or (said := str(value).strip()) == "":
            return None
        return said if len(said) <= LONGEST_TEXT else said[:LONGEST_TEXT] + " […]"

    def texts(self, name: str) -> tuple[str, ...]:
        """An argument that may be one word, several with commas, or a list."""
        value = self.arguments.get(name)
        if value is None:
            return ()
        parts = [str(one) for one in value] if isinstance(value, list | tuple) else str(value).split(",")
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def number(self, name: str) -> int | None:
        value = self.arguments.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedError(f"{name} {value!r} no es un número")
        return value

    def instant(self, name: str) -> int | None:
        """An instant: ISO 8601 with its offset, or microseconds under `NAME_us`."""
        micro = self.number(f"{name}_us")
        if micro is not None:
            return micro
        said = self.text(name)
        if said is None:
            return None
        try:
            return parse_instant(said)
        except ValueError:
            raise RefusedError(
                f"{name}: {said!r} no es un instante ISO 8601 con su desfase, como 2026-07-10T17:30-05:00"
            ) from None

    def one_of(self, name: str, words: Mapping[str, str], wanted: str) -> str | None:
        """An argument from a closed list, as people write it (no accents, any case)."""
        said = self.text(name)
        if said is None:
            return None
        found = words.get(plain(said))
        if found is None:
            raise RefusedError(f"{name} {said!r} no vale: es {wanted}")
        return found

    # -- the book ------------------------------------------------------------------------------------------------------

    @property
    def record(self) -> IncidentRecord:
        return self.incident(self.arguments.get("number"))

    def incident(self, number: object) -> IncidentRecord:
        """The incident of a number; UnknownIncidentError where there is none."""
        found = self.desk.book.records.get(number) if isinstance(number, int) else None
        if found is None or found.version == 0:
            raise UnknownIncidentError(number)
        return found

    def line(self, message: str, **values: object) -> str:
        """The timeline's words, with the note that came with the act."""
        note = self.text("note")
        said = say(DESK_LANGUAGE, message, **values)
        return f"{said}: {note}" if note else said

    def put(self, record: IncidentRecord, *lines: str, **changes: object) -> IncidentRecord:
        return self.desk.book.put(record, self.at_us, *lines, who=self.who, **changes)

    def attended(self, record: IncidentRecord) -> IncidentRecord:
        """The first response stops the attention clocks."""
        first = record.acknowledged_us if record.acknowledged_us is not None else self.at_us
        return replace(record, acknowledged_us=first, clocks=clocks.end(record, ATTENTION, self.at_us))

    def versions(self, record: IncidentRecord) -> list[Version]:
        """The contracts that speak for it: its customers', or the desk's own where no customer suffers."""
        impact, customers = self.desk.impact, self.desk.topology.customers
        names = {customers[name].contract for name in record.customers if name in customers} or {impact.desk_contract}
        return [impact.version(str(name), record.opened_us) for name in sorted(str(name) for name in names)]


def plain(word: str) -> str:
    """Without accents and capitals: `Organización` is `organizacion`."""
    return word.strip().casefold().translate(str.maketrans("áéíóúü", "aeiouu"))
