"""Words that several commands use."""


def several(count: int, what: str) -> str:
    """So many of it."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
