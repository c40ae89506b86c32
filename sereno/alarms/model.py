"""Alarms are declared, not programmed: the model of `alarms.yaml`.

A verdict alarm watches what is said of one kind of element: its verdict, or a finding (`sereno.verdict.Change.what`).
A threshold alarm, known by its `measure`, watches a number; the collector evaluates it and says of the element that it
is true or false, so that to the desk both are the same. docs/alarms.md has the meaning of every key.
"""

import difflib
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from sereno.alarms.measures import AGGREGATES, MEASURES, Aggregate, Part, Scope
from sereno.shape import Duration, Frozen, PositiveDuration, Text
from sereno.verdict import VERDICT, State

Urgency = Literal["alto", "medio", "bajo"]
Impact = Literal["organizacion", "departamento", "individual"]
AlarmKind = Literal[
    "service", "site", "core", "sbc", "path", "probe", "portal", "database", "account", "network", "monitor",
    "channel", "external",
]  # fmt: skip
_SHOWN = 60  # letters of a wrong word
_WHAT = r"^[a-z][a-z0-9_]{1,39}$"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _words_of_truth(value: Any) -> Any:
    """One state or a list; YAML's own true and false are meant as words."""
    given = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else one for one in given]


def _one_of(kind: str, known: Iterable[str]) -> Any:
    """Refuses a word that is not on a closed list, with the nearest one that is."""
    names = list(known)

    def check(value: Any) -> Any:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one not in names:
                near = difflib.get_close_matches(one[:_SHOWN], names, n=1)
                mend = f"write {near[0]}, or another of {', '.join(names)}" if near else f"write {', '.join(names)}"
                raise ValueError(f"{one[:_SHOWN]!r} is no {kind}: {mend}")
        return value

    return BeforeValidator(check)


def _words(words: tuple[str, ...]) -> WithJsonSchema:
    """The schema of a list that may be written as one word."""
    one = {"type": "string", "enum": list(words)}
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})


def _different(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("names the same thing twice: write it once")
    return value


def _alarm_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("is no name of an alarm: write letters, digits, dot, dash and underscore, 40 at most")
    return value


Number = Annotated[float, Field(allow_inf_nan=False)]
AlarmName = Annotated[str, AfterValidator(_alarm_name)]
Kinds = Annotated[
    tuple[AlarmKind, ...],
    Field(min_length=1, strict=False),
    AfterValidator(_different),
    _one_of("kind of element", get_args(AlarmKind)),
    BeforeValidator(_several),
    _words(get_args(AlarmKind)),
]
Scopes = Annotated[
    tuple[Scope, ...],
    Field(min_length=1, strict=False),
    AfterValidator(_different),
    _one_of("scope", get_args(Scope)),
    BeforeValidator(_several),
    _words(get_args(Scope)),
]
States = Annotated[
    tuple[str, ...],
    Field(min_length=1, strict=False),
    AfterValidator(_different),
    _one_of("state", (*get_args(State), "true", "false")),
    BeforeValidator(_words_of_truth),
    _words((*get_args(State), "true", "false")),
]
Parts = Annotated[
    tuple[Part, ...],
    Field(strict=False),
    AfterValidator(_different),
    _one_of("part", get_args(Part)),
    BeforeValidator(_several),
    _words(get_args(Part)),
]


class Samples(Frozen):
    """A window counted in samples: the last so many."""

    samples: Annotated[int, Field(ge=1, le=100_000)]


def _window(value: Any) -> str:
    return "[samples]" if isinstance(value, dict | Samples) else "[time]"


Window = Annotated[
    Annotated[Samples, Tag("[samples]")] | Annotated[PositiveDuration, Tag("[time]")], Discriminator(_window)
]


class InEnglish(Frozen):
    """The same words for those who read English."""

    meaning: Text = ""
    first_step: Text = ""
    runbook: Annotated[tuple[Text, ...], Field(strict=False)] = ()


def _title(value: str) -> str:
    try:
        value.format(name="x")
    except (LookupError, ValueError, AttributeError):
        raise ValueError("has braces that stand for nothing: write {name} for the element's name") from None
    return value


class Told(NamedTuple):
    """What people read of an alarm, in one language."""

    meaning: str
    first_step: str
    runbook: tuple[str, ...]


class Declared(Frozen):
    """What every alarm has: how long it must hold, how grave it is, what it means and what to do."""

    urgency: Urgency = "medio"
    impact: Impact = "departamento"
    page: bool = False
    title: Annotated[Text, AfterValidator(_title)] = ""
    meaning: Text = ""
    first_step: Text = ""
    runbook: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    english: InEnglish = InEnglish()
    for_us: Duration = Field(alias="for", default=0)
    class_: Literal["service", "monitor"] = Field(alias="class", default="service")

    def told(self, language: str = "es") -> Told:
        """Meaning, first step and runbook in a language; in Spanish where nothing else was written."""
        other = self.english if language.partition("_")[0] == "en" else None
        return Told(
            meaning=(other and other.meaning) or self.meaning,
            first_step=(other and other.first_step) or self.first_step,
            runbook=(other and other.runbook) or self.runbook,
        )


class VerdictAlarm(Declared):
    """Holds while an element is in one of some states, or a finding about it is true."""

    kinds: Kinds = Field(alias="kind")
    what: Annotated[str, Field(pattern=_WHAT)]
    states: States
    clear_us: Duration = Field(alias="clear", default=30_000_000)

    def bad(self, state: str) -> bool | None:
        """True: the condition holds; False: it is known not to; None: nobody can say (unknown, maintenance)."""
        if state in self.states:
            return True
        if self.what == VERDICT:
            return False if state in {"up", "degraded"} else None
        return {"true": False, "false": False}.get(state)

    @model_validator(mode="after")
    def _sayable(self) -> Self:
        known = get_args(State) if self.what == VERDICT else ("true", "false")
        strange = [state for state in self.states if state not in known]
        if strange:
            thing = "a verdict" if self.what == VERDICT else f"the finding {self.what}"
            raise ValueError(f"{thing} is never {strange[0]}: write {', '.join(known)}")
        return self


class Condition(Frozen):
    """A number that is measured, and when it is bad. `above` means that or more, `below` less than that.

    Between the threshold and `clear`, the value at which it is good again, nothing changes.
    """

    measure: Annotated[str, _one_of("measure", MEASURES), WithJsonSchema({"type": "string", "enum": list(MEASURES)})]
    by: Parts = ()
    aggregate: Annotated[Aggregate, _one_of("aggregate", get_args(Aggregate))]
    over: Window
    above: Number | None = None
    below: Number | None = None
    clear: Number | None = None
    clear_over: Window | None = None
    min_samples: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1

    @property
    def threshold(self) -> float:
        """Where it becomes bad."""
        found = self.above if self.above is not None else self.below
        assert found is not None  # noqa: S101 - the model was validated
        return found

    @property
    def good_at(self) -> float:
        """Where it is good again."""
        return self.clear if self.clear is not None else self.threshold

    def holds(self, value: float) -> bool | None:
        """True: bad; False: good; None: between the two, what was said holds."""
        if self.above is not None:
            return True if value >= self.above else False if value <= self.good_at else None
        return True if value < self.threshold else False if value >= self.good_at else None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.above is None) == (self.below is None):
            which = "neither above nor below" if self.above is None else "above and below at once"
            raise ValueError(f"has {which}: write one of them, `above: 0.05` or `below: 3.6`")
        if self.clear is not None and (
            self.clear > self.above if self.above is not None else self.clear < self.threshold
        ):
            side = "at or under what it must stay below" if self.above is not None else "at or over its threshold"
            raise ValueError(f"clears at {self.clear:g}, where it is still bad: write a `clear` {side}")
        if isinstance(self.over, int) and isinstance(self.clear_over, int) and self.clear_over < self.over:
            raise ValueError("is good over less time than it is bad: write a `clear_over` of `over` or more")
        measure = MEASURES[self.measure]
        allowed = AGGREGATES[measure.shape]
        if self.aggregate not in allowed:
            raise ValueError(f"{self.aggregate} does not fit {self.measure}: write {', '.join(allowed)}")
        strange = [part for part in self.by if part not in measure.by]
        if strange:
            parts = ", ".join(measure.by) or "it without `by`"
            raise ValueError(f"{self.measure} is not divided by {strange[0]}: write {parts}")
        return self


class ThresholdAlarm(Condition, Declared):
    """Holds while its condition does, or any of those in `or`."""

    scope: Scopes
    or_: Annotated[tuple[Condition, ...], Field(alias="or", strict=False)] = ()
    clear_us: Duration = Field(alias="clear_for", default=0)
    what: AlarmName = ""

    @property
    def kinds(self) -> tuple[Scope, ...]:
        return self.scope

    @property
    def states(self) -> tuple[str, ...]:
        return ("true",)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that make it bad; any of them does."""
        return (self, *self.or_)

    def bad(self, state: str) -> bool | None:
        """True: the condition holds; False: it is known not to; None: nobody can say."""
        return {"true": True, "false": False}.get(state)

    @model_validator(mode="after")
    def _scoped(self) -> Self:
        for one in self.conditions:
            scopes = MEASURES[one.measure].scopes
            strange = [scope for scope in self.scope if scope not in scopes]
            if strange:
                raise ValueError(f"{one.measure} is not measured of a {strange[0]}: write {', '.join(scopes)}")
        return self


def _sort(value: Any) -> str:
    """Which of the two it is; one that was meant to measure, its `measure` misspelt or forgotten, is told so."""
    if not isinstance(value, dict):
        threshold = isinstance(value, ThresholdAlarm)
    else:
        threshold = "measure" in value or ("kind" not in value and not _MEASURED.isdisjoint(value))
    return "[threshold]" if threshold else "[verdict]"


Alarm = VerdictAlarm | ThresholdAlarm
_Either = Annotated[
    Annotated[VerdictAlarm, Tag("[verdict]")] | Annotated[ThresholdAlarm, Tag("[threshold]")], Discriminator(_sort)
]


_MEASURED = frozenset({"scope", "aggregate", "over", "above", "below"})


class Flapping(Frozen):
    """An alarm that fell so often within a time is held until it was good for longer than usual."""

    falls: Annotated[int, Field(ge=2, le=1_000)] = 4
    within_us: PositiveDuration = Field(alias="within", default=900_000_000)
    calm_us: PositiveDuration = Field(alias="calm", default=300_000_000)


class Alarms(Frozen):
    """The whole file."""

    alarms: Annotated[dict[AlarmName, _Either], Field(min_length=1)]
    flapping: Flapping = Flapping()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A threshold alarm is said of an element by its own name, where it has no other word for it."""
        found = value.get("alarms") if isinstance(value, dict) else None
        if not isinstance(found, dict):
            return value
        named = {
            name: {"what": str(name), **one} if isinstance(one, dict) and "measure" in one else one
            for name, one in found.items()
        }
        return {**value, "alarms": named}

    def watching(self, kind: str, what: str) -> list[tuple[str, Alarm]]:
        """The alarms that a change of (kind, what) concerns."""
        return self._watched.get((kind, what), [])

    @cached_property
    def _watched(self) -> dict[tuple[str, str], list[tuple[str, Alarm]]]:
        found: dict[tuple[str, str], list[tuple[str, Alarm]]] = {}
        for name, alarm in self.alarms.items():
            for kind in alarm.kinds:
                found.setdefault((kind, alarm.what), []).append((name, alarm))
        return found
