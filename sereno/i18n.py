"""Strings for people: gettext catalogues (`PACKAGE/locale/LANG.po`, English ids), compiled in memory by Babel."""

import functools
import gettext
import io
from importlib import resources

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


@functools.cache
def catalogue(package: str, language: str) -> gettext.NullTranslations:
    """The translations of a room in `es`, `en`…; English ids come back as they are where there is no catalogue."""
    source = resources.files(package) / "locale" / f"{language}.po"
    if not source.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as handle:
        write_mo(compiled, read_po(handle, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
