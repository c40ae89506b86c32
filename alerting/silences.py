"""The silences of a desk, pure: what is silent now, and when that changes by itself.

A silenced alarm goes on being judged and listed; it opens nothing and pages nobody. When its silence ends while it
still holds, it speaks.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from alerting.causes import Key
from alerting.lifecycle import RefusedError
from alerting.machine import AlarmState
from sereno.alarms import Alarms
from sereno.alarms.silence import LONGEST_US, Silence
from sereno.clock import iso
from sereno.errors import SerenoError
from sereno.yamlfile import nearest


class Silences:
    """All that were ever asked for, by number."""

    def __init__(self, alarms: Alarms, known: Iterable[Silence] = ()) -> None:
        self._alarms = alarms
        self.known: dict[int, Silence] = {}
        self._open: list[Silence] = []  # neither cancelled nor over when last looked at
        self.restore(known)

    def restore(self, known: Iterable[Silence]) -> None:
        self.known = {one.id: one for one in known}
        self._open = [one for one in self.known.values() if one.cancelled_us is None]

    def silent(self, states: Mapping[Key, AlarmState], now_us: int) -> frozenset[Key]:
        """The alarms of which nothing is to be heard now."""
        self._open = [one for one in self._open if one.to_us > now_us]
        current = [one for one in self._open if one.from_us <= now_us]
        if not current:
            return frozenset()
        return frozenset(key for key in states if any(one.matches(*key) for one in current))

    def last_ended(self, from_us: int, now_us: int) -> Silence | None:
        """The one that ended last in (from, now]: what it hid may speak since."""
        ended = [(one.cancelled_us or one.to_us, one.id) for one in self.known.values()]
        _, number = max(((at_us, number) for at_us, number in ended if from_us < at_us <= now_us), default=(0, 0))
        return self.known.get(number)

    def next_due_us(self, now_us: int) -> int | None:
        """When the next one begins or ends."""
        edges = (edge for one in self._open for edge in (one.from_us, one.to_us) if edge > now_us)
        return min(edges, default=None)

    def add(self, asked: Mapping[str, object], who: str, now_us: int) -> Silence:
        """A new one; RefusedError or SerenoError says what is wrong with it."""
        alarm, kind, name = (_text(asked, key) for key in ("alarm", "kind", "name"))
        if alarm is None and kind is None and name is None:
            raise RefusedError("un silencio de todo no se admite: diga qué alarma, qué clase o qué elemento")
        if alarm is not None and alarm not in self._alarms.alarms:
            raise SerenoError(f"no hay ninguna alarma {alarm!r}{nearest(alarm, self._alarms.alarms)}")
        kinds = sorted({one for declared in self._alarms.alarms.values() for one in declared.kinds})
        if kind is not None and kind not in kinds:
            raise SerenoError(f"ninguna alarma vigila {kind!r}; las hay de {', '.join(kinds)}")
        why = _text(asked, "why")
        if why is None:
            raise RefusedError("diga por qué (why): quien la vea después lo preguntará")
        from_us = now_us if asked.get("from_us") is None else _instant(asked["from_us"])
        to_us = _instant(asked["to_us"])
        if to_us <= max(from_us, now_us):
            raise RefusedError(f"el silencio termina ({iso(to_us)}) antes de empezar ({iso(max(from_us, now_us))})")
        if to_us - from_us > LONGEST_US:
            raise RefusedError("un silencio dura 31 días a lo sumo; después se vuelve a decidir")
        silence = Silence(
            id=max(self.known, default=0) + 1, alarm=alarm, kind=kind, name=name, from_us=from_us, to_us=to_us,
            why=why, who=who, recorded_us=now_us,
        )  # fmt: skip
        self._keep(silence)
        return silence

    def cancel(self, asked: Mapping[str, object], now_us: int) -> Silence:
        """It ends now; RefusedError where it is over already."""
        silence = self.known.get(_instant(asked["id"]))
        if silence is None:
            raise SerenoError(f"no hay ningún silencio {asked['id']}; «sereno alarms list» los enumera")
        if silence.cancelled_us is not None or silence.to_us <= now_us:
            raise RefusedError(f"el silencio {silence.id} ya había terminado")
        silence = replace(silence, cancelled_us=now_us)
        self._keep(silence)
        return silence

    def _keep(self, silence: Silence) -> None:
        self.known[silence.id] = silence
        self._open = [one for one in self._open if one.id != silence.id]
        if silence.cancelled_us is None:
            self._open.append(silence)


def _add(silences: Silences, asked: Mapping[str, object], who: str, now_us: int) -> None:
    silences.add(asked, who, now_us)


def _cancel(silences: Silences, asked: Mapping[str, object], who: str, now_us: int) -> None:  # noqa: ARG001 - one shape for both
    silences.cancel(asked, now_us)


SILENCING: dict[str, Callable[[Silences, Mapping[str, object], str, int], None]] = {
    "silence.add": _add,
    "silence.cancel": _cancel,
}


def _text(asked: Mapping[str, object], key: str) -> str | None:
    value = asked.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{key}={value!r}")
    return value.strip()


def _instant(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")  # refused by the inbox, in words
    return value
