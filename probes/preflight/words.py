"""A preflight in the reader's language, as lines of text or as one printable page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from probes.preflight.base import MARKS, Line, Say, overall
from sereno.i18n import catalogue

LANGUAGES = ("es", "en")
TITLES = {
    "dns": "Name",
    "ports": "Addresses and ports of the SBC",
    "rtp": "RTP ports",
    "destinations": "Other destinations",
    "alg": "SIP ALG",
    "nat": "NAT",
    "dscp": "Marks (DSCP)",
    "room": "Room for calls",
}
VERDICTS = {
    "ok": "Fit for voice, as far as was tested",
    "warning": "Fit for voice, with remarks",
    "failed": "Not fit for voice yet",
    "unknown": "Cannot be told",
}
_HERE = Path(__file__).parent


def say(said: Say, language: str) -> str:
    """The sentence in a language."""
    found = catalogue("probes", language).gettext(said.text)
    return found.format(**said.values) if said.values else found


def word(text: str, language: str) -> str:
    return catalogue("probes", language).gettext(text)


def spoken(line: Line, language: str) -> dict[str, Any]:
    """A line as `--json` has it: codes and figures for programs, sentences for people."""
    return {
        "test": line.test,
        "subject": line.subject,
        "state": line.state,
        "mark": MARKS[line.state],
        "tested": line.tested,
        "detail": say(line.said, language),
        "remedy": None if line.remedy is None else say(line.remedy, language),
        "facts": line.facts,
    }


def page(lines: Sequence[Line], language: str, *, sbc: str, at: str) -> str:
    """One HTML file that needs no network and runs no script; whatever a far side said is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = [spoken(line, language) for line in lines]
    groups = [
        (word(title, language), found)
        for test, title in TITLES.items()
        if (found := [row for row in rows if row["test"] == test])
    ]
    state = overall(lines)
    return environment.get_template("preflight.html").render(
        t=lambda text: word(text, language),
        language=language,
        sbc=sbc,
        at=at,
        groups=groups,
        state=state,
        mark=MARKS[state],
        verdict=word(VERDICTS[state], language),
    )
