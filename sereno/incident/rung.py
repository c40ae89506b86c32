"""One level of escalation as an incident keeps it: its people, hours and time-out stay as they were at the opening."""

import msgspec


class Rung(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`people` are all of them where there is no rota, else who is paged when the rota names nobody.

    `week` None: never closed. Who of a rota is on call is looked up when a step falls due.
    """

    level: str
    people: tuple[str, ...]
    ack_us: int
    pages: tuple[str, ...] = ()  # the priorities that page it at once
    rota: str | None = None
    timezone: str = "UTC"
    week: tuple[tuple[tuple[int, int], ...], ...] | None = None  # hours of each day from Monday
    holidays: str | None = None
