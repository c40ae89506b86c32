"""`sereno rtp analyze --plot` and `--html`: collected while captures pass by, written at the end."""

import sys
from pathlib import Path
from typing import Any

from probes.media.analysis import Analysis, Wanted
from probes.media.pictures import sheet
from probes.media.pictures.gallery import Gallery, titled
from probes.media.pictures.page import MOST_ROWS, render
from probes.media.pictures.png import png, ready
from probes.media.pictures.words import Words
from sereno.cli.rtp_options import Asked
from sereno.errors import UsageError


class Pictures:
    """The worst streams, drawn."""

    def __init__(self, asked: Asked, wanted: Wanted) -> None:
        self._plot, self._html = asked.plot, asked.html
        if self._plot and self._plot.suffix.lower() == ".png":
            ready()
        self._named = len(asked.files) > 1
        self._words = Words(asked.lang)
        self._wanted = wanted
        self._gallery = Gallery(MOST_ROWS if asked.html else sheet.MOST, sheet.MOST, asked.window)

    def take(self, analysis: Analysis) -> None:
        """Take a capture that was read."""
        self._gallery.take(analysis)

    def close(self, files: list[dict[str, Any]]) -> None:
        """Write what was asked for."""
        if self._plot:
            _write("--plot", self._plot, self._drawn(self._plot.suffix.lower() == ".png", files))
        if self._html:
            html = render(self._gallery, files, self._words, self._wanted, named=self._named)
            _write("--html", self._html, html.encode())

    def _drawn(self, as_png: bool, files: list[dict[str, Any]]) -> bytes:
        words, gallery = self._words, self._gallery
        shown = gallery.listed[: sheet.MOST]
        note = ""
        if gallery.totals.streams > len(shown):
            note = words.text(
                "The {shown} worst of {count} streams.",
                shown=len(shown),
                count=words.number(gallery.totals.streams),
            )
            sys.stderr.write(
                f"sereno: {self._plot}: the {len(shown)} worst of {gallery.totals.streams} streams are drawn: "
                "--json has the series of all\n"
            )
        names = [words.text("standard input") if about["file"] == "-" else Path(about["file"]).name for about in files]
        title = names[0] if len(names) == 1 else words.text("{count} captures", count=len(names))
        panels = [titled(fields, words, number=at, named=self._named) for at, fields in enumerate(shown, 1)]
        svg = sheet.sheet(panels, words, title=title, note=note, dark=not as_png)
        if not as_png:
            return svg.encode()
        return png(svg)


def _write(option: str, path: Path, octets: bytes) -> None:
    try:
        path.write_bytes(octets)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}: give a file that can be written") from None
