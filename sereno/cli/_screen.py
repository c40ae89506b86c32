"""What output for people shares: colours only on a terminal that wants them, tables as wide as it is."""

import os
import sys
from typing import IO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

# The colour-blind safe palette of the page (dashboards/web/static/css); a glyph and a word are beside it always.
COLOURS = {
    "up": "#56B4E9",
    "degraded": "#E69F00",
    "down": "bold #D55E00",
    "unknown": "#9AA4B2",
    "maintenance": "#9AA4B2",
}
GLYPHS = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "◆"}
PIPED_WIDTH = 200  # what is read by a program, or kept in a file, is not folded to a screen that is not there


def coloured(stream: IO[str] | None = None) -> bool:
    """Whether colours may be used: a terminal, and neither NO_COLOR (no-color.org) nor a dumb one."""
    out = stream if stream is not None else sys.stdout
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console(stream: IO[str] | None = None) -> Console:
    """Where output for people goes; words are printed as they are, never read as markup or made links of."""
    out = stream if stream is not None else sys.stdout
    lively = coloured(out)
    return Console(
        file=out, force_terminal=lively, no_color=not lively, color_system="auto" if lively else None,
        width=None if out.isatty() else PIPED_WIDTH, markup=False, highlight=False, emoji=False, soft_wrap=False,
    )  # fmt: skip


def put(screen: Console, *things: RenderableType) -> None:
    """Prints them; what is piped has no blanks at the ends of its lines."""
    with screen.capture() as caught:
        screen.print(*things, sep="\n")
    text = caught.get()
    if not coloured(screen.file):
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    screen.file.write(text)


def table(*, header: bool = False) -> Table:
    """A plain table: no lines, two spaces between columns."""
    return Table(box=box.SIMPLE_HEAD if header else None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0),
                 show_edge=False, expand=False)  # fmt: skip
