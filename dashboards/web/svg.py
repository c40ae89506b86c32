"""Pictures made here: elements whose every attribute and text is escaped, and text of others that cannot do harm.

No style attribute and no script ever (the CSP refuses them): colours are presentation attributes, for white paper, and
classes, by which a style sheet says otherwise on a screen.
"""

from collections.abc import Iterable
from unicodedata import category

from markupsafe import Markup, escape

INK, SOFT, LINE, PALE = "#111111", "#555555", "#888888", "#eeeeee"
GOOD, LATE, BAD, AVERAGE = "#0b5c8f", "#8a5a00", "#a33a00", "#5b3d8a"
FONT = "Noto Sans, DejaVu Sans, sans-serif"
_SHOWN = 400  # characters of one text of others, however long it is


def el(name: str, *inside: object, **attributes: object) -> Markup:
    """`<name attribute="…">inside</name>`; `class_` is class, `stroke_width` stroke-width; None is left out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{said}>{''.join(escape(one) for one in inside)}</{name}>")  # noqa: S704 - escaped above


def joined(parts: Iterable[object]) -> Markup:
    """Pieces of markup, or texts, one after the other."""
    return Markup("").join(escape(one) for one in parts)


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def clean(text: object, most: int = _SHOWN, *, lines: bool = False) -> str:
    """Text of others: nothing in it steers a parser, a terminal or the direction of writing; cut if too long."""
    said = str(text)
    more = len(said) > most
    kept = said[: max(0, most)]
    if not kept.isprintable():
        kept = "".join(_harmless(one, lines=lines) for one in kept)
    return kept + "…" if more else kept


def _harmless(one: str, *, lines: bool) -> str:
    if one == "\n" and lines:
        return one
    if one in "\r\n\t":
        return "" if lines and one == "\r" else " "
    return one if category(one)[0] != "C" else "\ufffd"


def cut(text: str, most: int) -> str:
    """At most so many characters, an ellipsis in the end."""
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def text(x: float, y: float, said: object, *, class_: str = "l-text", fill: str = INK, **attributes: object) -> Markup:
    """One line of text."""
    return el("text", said, x=x, y=y, class_=class_, fill=fill, **attributes)


def line(
    x1: float, y1: float, x2: float, y2: float, *, class_: str, stroke: str = LINE, **attributes: object
) -> Markup:
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_, stroke=stroke, **attributes)


def box(x: float, y: float, width: float, height: float, *, class_: str, fill: str, **attributes: object) -> Markup:
    return el("rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height), class_=class_, fill=fill, **attributes)


def picture(name: str, width: float, height: float, title: str, told: str, *inside: object) -> Markup:
    """The `<svg>`: `title` names it, `told` says in words what it shows."""
    return el(
        "svg", el("title", title, id=f"{name}-t"), el("desc", told, id=f"{name}-d"), *inside,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}", width=width, height=height, role="img",
        aria_labelledby=f"{name}-t {name}-d", font_family=FONT, font_size=12,
    )  # fmt: skip
