"""SVG as PNG."""

from pathlib import Path

from sereno.errors import SerenoError

_FONTS = Path("/usr/share/fonts/truetype/dejavu")
_FACES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
_ZOOM = 2  # of a point: sharp on a dense screen and in print


class PictureError(SerenoError):
    """A picture cannot be made here."""


def png(svg: str) -> bytes:
    """Render it. A system without fonts would leave every word out: that is an error."""
    import resvg_py

    faces = [str(path) for face in _FACES if (path := _FONTS / face).is_file()]
    if len(faces) < len(_FACES):
        raise PictureError(
            f"no font to write with in {_FONTS}: sudo apt-get install fonts-dejavu-core, or plot to .svg"
        )
    rendered: bytes = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=_ZOOM,
        skip_system_fonts=True,
        font_files=faces,
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
    )
    return rendered
