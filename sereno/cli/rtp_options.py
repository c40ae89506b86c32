"""What `sereno rtp analyze` was asked, checked whole before a file is opened."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from probes.media.analysis import Wanted
from probes.media.meter import BUFFERS, Buffer
from probes.media.payload import Format, announced
from sereno.errors import UsageError

LANGUAGES = ("es", "en")
PLOTS = (".svg", ".png")
PAGES = (".html", ".htm")

_MAP = re.compile(r"(\d{1,3})=([A-Za-z0-9][A-Za-z0-9._+-]{0,63})/(\d{1,9})", re.ASCII)
_LAST_PAYLOAD_TYPE = 127
_FASTEST_CLOCK = 100_000_000  # Hz: video has 90,000, no audio more than a few hundred thousand
_DAY = 86_400
_MOST_PROBATION = 1_000
_SLOWEST_MS = 60_000


@dataclass(frozen=True)
class Asked:
    """The options as they were given."""

    files: list[Path]
    as_json: bool = False
    plot: Path | None = None
    html: Path | None = None
    lang: str = "es"
    audio: bool = False
    window: int = 1
    seconds: bool = True
    probation: int = 2
    maps: list[str] = field(default_factory=list)
    buffer: str = "adaptive"
    buffer_delay: float = 60
    buffer_size: float = 200
    plc: bool = True
    provisional: bool = False
    delay: float | None = None


def checked(asked: Asked) -> Wanted:
    """How to analyse; UsageError says which option is wrong and how to put it right."""
    _check_outputs(asked)
    if asked.lang not in LANGUAGES:
        raise UsageError(f"--lang {asked.lang}: no such language here: es or en")
    if sum(str(path) == "-" for path in asked.files) > 1:
        raise UsageError("standard input can be read only once: give - once")
    _between("--window", asked.window, 1, _DAY, "seconds")
    _between("--probation", asked.probation, 1, _MOST_PROBATION, "packets")
    _between("--buffer-delay", asked.buffer_delay, 0, _SLOWEST_MS, "ms")
    _between("--buffer-size", asked.buffer_size, 0, _SLOWEST_MS, "ms")
    if asked.buffer_size < asked.buffer_delay:
        raise UsageError(
            f"--buffer-size {asked.buffer_size:g}: less than the {asked.buffer_delay:g} ms of --buffer-delay that it "
            "has to hold: give a larger size or a shorter delay"
        )
    if asked.delay is not None:
        _between("--delay", asked.delay, 0, _SLOWEST_MS, "ms")
    pictured = asked.plot is not None or asked.html is not None
    return Wanted(
        plc=asked.plc,
        provisional=asked.provisional,
        probation=asked.probation,
        buffer=_buffer(asked.buffer),
        buffer_delay_ms=asked.buffer_delay,
        buffer_size_ms=asked.buffer_size,
        delay_ms=asked.delay,
        series=pictured or (asked.as_json and asked.seconds),
        window=asked.window if asked.seconds else 0,
        audio=asked.audio,
        maps=map_formats(asked.maps),
    )


def _between(option: str, value: float, least: float, most: float, unit: str) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise UsageError(f"{option} {value:g}: out of range: give {least:g} to {most:g} {unit}")


def _buffer(name: str) -> Buffer:
    for known in BUFFERS:
        if name == known:
            return known
    raise UsageError(f"--buffer {name}: no such buffer: adaptive, fixed or none")


def map_formats(maps: list[str]) -> tuple[Format, ...]:
    """What `--map` says of payload types, checked."""
    found: dict[int, Format] = {}
    for text in maps:
        entry = _format(text)
        if found.setdefault(entry.payload_type, entry) != entry:
            raise UsageError(f"--map {text}: payload type {entry.payload_type} is mapped twice: leave one of them out")
    return tuple(found.values())


def _format(text: str) -> Format:
    match = _MAP.fullmatch(text)
    if not match:
        raise UsageError(f"--map {text}: not PT=CODEC/CLOCK: write it like 96=opus/48000")
    number, clock = int(match[1]), int(match[3])
    if number > _LAST_PAYLOAD_TYPE:
        raise UsageError(f"--map {text}: there is no payload type {number}: give 0 to {_LAST_PAYLOAD_TYPE}")
    if not 0 < clock <= _FASTEST_CLOCK:
        raise UsageError(f"--map {text}: no clock runs at {clock} Hz: give the RTP clock rate, such as 8000")
    return announced(number, match[2], clock)


def _check_outputs(asked: Asked) -> None:
    """They have a form we know and a folder to stand in, and are told before an hour of reading."""
    for option, path, forms in (("--plot", asked.plot, PLOTS), ("--html", asked.html, PAGES)):
        if path is None:
            continue
        if path.suffix.lower() not in forms:
            raise UsageError(f"{option} {path}: its form is known by its ending: name it {' or '.join(forms)}")
        if path.is_dir():
            raise UsageError(f"{option} {path}: a directory: give a file's name")
        if not path.parent.is_dir():
            raise UsageError(f"{option} {path}: there is no folder {path.parent}: make it first")
