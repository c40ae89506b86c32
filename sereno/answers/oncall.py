"""How pages and the API ask who is on call."""

from typing import Any, Protocol


class OnCall(Protocol):
    """Answers from the desk in force and what people recorded."""

    def at(self, at_us: int) -> dict[str, Any]:
        """The object that `sereno oncall --json` prints, of an instant."""


__all__ = ["OnCall"]
