"""The HTML report: one file that needs no network and runs no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from probes.media.analysis import Wanted
from probes.media.pictures import sheet
from probes.media.pictures.details import Group, groups
from probes.media.pictures.gallery import FAIR, Gallery, file_name, titled
from probes.media.pictures.style import style
from probes.media.pictures.words import Words
from probes.media.printable import printable
from probes.media.remarks import remarks

MOST_ROWS = 2_000

_HERE = Path(__file__).parent
_POOR = 3.6


@dataclass(frozen=True)
class Entry:
    """One stream, in the table and, if it is among the worst, with its picture and details."""

    number: int
    fields: Mapping[str, Any]
    grade: str  # poor, fair, good, unknown
    said: list[str]
    picture: Markup | None
    groups: list[Group]


def render(
    gallery: Gallery, files: Sequence[Mapping[str, Any]], words: Words, wanted: Wanted, *, named: bool = False
) -> str:
    """The whole page. Every text of a capture is escaped by the template, or by the picture it stands in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    entries = [_entry(at, fields, words, named=named) for at, fields in enumerate(gallery.listed, 1)]
    return environment.get_template("report.html").render(
        w=words,
        t=words.text,
        totals=gallery.totals,
        files=files,
        entries=entries,
        drawn=[entry for entry in entries if entry.picture],
        wanted=wanted,
        named=named,
        talking=any(entry.fields["mos_cq"] is not None for entry in entries),
        fair=FAIR,
        grade=_grade,
        name=lambda about: file_name(about, words),
        style=Markup(style(page=True)),  # noqa: S704 - ours
        legend=[(Markup(mark), text) for mark, text in sheet.legend_entries(words)],  # noqa: S704 - ours
    )


def _grade(mos: float | None) -> str:
    if mos is None:
        return "unknown"
    if mos < _POOR:
        return "poor"
    return "fair" if mos < FAIR else "good"


def _entry(number: int, fields: Mapping[str, Any], words: Words, *, named: bool) -> Entry:
    drawn = "seconds" in fields
    picture = sheet.picture(titled(fields, words, number=number, named=named), words) if drawn else None
    return Entry(
        number=number,
        fields=fields,
        grade=_grade(fields["mos_lq"]),
        said=[words.text(remark.text, **remark.values) for remark in remarks(fields)],
        picture=None if picture is None else Markup(picture),  # noqa: S704 - escaped where its texts are set
        groups=list(groups(fields, words)) if drawn else [],
    )
