"""What `sereno alarms` tells: declared alarms, what a store says of them, silences; as lines and as JSON."""

import functools
from collections.abc import Iterator
from pathlib import Path

from sereno.alarms import Alarm, load_alarms, read_alarms
from sereno.alarms.describe import span, watches
from sereno.alarms.held import Holding, every_silence, holding
from sereno.alarms.silence import Silence
from sereno.cli._when import when
from sereno.errors import StoreError, UsageError
from sereno.instance import open_store
from sereno.told.alarms import Scene
from sereno.yamlfile import nearest

_PHASES = {"pending": "por cumplirse", "firing": "activa", "clearing": "recuperándose"}


def scene(file: Path | None, data: Path | None, database: str | None, at_us: int) -> Scene:
    """What is declared and, where there is a store, what holds; a store that was named must be there."""
    from sereno.store.queries.ledger import in_force

    given = read_alarms(file) if file is not None else None
    try:
        store = open_store(data, database)
    except StoreError:
        if data is not None or database is not None:
            raise
        return Scene(given or load_alarms(), None, [], at_us)
    try:
        with store.read() as connection:
            known = in_force(connection)
            held, asked = holding(connection, at_us), every_silence(connection)
    finally:
        store.dispose()
    beside = Path(known[-1].beside) if known and known[-1].beside else None
    zone = known[-1].topology.timezone if known else "UTC"
    return Scene(given or load_alarms(beside), held, asked, at_us, zone)


def silences(data: Path | None, database: str | None) -> list[Silence]:
    """Every silence of a store."""
    store = open_store(data, database)
    try:
        with store.read() as connection:
            return every_silence(connection)
    finally:
        store.dispose()


def declared(found: Scene, name: str) -> Alarm:
    """The alarm of a name; UsageError says which are near."""
    alarm = found.alarms.alarms.get(name)
    if alarm is None:
        raise UsageError(f"no alarm is named {name!r}{nearest(name, found.alarms.alarms)}; see sereno alarms list")
    return alarm


# -- as lines ----------------------------------------------------------------------------------------------------------


def lines(found: Scene, *, now: bool) -> Iterator[str]:
    """What holds first, what is silenced with it, then everything declared."""
    if found.holding is not None:
        held = [one for one in found.holding if one.holds or one.phase == "pending"]
        yield from _held_lines(found, held)
    elif now:
        raise StoreError("nothing runs here and there is no store: give --data or --database")
    if now:
        return
    yield ""
    for name, alarm in found.alarms.alarms.items():
        page = "despierta" if alarm.page else ""
        yield f"{name:<26}{'/'.join(alarm.kinds):<16}{alarm.urgency} × {alarm.impact:<13} {page:<10}{watches(alarm)}"


def _held_lines(found: Scene, held: list[Holding]) -> Iterator[str]:
    local = functools.partial(when, zone=found.zone, now_us=found.at_us)
    hidden = [one for one in held if one.silence is not None and one.holds and one.alarm == "service_down"]
    for one in hidden:  # whatever else is silent, this is said
        yield f"✕ EL SERVICIO {one.name} ESTÁ CAÍDO desde {local(one.since_us)} y su alarma está silenciada"
    if not held:
        yield "Ninguna alarma activa."
    for one in held:
        more = ["va y viene"] if one.flapping else []
        more += [f"incidente {one.incident}"] if one.incident is not None else []
        if one.silence is not None:
            more.append(f"silenciada hasta {local(one.silence.to_us)} por {one.silence.who}: {one.silence.why}")
        tail = f"  ({'; '.join(more)})" if more else ""
        yield f"{_PHASES[one.phase]:<15}{one.alarm:<26}{one.kind}:{one.name}  desde {local(one.since_us)}{tail}"
    current = [one for one in found.silences if one.cancelled_us is None and one.to_us > found.at_us]
    for silence in current:
        window = f"{local(silence.from_us)} – {local(silence.to_us)}"
        yield f"silencio {silence.id}: {matcher(silence)}  {window}  {silence.who}: {silence.why}"


def matcher(one: Silence) -> str:
    """Which alarms of which elements."""
    element = f"{one.kind or '*'}:{one.name or '*'}" if one.kind or one.name else "todo elemento"
    return f"{one.alarm or 'toda alarma'} de {element}"


def alarm_lines(found: Scene, name: str, alarm: Alarm, language: str) -> Iterator[str]:
    """One alarm, whole."""
    said, local = alarm.told(language), functools.partial(when, zone=found.zone, now_us=found.at_us)
    english = language.startswith("en")
    yield f"{name}: {said.meaning}" if said.meaning else name
    yield f"  {'/'.join(alarm.kinds)}: {watches(alarm)}"
    yield f"  for {span(alarm.for_us)}, clear {span(alarm.clear_us)}, {alarm.urgency} × {alarm.impact}, " + (
        "page" if alarm.page else "no page"
    )
    if said.first_step:
        yield f"\n{'First step' if english else 'Primer paso'}: {said.first_step}"
    for at, step in enumerate(said.runbook, 1):
        yield f"  {at}. {step}"
    for one in found.holding or ():
        if one.alarm == name:
            since = local(one.since_us)
            yield f"\n{_PHASES[one.phase]}: {one.kind}:{one.name} desde {since} {one.reason or ''}".rstrip()
