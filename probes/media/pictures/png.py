"""SVG as PNG."""

from importlib.util import find_spec
from pathlib import Path

from sereno.errors import SerenoError

_FONTS = Path("/usr/share/fonts/truetype/dejavu")
_FACES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
_ZOOM = 2  # of a point: sharp on a dense screen and in print


class PictureError(SerenoError):
    """A picture cannot be made here."""


def ready() -> list[str]:
    """The fonts that PNGs are written with; PictureError when none can be made. Ask before an hour of reading."""
    if not find_spec("resvg_py"):
        raise PictureError("PNG needs the package resvg-py: run make setup, or plot to .svg")
    faces = [_FONTS / face for face in _FACES]
    if not all(face.is_file() for face in faces):
        raise PictureError(
            f"no font to write with in {_FONTS}: sudo apt-get install fonts-dejavu-core, or plot to .svg"
        )
    return [str(face) for face in faces]


def png(svg: str) -> bytes:
    """Render it. Without fonts every word would be left out, silently: that is an error here."""
    faces = ready()
    import resvg_py

    rendered: bytes = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=_ZOOM,
        skip_system_fonts=True,
        font_files=faces,
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
    )
    return rendered
