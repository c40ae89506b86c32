"""Words that several commands use."""


def several(count: int, what: str) -> str:
    """So many of it."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def span(seconds: int) -> str:
    """`59 min`, `3 h 59 min`, `2 d 18 h`."""
    minutes = seconds // 60
    days, hours = minutes // 1_440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min"
