"""PDF can be made: Pango and its companions are installed, and there is a font."""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient

LIBRARIES = ("libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz-subset.so.0", "libfontconfig.so.1")
_FONTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("~/.local/share/fonts").expanduser())
_KINDS = ("*.ttf", "*.otf", "*.ttc")


class Printing(msgspec.Struct, frozen=True, kw_only=True):
    missing: tuple[str, ...]
    fonts: bool


def look(patient: Patient) -> Printing:
    """Loads each library, as WeasyPrint would."""
    del patient
    return Printing(missing=missing(LIBRARIES), fonts=any_font(_FONTS))


def missing(libraries: Sequence[str]) -> tuple[str, ...]:
    """Those that cannot be loaded."""
    found = []
    for name in libraries:
        try:
            ctypes.CDLL(name)
        except OSError:
            found.append(name)
    return tuple(found)


def any_font(folders: Sequence[Path]) -> bool:
    """Whether one of these folders holds a font that can be put into a PDF."""
    return any(next(folder.rglob(kind), None) is not None for folder in folders if folder.is_dir() for kind in _KINDS)


def judge(found: Printing) -> Iterator[Finding]:
    """Reports in every other format are made without them."""
    if found.missing:
        yield warning(
            "no PDF can be made: {names} missing", "apt-get install libpango-1.0-0 libpangoft2-1.0-0 "
            "libharfbuzz-subset0, or run `make setup`", names=", ".join(found.missing),
        )  # fmt: skip
    if not found.fonts:
        yield warning("there is no font: a PDF would be blank", "apt-get install fonts-noto-core")
    if not found.missing and found.fonts:
        yield ok("Pango and a font are there")


QUESTION = Question(name="pdf", title="PDF", look=look, judge=judge)
