"""The two text formats: which one was asked for, and the writing of all families in pieces."""

from collections.abc import Iterable, Iterator

from collector.exposition.families import Family

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_PIECE = 65_536  # characters gathered before they are handed on
_OPENMETRICS_VERSIONS = frozenset({"", "1.0.0", "0.0.1"})


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header prefers OpenMetrics (RFC 9110, section 12.5.1); what cannot be read counts nothing."""
    openmetrics = plain = 0.0
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        given = dict(part.partition("=")[::2] for part in parameters)
        try:
            quality = float(given.get("q", "1"))
        except ValueError:
            continue
        if kind == "application/openmetrics-text" and given.get("version", "").strip('"') in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, quality)
        elif kind in ("text/plain", "text/*"):
            plain = max(plain, quality)
    return openmetrics > 0 and openmetrics >= plain


def pieces(families: Iterable[Family], *, openmetrics: bool) -> Iterator[str]:
    """The whole exposition, in pieces that take a millisecond or so each."""
    waiting, size = [], 0
    for family in families:
        waiting.append(family.head(openmetrics=openmetrics))
        for chunk in family.chunks(openmetrics=openmetrics):
            waiting.append(chunk)
            size += len(chunk)
            if size >= _PIECE:
                yield "".join(waiting)
                waiting, size = [], 0
    if openmetrics:
        waiting.append("# EOF\n")
    yield "".join(waiting)
