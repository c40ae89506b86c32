"""What the models of every file share: frozen, strict, unknown keys fatal; names and durations."""

import json
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from sereno.clock import parse_duration

DURATION_PATTERN = r"^(\d+(\.\d+)?(us|ms|s|m|h|d))+$"


LONGEST_DURATION_US = 3_660 * 86_400_000_000


def _duration_us(value: Any) -> int:
    found = parse_duration(value)
    if found > LONGEST_DURATION_US:
        raise ValueError(f"{value!r} is longer than ten years: write a shorter time")
    return found


def _above_zero(value: int) -> int:
    if value <= 0:
        raise ValueError("is no time at all: write 900ms, 1s, 1h30m")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("is empty or has a line break or control character in it: write one line of text")
    return value


Text = Annotated[str, AfterValidator(_one_line)]  # what may end in a SIP message, a header, a page
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Duration = Annotated[
    int,
    BeforeValidator(_duration_us),
    PlainSerializer(lambda value: f"{value}us", when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
PositiveDuration = Annotated[Duration, AfterValidator(_above_zero)]


class Frozen(BaseModel):
    """Unknown keys are fatal; nothing is coerced; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def json_schema(model: type[BaseModel]) -> str:
    """The JSON Schema of a file's model, as editors read it."""
    schema = model.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2)
