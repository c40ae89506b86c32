"""Which of two priorities is the graver."""

from sereno.incident import PRIORITIES, Priority


def worst(priorities: list[Priority]) -> Priority:
    """The gravest of them; Baja for none."""
    return min(priorities, key=PRIORITIES.index, default="Baja")


def heavier(one: Priority, other: Priority) -> bool:
    """One is graver than the other."""
    return PRIORITIES.index(one) < PRIORITIES.index(other)
