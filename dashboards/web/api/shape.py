"""The types that parameters and answers are made of. A pattern says exactly what is taken: no more, no less."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sereno.incident import IncidentState, Priority
from sereno.verdict import State

END = "$(?!\\n)"  # for Python alone: its $ also stands before a line break that ends the text
_YEAR = "(?:19[7-9][0-9]|2[01][0-9]{2})"
_LEAP = "(?:19(?:7[26]|8[048]|9[26])|20(?:[02468][048]|[13579][26])|21(?:0[48]|[2468][048]|[13579][26]))"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_OFFSET = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
INSTANT = f"^{_DAY}T{_TIME}{_OFFSET}{END}"
_MONTH = f"^{_YEAR}-(?:0[1-9]|1[0-2]){END}"
IN_WORDS = {  # what a refusal says instead of the pattern
    INSTANT: "an instant with its offset, such as 2026-10-01T00:00:00Z",
    _MONTH: "a month, such as 2026-10",
}
LARGEST = 2**53 - 1  # whole numbers that every JSON reader has exactly
_SOME = "[^\\s\\u001c-\\u001f\\u0085]"  # something to read, blanks aside

Instant = Annotated[
    str,
    Meta(pattern=INSTANT, description="ISO 8601 with its offset, between 1970 and 2199.",
         examples=["2026-10-01T00:00:00Z", "2026-10-01T00:00-05:00"]),
]  # fmt: skip
At = Annotated[str, Meta(description="ISO 8601 UTC, microseconds.", extra_json_schema={"format": "date-time"})]
Month = Annotated[str, Meta(pattern=_MONTH, examples=["2026-10"])]
Number = Annotated[int, Meta(ge=1, le=LARGEST)]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9@][A-Za-z0-9@._+-]{0,63}" + END)]
ElementName = Annotated[str, Meta(pattern="^[A-Za-z0-9@][A-Za-z0-9@._+/-]{0,139}" + END)]
Text = Annotated[str, Meta(pattern=_SOME, max_length=300)]
LongText = Annotated[str, Meta(pattern=_SOME, max_length=20_000)]
Seconds = Annotated[float, Meta(description="Seconds.")]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Kind = Literal[
    "service", "site", "core", "sbc", "path", "probe", "portal", "database", "account", "network", "monitor",
    "channel", "external", "customer",
]  # fmt: skip
Free = dict[str, Any]


NumberCursor = Annotated[
    int, Meta(ge=0, le=LARGEST, description="From the `next` of the page before, or its `Link` header.")
]
TextCursor = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9_.=-]{1,400}" + END, description="From the `next` of the page before, or its `Link` header."
    ),
]


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said in either direction: these fields and no others."""


class Refusal(Shape, frozen=True, kw_only=True):
    """Why not, in one line."""

    error: str


class Element(Shape, frozen=True, kw_only=True):
    """A thing that is watched."""

    kind: str
    name: str


class Said(Shape, frozen=True, kw_only=True):
    """What a change did, in words."""

    done: str


__all__ = [
    "At", "Element", "ElementName", "Free", "IncidentState", "Instant", "Kind", "LongText", "Month", "Name", "Number",
    "NumberCursor", "Priority", "Ratio", "Refusal", "Said", "Seconds", "Shape", "State", "Text", "TextCursor",
]  # fmt: skip
