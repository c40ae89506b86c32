"""What a report says: its fields, read once for every act that opens or completes one."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from alerting.acts.act import Act
from alerting.lifecycle import RefusedError
from sereno.contract.report import missing
from sereno.incident import PRIORITIES, IncidentRecord, Priority

FIELDS = (
    "title", "channel", "reporter", "contact", "extension", "direction", "counterpart", "occurred", "description",
    "category", "urgency", "impact",
)  # fmt: skip
DIRECTIONS = {
    "incoming": "incoming", "entrante": "incoming", "entrantes": "incoming",
    "outgoing": "outgoing", "saliente": "outgoing", "salientes": "outgoing",
}  # fmt: skip
URGENCIES = {
    "alto": "alto", "alta": "alto", "high": "alto", "medio": "medio", "media": "medio", "medium": "medio",
    "bajo": "bajo", "baja": "bajo", "low": "bajo",
}  # fmt: skip
IMPACTS = {
    "organizacion": "organizacion", "organization": "organizacion", "departamento": "departamento",
    "department": "departamento", "individual": "individual",
}  # fmt: skip
BLAMES = {
    "plataforma": "plataforma", "platform": "plataforma", "cliente": "cliente", "customer": "cliente",
    "proveedor": "proveedor", "provider": "proveedor", "tercero": "tercero", "terceros": "tercero",
    "third_party": "tercero",
}  # fmt: skip
_LONGEST_LINE = 300  # of every field but the description


def given(act: Act) -> dict[str, Any]:
    """The fields that came with the act, checked; nothing for those that did not."""
    found: dict[str, Any] = {}
    for name in ("title", "channel", "reporter", "contact", "extension", "counterpart", "category"):
        if (said := act.text(name)) is not None:
            found[name] = _line(name, said)
    if (said := act.text("description")) is not None:
        found["description"] = said
    if (word := act.one_of("direction", DIRECTIONS, "entrante o saliente")) is not None:
        found["direction"] = word
    if (word := act.one_of("urgency", URGENCIES, "alto, medio o bajo")) is not None:
        found["urgency"] = word
    if (word := act.one_of("impact", IMPACTS, "organizacion, departamento o individual")) is not None:
        found["impact"] = word
    if (occurred_us := act.instant("occurred")) is not None:
        if occurred_us > act.at_us:
            raise RefusedError("occurred: no puede haber ocurrido después de ahora")
        found["occurred_us"] = occurred_us
    return found


def _line(name: str, said: str) -> str:
    """One line of text, whatever blanks it came with."""
    text = " ".join(said.split())
    if not text.isprintable():
        raise RefusedError(f"{name}: tiene caracteres de control; escríbalo de nuevo")
    if len(text) > _LONGEST_LINE:
        raise RefusedError(f"{name}: pasa de {_LONGEST_LINE} caracteres; lo largo va en description")
    return text


def places(act: Act) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(customers, sites) that came with the act; a site brings its customer."""
    topology = act.desk.topology
    sites = act.texts("sites") + act.texts("site")
    for site in sites:
        if site not in topology.sites:
            raise RefusedError(f"no hay ninguna sede {site}; son {', '.join(topology.sites) or 'ninguna'}")
    customers = act.texts("customers") + act.texts("customer") + tuple(topology.sites[site].customer for site in sites)
    for name in customers:
        if name not in topology.customers:
            raise RefusedError(f"no hay ningún cliente {name}; son {', '.join(topology.customers) or 'ninguno'}")
    return tuple(dict.fromkeys(customers)), tuple(dict.fromkeys(sites))


def priority(act: Act, record: IncidentRecord, fields: Mapping[str, Any], default: Priority) -> Priority:
    """As given by name, else by the contract's matrix from urgency and impact, else the default."""
    said = act.text("priority")
    versions = act.versions(record)
    if said is not None:
        named = [found for version in versions if (found := version.priority_named(said)) is not None]
        if not named:
            raise RefusedError(f"la prioridad es {', '.join(PRIORITIES)}, no {said!r}")
        return min(named, key=PRIORITIES.index)
    urgency, impact = fields.get("urgency", record.urgency), fields.get("impact", record.impact)
    if (urgency is None) != (impact is None):
        raise RefusedError("la matriz pide urgencia e impacto: dé los dos (--urgency y --impact)")
    if urgency is None or impact is None:
        return default
    return min((version.priority(urgency, impact) for version in versions), key=PRIORITIES.index)


def wanted(act: Act, record: IncidentRecord) -> tuple[str, ...]:
    """What its contracts still ask for of the report. What the desk opened for itself asks for nothing."""
    if not of_a_customer(record):
        return ()
    return tuple(dict.fromkeys(name for version in act.versions(record) for name in missing(version, record)))


def of_a_customer(record: IncidentRecord) -> bool:
    """A customer reported it: one is named, or somebody told what happened to whom."""
    told = (record.reporter, record.extension, record.direction, record.counterpart, record.occurred_us)
    return bool(record.customers) or any(one is not None for one in told)


def completed(act: Act, record: IncidentRecord) -> IncidentRecord:
    """With the instant at which the report held all that was asked for; it never becomes incomplete again."""
    if record.complete_us is not None or wanted(act, record):
        return record
    return replace(record, complete_us=act.at_us)
