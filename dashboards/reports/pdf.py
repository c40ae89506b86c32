"""The PDF: the same page on paper, tagged for screen readers (PDF/UA-1), the same bytes for the same data."""

import logging

from sereno.errors import UsageError

_MISSING = (
    "PDF needs Pango, which is not installed here: `apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0`,"
    " or ask for html, xlsx, csv or json"
)


def ready() -> None:
    """UsageError where the library's own libraries are missing."""
    try:
        import weasyprint  # noqa: F401 - whether it can be loaded
    except OSError:
        raise UsageError(_MISSING) from None


def pdf(html: str, identifier: str) -> bytes:
    """`identifier` names the file in itself (ISO 32000-1 §14.4): it must follow from the data alone."""
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    ready()
    import weasyprint

    document = weasyprint.HTML(string=html, url_fetcher=_nothing)
    found: bytes = document.write_pdf(pdf_variant="pdf/ua-1", pdf_identifier=identifier.encode("ascii"))
    return found


def _nothing(url: str) -> dict[str, object]:
    """The page is whole: nothing is fetched from anywhere."""
    raise ValueError(f"a report fetches nothing, and asked for {url}")
