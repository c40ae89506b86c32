"""A silence: alarms that people do not want to hear of for a while, and why."""

from fnmatch import fnmatchcase

import msgspec

LONGEST_US = 31 * 86_400 * 1_000_000  # who wants more must say so again: a forgotten silence hides an outage


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Which alarms (None: any), of which elements, from when to when, why and by whom. `name` may hold `*` and `?`."""

    id: int
    alarm: str | None
    kind: str | None
    name: str | None
    from_us: int
    to_us: int
    why: str
    who: str
    recorded_us: int
    cancelled_us: int | None = None

    def matches(self, alarm: str, kind: str, name: str) -> bool:
        """The alarm of that element is meant."""
        return (
            self.alarm in {None, alarm}
            and self.kind in {None, kind}
            and (self.name is None or fnmatchcase(name, self.name))
        )

    def holds(self, at_us: int) -> bool:
        """It is in force at an instant."""
        return self.cancelled_us is None and self.from_us <= at_us < self.to_us
