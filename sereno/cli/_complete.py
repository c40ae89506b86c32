"""What a shell offers after an option: closed lists, and the names of the topology and desk in use (read-only)."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.media.codecs import names
from sereno.accounts.roles import SCOPES

if TYPE_CHECKING:
    from sereno.doctor import Patient

_WORDS: dict[str, tuple[str, ...]] = {
    "--format": ("pdf", "html", "xlsx", "csv", "json"),
    "--edition": ("full", "executive"),
    "--language": ("es", "en"),
    "--lang": ("es", "en"),
    "--priority": ("Urgente", "Alta", "Normal", "Baja"),
    "--urgency": ("alto", "medio", "bajo"),
    "--impact": ("organizacion", "departamento", "individual"),
    "--role": ("viewer", "operator", "manager", "admin"),
    "--clock": ("attention", "solution"),
    "users token add --scope": SCOPES,
}


def _names(section: str) -> Callable[["Patient"], Iterable[str]]:
    return lambda patient: getattr(patient.topology(), section)


def _people(patient: "Patient") -> Iterable[str]:
    desk = patient.desk()
    return desk.people if desk is not None else ()


def _levels(patient: "Patient") -> Iterable[str]:
    desk = patient.desk()
    return [level.name for level in desk.levels] if desk is not None else ()


def _channels(patient: "Patient") -> Iterable[str]:
    desk = patient.desk()
    return desk.channels if desk is not None else ()


def _scopes(patient: "Patient") -> Iterable[str]:
    topology = patient.topology()
    sections: dict[str, Iterable[str]] = {
        "customer": topology.customers, "site": topology.sites, "sbc": topology.sbcs, "core": topology.cores,
    }  # fmt: skip
    found = [f"{kind}:{name}" for kind, names in sections.items() for name in names]
    return ["service", *found, *(f"path:{path.name}" for path in topology.paths())]


_KNOWN: dict[str, Callable[["Patient"], Iterable[str]]] = {
    "--sbc": _names("sbcs"),
    "--core": _names("cores"),
    "--customer": _names("customers"),
    "--site": _names("sites"),
    "--probe": _names("probes"),
    "--path": lambda patient: [path.name for path in patient.topology().paths()],
    "--scope": _scopes,
    "--person": _people,
    "--level": _levels,
    "--channel": _channels,
    "--codec": lambda _: names(),
}


def offer(command: Any, path: str = "") -> None:
    """Every option of this command, and of those below it, offers what it can; `users token add --scope` its own."""
    path = path or command.name
    for parameter in command.params:
        called = [*(f"{path} {one}" for one in parameter.opts), *parameter.opts]
        name = next((one for one in called if one in _WORDS or one in _KNOWN), None)
        if name is not None:
            parameter._custom_shell_complete = _completing(name)  # noqa: SLF001  # the library takes it at making only
    for below, its in getattr(command, "commands", {}).items():
        offer(its, f"{path} {below}")


def _completing(name: str) -> Callable[[Any, Any, str], list[str]]:
    def complete(context: Any, parameter: Any, begun: str) -> list[str]:
        del parameter
        return [word for word in (_WORDS.get(name) or known(name, context.params)) if word.startswith(begun)]

    return complete


def known(name: str, given: dict[str, Any]) -> list[str]:
    """The names that an option can take by the store and files that the line speaks of; none if they cannot be read."""
    from sereno.doctor import Asked, Patient
    from sereno.instance import data_directory

    data, database, topology = given.get("data"), given.get("database"), given.get("topology")
    patient = Patient(
        Asked(
            data=data_directory(Path(data) if data else None), database=database,
            topology=Path(topology) if topology else None,
        )
    )  # fmt: skip
    try:
        return list(_KNOWN[name](patient))
    except Exception:  # noqa: BLE001  # a shell that asks while somebody types hears nothing rather than an error
        return []
    finally:
        patient.close()
