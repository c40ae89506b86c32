"""Alarms are declared, not programmed: the model of `alarms.yaml`, and the shipped set.

A verdict alarm watches what is said of one kind of element: its verdict, or a finding (`sereno.verdict.Change.what`).
"""

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from sereno.errors import ConfigError
from sereno.shape import Duration, Frozen, Name
from sereno.verdict import VERDICT

Urgency = Literal["alto", "medio", "bajo"]
Impact = Literal["organizacion", "departamento", "individual"]
AlarmKind = Literal["service", "site", "core", "sbc", "path", "probe", "account", "network", "monitor"]
FILE = "alarms.yaml"
_MEND = "mend the file; the shipped alerting/data/alarms.yaml shows the form"


class Alarm(Frozen):
    """One declared alarm: what it watches, how long it must hold, how grave it is, what to do first."""

    kind: AlarmKind
    what: Annotated[str, Field(pattern=r"^[a-z_]{2,40}$")]
    states: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    urgency: Urgency
    impact: Impact
    page: bool
    first_step: Annotated[str, Field(min_length=1)]
    for_us: Duration = Field(alias="for", default=0)
    clear_us: Duration = Field(alias="clear", default=30_000_000)
    class_: Literal["service", "monitor"] = Field(alias="class", default="service")

    def bad(self, state: str) -> bool | None:
        """True: the condition holds; False: it is known not to; None: nobody can say (unknown, maintenance)."""
        if state in self.states:
            return True
        if self.what == VERDICT:
            return False if state in {"up", "degraded"} else None
        return False if state == "false" else None


class Alarms(Frozen):
    """The whole file."""

    alarms: Annotated[dict[Name, Alarm], Field(min_length=1)]

    def watching(self, kind: str, what: str) -> list[tuple[str, Alarm]]:
        """The alarms that a change of (kind, what) concerns."""
        return [(name, alarm) for name, alarm in self.alarms.items() if (alarm.kind, alarm.what) == (kind, what)]


def load_alarms(beside: Path | None = None) -> Alarms:
    """`alarms.yaml` in the folder `beside` where there is one, else the shipped set; ConfigError says what is wrong."""
    if beside is not None and (beside / FILE).is_file():
        return parse_alarms((beside / FILE).read_text(encoding="utf-8"), str(beside / FILE))
    shipped = resources.files("alerting") / "data" / FILE
    return parse_alarms(shipped.read_text(encoding="utf-8"), f"alerting/data/{FILE}")


def parse_alarms(text: str, where: str) -> Alarms:
    """The alarms in a YAML text; ConfigError, and nothing else, when it is not one."""
    try:
        tree: Any = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader that also refuses repeated keys
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}:{line}", f"not YAML: {error.problem}", _MEND) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(where, f"not YAML: {' '.join(str(error).split())}", _MEND) from None
    try:
        return Alarms.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        found = _line_of(text, tuple(first["loc"]))
        raise ConfigError(f"{where}:{found}" if found else where, f"{key}: {first['msg']}", _MEND) from None


class _UniqueKeys(yaml.SafeLoader):
    """A key written twice is a mistake, not a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is no text", key_node.start_mark)
            if key in seen:
                problem = f"key {key!r} is written twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _line_of(text: str, location: tuple[int | str, ...]) -> int | None:
    """The line of the deepest node that the location names."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    line = None
    for part in location:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
