"""Who can be told and by which channel, from the desk's file."""

import msgspec

from sereno.desk import Desk


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One person on one channel."""

    person: str
    channel: str
    address: str | None
    locale: str
    zone: str
    kind: str


def addressees(desk: Desk | None, zone: str) -> dict[str, list[Recipient]]:
    """Every person's channels, in the desk's order; `zone` is where who names none reads the clock."""
    if desk is None:
        return {}
    return {
        name: [
            Recipient(
                person=name, channel=channel, address=person.email, locale=person.locale,
                zone=person.timezone or zone, kind=desk.channels[channel].kind,
            )
            for channel in person.channels
        ]
        for name, person in desk.people.items()
    }  # fmt: skip


def policy(desk: Desk | None) -> tuple[str, ...]:
    """`level:person` lines, frozen into an incident at its opening; everybody is level 0 where none is declared."""
    if desk is None:
        return ()
    if not desk.levels:
        return tuple(f"0:{name}" for name in desk.people)
    return tuple(f"{place}:{name}" for place, level in enumerate(desk.levels) for name in level.people)
