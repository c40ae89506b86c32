"""Strings for people: gettext catalogues (`PACKAGE/locale/LANG.po` and `PACKAGE/locale/LANG/*.po`, English ids).

One file for each page or report, so that each keeps its own words; compiled in memory by Babel.
"""

import functools
import gettext
import io
from importlib import resources
from importlib.resources.abc import Traversable

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


@functools.cache
def catalogue(package: str, language: str) -> gettext.NullTranslations:
    """The translations of a room in `es`, `en`…; English ids come back as they are where there is no catalogue."""
    files = parts(package, language)
    if not files:
        return gettext.NullTranslations()
    whole = Catalog(locale=language)
    for each in files:
        with each.open("rb") as handle:
            for message in read_po(handle, locale=language):
                if message.id:
                    whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@functools.cache
def messages(package: str, language: str) -> tuple[tuple[str, str], ...]:
    """Every (English id, translation) of a room."""
    found: dict[str, str] = {}
    for each in parts(package, language):
        with each.open("rb") as handle:
            found |= {
                str(message.id): str(message.string)
                for message in read_po(handle, locale=language)
                if message.id and message.string
            }
    return tuple(found.items())


def parts(package: str, language: str) -> list[Traversable]:
    """The files of a room's catalogue, in order of their names; the first one is the room's own."""
    folder = resources.files(package) / "locale"
    own, more = folder / f"{language}.po", folder / language
    found = [own] if own.is_file() else []
    if more.is_dir():
        found += sorted((each for each in more.iterdir() if each.name.endswith(".po")), key=lambda each: each.name)
    return found
