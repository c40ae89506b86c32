"""`sereno rtp analyze …` read without the command library, which takes longer to load than a small capture to analyse.

Only what is understood whole is: a spelling the library alone knows, a wrong value, --help or a completion falls to it,
and it says every error. A test holds both readings equal.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sereno.cli.rtp_options import Asked

_FLAGS: dict[str, tuple[str, bool]] = {
    "--json": ("as_json", True),
    "--audio": ("audio", True),
    "--seconds": ("seconds", True),
    "--no-seconds": ("seconds", False),
    "--plc": ("plc", True),
    "--no-plc": ("plc", False),
    "--provisional": ("provisional", True),
}
_VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--plot": ("plot", Path),
    "--html": ("html", Path),
    "--lang": ("lang", str),
    "--window": ("window", int),
    "--probation": ("probation", int),
    "--buffer": ("buffer", str),
    "--buffer-delay": ("buffer_delay", float),
    "--buffer-size": ("buffer_size", float),
    "--delay": ("delay", float),
}
_PLAIN = frozenset("0123456789.")  # digits alone: what else a number may look like is the library's business


def understood(arguments: Sequence[str]) -> Asked | None:
    """What is asked; None: let the library read it."""
    found: dict[str, Any] = {}
    files: list[Path] = []
    maps: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "-" or not word.startswith("-"):
            files.append(Path(word))
        elif word in _FLAGS:
            name, value = _FLAGS[word]
            found[name] = value
        elif not _take_value(word, rest, found, maps):
            return None
    return Asked(files=files, maps=maps, **found) if files else None


def _take_value(word: str, rest: Iterator[str], found: dict[str, Any], maps: list[str]) -> bool:
    """Take an option with its value, `--option value` or `--option=value`; False: it is not understood."""
    option, given, text = word.partition("=")
    if option != "--map" and option not in _VALUES:
        return False
    if not given:
        text = next(rest, "")
    if not text or text.startswith("-"):
        return False
    if option == "--map":
        maps.append(text)
        return True
    name, read = _VALUES[option]
    if read in {int, float} and not _PLAIN.issuperset(text):
        return False
    try:
        found[name] = read(text)
    except ValueError:
        return False
    return True
