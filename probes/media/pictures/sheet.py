"""Many streams on one picture, as SVG: a document of its own, or a part of a page."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from probes.media.pictures.panel import Shape, Stream, draw
from probes.media.pictures.style import FONT, style
from probes.media.pictures.words import Words
from probes.media.printable import printable

MOST = 60  # panels: beyond that nobody finds the one he looks for
ALONE = Shape(960, (110, 70, 80))
INSIDE = Shape(960, (110, 70, 80), head=18)  # a page, which has the titles

_EDGE, _HEAD, _LEGEND = 24, 34, 26
_LETTER = 6.4  # width of one, on average
_BURST = "burst (RFC 3611)"
_SAID = f'font-family="{FONT}" role="img"'
_SHAPES = ((2, 1, ALONE), (8, 2, Shape(660, (72, 48, 60))), (MOST, 3, Shape(500, (56, 40, 52))))


def sheet(streams: Sequence[Stream], words: Words, *, title: str, note: str = "", dark: bool = True) -> str:
    """An SVG document of these streams, in their order."""
    columns, shape = next((columns, shape) for most, columns, shape in _SHAPES if len(streams) <= most)
    columns = max(1, min(columns, len(streams)))
    rows = -(-len(streams) // columns)
    width = 2 * _EDGE + columns * shape.width + (columns - 1) * _EDGE
    top = _EDGE + _HEAD + _LEGEND + (18 if note else 0)
    height = top + max(1, rows) * (shape.height + _EDGE)
    heading = escape(printable(title))
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" {_SAID}>',
        f'<title>{heading}</title><style>{style(dark=dark)}</style><rect class="p-paper" {size}/>',
        f'<text class="p-ink" x="{_EDGE}" y="{_EDGE + 14}" font-size="17" font-weight="600">{heading}</text>',
        f'<g transform="translate({_EDGE} {_EDGE + _HEAD})">{legend(words)}</g>',
    ]
    if note:
        parts.append(_line(note, top - 16))
    if not streams:
        parts.append(_line(words.text("No RTP streams"), top + 20))
    for index, stream in enumerate(streams):
        row, column = divmod(index, columns)
        x, y = _EDGE + column * (shape.width + _EDGE), top + row * (shape.height + _EDGE)
        parts.append(f'<g transform="translate({x} {y})">{"".join(draw(stream, shape, words))}</g>')
    parts.append("</svg>\n")
    return "".join(parts)


def _line(text: str, y: int) -> str:
    return f'<text class="p-quiet" x="{_EDGE}" y="{y}" font-size="12">{escape(printable(text))}</text>'


def picture(stream: Stream, words: Words) -> str:
    """One stream inside an HTML page, which has the style."""
    return (
        f'<svg viewBox="0 0 {INSIDE.width} {INSIDE.height}" role="img" aria-label="{_attribute(stream.title)}">'
        f"{''.join(draw(stream, INSIDE, words))}</svg>"
    )


def _attribute(text: str) -> str:
    return escape(printable(text), {'"': "&quot;"})


_MARKS = (
    (16, '<path class="p-line-jitter" d="M0 6h16"/>', "mean jitter"),
    (16, '<rect class="p-peak" y="1" width="16" height="10"/>', "highest jitter"),
    (10, '<rect class="p-lost" y="1" width="10" height="10"/>', "lost"),
    (10, '<rect class="p-discarded" y="1" width="10" height="10"/>', "discarded by the de-jitter buffer"),
    (14, '<rect class="p-burst" y="1" width="14" height="10"/><path class="p-lost" d="M0 1h14v-3h-14z"/>', _BURST),
    (16, '<path class="p-line-mos" d="M0 6h16"/>', "MOS-LQ"),
)


def legend(words: Words) -> str:
    """What the colours mean, in one line of a picture."""
    parts, x = [], 0.0
    for width, mark, text in _MARKS:
        said = words.text(text)
        parts.append(f'<g transform="translate({x:.0f} 0)">{mark}')
        parts.append(f'<text class="p-quiet" x="{width + 6}" y="10" font-size="11">{escape(said)}</text></g>')
        x += width + 6 + len(said) * _LETTER + 18
    return "".join(parts)


def legend_entries(words: Words) -> list[tuple[str, str]]:
    """The same for a page: a small picture each, and its text."""
    return [
        (
            f'<svg width="{width}" height="14" viewBox="0 -3 {width} 14" aria-hidden="true">{mark}</svg>',
            words.text(text),
        )
        for width, mark, text in _MARKS
    ]
