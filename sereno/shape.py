"""What the models of every file share: frozen, strict, unknown keys fatal; names and durations."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from sereno.clock import parse_duration

DURATION_PATTERN = r"^(\d+(\.\d+)?(us|ms|s|m|h|d))+$"


def _duration_us(value: Any) -> int:
    return parse_duration(value)


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Duration = Annotated[
    int, BeforeValidator(_duration_us), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]


class Frozen(BaseModel):
    """Unknown keys are fatal; nothing is coerced; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)
