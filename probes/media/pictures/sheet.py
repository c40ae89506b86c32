"""Many streams on one picture, as SVG: a document of its own, or a part of a page."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from probes.media.pictures.panel import Shape, Stream, draw, printable
from probes.media.pictures.style import FONT, style
from probes.media.pictures.words import Words

MOST = 60  # panels: beyond that nobody finds the one he looks for
ALONE = Shape(960, (110, 70, 80))

_EDGE, _HEAD, _LEGEND = 24, 34, 26
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
        f'<svg viewBox="0 0 {ALONE.width} {ALONE.height}" role="img" aria-label="{_attribute(stream.title)}">'
        f"{''.join(draw(stream, ALONE, words))}</svg>"
    )


def _attribute(text: str) -> str:
    return escape(printable(text), {'"': "&quot;"})


def legend(words: Words) -> str:
    """What the colours mean, in one line."""
    parts, x = [], 0.0
    for mark, text in (
        ('<path class="p-line-jitter" d="M{x} 6h16"/>', "mean jitter"),
        ('<rect class="p-peak" x="{x}" y="1" width="16" height="10"/>', "highest jitter"),
        ('<rect class="p-lost" x="{x}" y="1" width="10" height="10"/>', "lost"),
        ('<rect class="p-discarded" x="{x}" y="1" width="10" height="10"/>', "discarded by the de-jitter buffer"),
        (
            '<rect class="p-burst" x="{x}" y="1" width="14" height="10"/><path class="p-lost" d="M{x} 1h14v-3h-14z"/>',
            "burst (RFC 3611)",
        ),
        ('<path class="p-line-mos" d="M{x} 6h16"/>', "MOS-LQ"),
    ):
        said = words.text(text)
        parts.append(mark.format(x=f"{x:.0f}"))
        parts.append(f'<text class="p-quiet" x="{x + 22:.0f}" y="10" font-size="11">{escape(said)}</text>')
        x += 22 + len(said) * 6.2 + 18
    return "".join(parts)
