"""The page and the paper: one template, self-contained; the PDF is made of it."""

import functools
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from dashboards.reports import pictures
from dashboards.reports.model import Report, Site
from dashboards.reports.words import ReportWords

_LONGEST = 400  # lines of one list on paper; the other forms have all
_LETTER = frozenset(  # where paper is cut so (CLDR, paperSize)
    {"BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"}
)
TEMPLATES = {"full": "full.html", "executive": "executive.html"}


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("dashboards.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def stylesheet() -> str:
    """The rules for screen and paper."""
    return (resources.files("dashboards.reports") / "templates" / "report.css").read_text(encoding="utf-8")


def page(report: Report, words: ReportWords, edition: str, *, link: str | None = None, css: str | None = None) -> str:
    """The HTML. `link` is the root of our pages, for links to evidence.

    `css` is a stylesheet's address in place of the rules in the page, where a content policy forbids those.
    """
    html = (
        _environment()
        .get_template(TEMPLATES[edition])
        .render(
            r=report,
            w=words,
            p=pictures,
            link=link,
            css=css,
            rules=Markup(stylesheet()),  # noqa: S704 - ours, from the package
            longest=_LONGEST,
            letter=report.locale.rpartition("_")[2] in _LETTER,
            checks=_checks,
            worst=_worst,
        )
    )
    return _scrolling(html, words)


def _scrolling(html: str, words: ReportWords) -> str:
    """A table wider than a telephone scrolls by itself, by keyboard too, and is named by its number."""
    head, *tables = html.split("<table")
    found = [head]
    for number, rest in enumerate(tables, 1):
        label = escape(words.text("Table {number}", number=number))
        found.append(f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table{rest}')
    return "".join(found).replace("</table>", "</table></div>")


def _checks(report: Report, words: ReportWords) -> str:
    """`options cada 1 s, …`."""
    return words.names(
        words.text("{check} every {seconds}", check=one.name, seconds=words.seconds(one.every_seconds))
        for one in report.checks
    )


def _worst(report: Report) -> list[Site]:
    """Longest down first; of equals the one of which least is known."""
    rank = {
        one.site: (-one.availability.down_seconds, -one.availability.unknown_seconds, one.site) for one in report.sites
    }
    return sorted(report.sites, key=lambda one: rank[one.site])
