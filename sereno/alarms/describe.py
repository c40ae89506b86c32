"""Alarms in words: their conditions, their table (docs/alarms.md) and their runbooks (docs/runbooks.md)."""

from collections.abc import Iterator

from sereno.alarms.measures import MEASURES
from sereno.alarms.model import Alarm, Alarms, Condition, Samples, ThresholdAlarm
from sereno.clock import SECOND_US

_PIECES = ((86_400 * SECOND_US, "d"), (3_600 * SECOND_US, "h"), (60 * SECOND_US, "min"), (SECOND_US, "s"))
_UNITS = {"seconds": " s", "days": " d", "ratio": "", "mos": "", "count": ""}
_HEADINGS = {
    "es": ("Qué hacer con cada alarma", "Significa", "Primer paso", "Después", "Vigila"),
    "en": ("What to do at each alarm", "Meaning", "First step", "Then", "Watches"),
}


def span(duration_us: int) -> str:
    """`90000000` as `1 min 30 s`."""
    parts = []
    for size, unit in _PIECES:
        count, duration_us = divmod(duration_us, size)
        if count:
            parts.append(f"{count} {unit}")
    if duration_us:
        parts.append(f"{duration_us / 1_000:g} ms")
    return " ".join(parts) or "0"


def _window(over: int | Samples) -> str:
    if not isinstance(over, Samples):
        return span(over)
    return "last sample" if over.samples == 1 else f"last {over.samples} samples"


def _value(condition: Condition, value: float) -> str:
    """A ratio as percent, anything else with its unit."""
    if condition.aggregate == "count":
        return f"{value:g}"
    measure = MEASURES[condition.measure]
    if measure.unit == "ratio" and -1 < value < 1:
        return f"{100 * value:g} %"
    return f"{value:g}{_UNITS[measure.unit]}"


def condition(one: Condition) -> str:
    """`p50 of mos_lq by codec, direction over last 10 samples < 3.6 (good from 3.8 on; 5 samples)`."""
    bad = f"≥ {_value(one, one.above)}" if one.above is not None else f"< {_value(one, one.threshold)}"
    more = []
    if one.clear is not None and one.clear != one.threshold:
        good = f"{'≤' if one.above is not None else '≥'} {_value(one, one.clear)}"
        window = f" over {_window(one.clear_over)}" if one.clear_over is not None else ""
        more.append(f"good {good}{window}")
    if one.min_samples > 1:
        unit = "packets" if MEASURES[one.measure].shape == "pooled" else "samples"
        more.append(f"{one.min_samples} {unit}")
    by = f" by {', '.join(one.by)}" if one.by else ""
    text = f"{one.aggregate} of {one.measure}{by} over {_window(one.over)} {bad}"
    return f"{text} ({'; '.join(more)})" if more else text


def watches(alarm: Alarm) -> str:
    """What makes it fire, in one line."""
    if isinstance(alarm, ThresholdAlarm):
        return " or ".join(condition(one) for one in alarm.conditions)
    states = "" if alarm.states == ("true",) else " " + ", ".join(alarm.states)
    return alarm.what + states


def table(alarms: Alarms) -> Iterator[str]:
    """The rows of docs/alarms.md, heading first."""
    yield "| alarm | element | fires when | for | clears after | urgency × impact | page | class |"
    yield "|--|--|--|--|--|--|--|--|"
    for name, alarm in alarms.alarms.items():
        cells = [
            f"[`{name}`](runbooks.md#{anchor(name)})",
            ", ".join(alarm.kinds),
            watches(alarm),
            span(alarm.for_us),
            span(alarm.clear_us),
            f"{alarm.urgency} × {alarm.impact}",
            "yes" if alarm.page else "no",
            alarm.class_,
        ]
        yield "| " + " | ".join(cells) + " |"


def meanings(alarms: Alarms, language: str = "en") -> Iterator[str]:
    """One row per alarm: what it means, what to do first."""
    yield "| alarm | meaning | first step |"
    yield "|--|--|--|"
    for name, alarm in alarms.alarms.items():
        told = alarm.told(language)
        yield f"| `{name}` | {told.meaning} | {told.first_step} |"


def measures() -> Iterator[str]:
    """One row per measure."""
    yield "| measure | samples | unit | of | by | meaning |"
    yield "|--|--|--|--|--|--|"
    for name, one in MEASURES.items():
        by = ", ".join(one.by)
        yield f"| `{name}` | {one.shape} | {one.unit} | {', '.join(one.scopes)} | {by} | {one.meaning} |"


def runbooks(alarms: Alarms, language: str = "es") -> str:
    """The page that an alarm's link leads to."""
    title, meaning, first, then, _ = _HEADINGS["en" if language.startswith("en") else "es"]
    lines = [f"# {title}", ""]
    for name, alarm in alarms.alarms.items():
        told = alarm.told(language)
        lines += [f"## {name}", ""]
        lines += [f"**{meaning}.** {told.meaning}", ""] if told.meaning else []
        lines += [f"**{first}.** {told.first_step}", ""] if told.first_step else []
        if told.runbook:
            lines += [f"**{then}.**", "", *(f"{at}. {step}" for at, step in enumerate(told.runbook, 1)), ""]
    return "\n".join(lines)


def anchor(name: str) -> str:
    """The heading's anchor, as Markdown renderers make it."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter in "_-")
