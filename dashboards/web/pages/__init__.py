"""The pages, one module each: `routes(site)` and, where it lives, `topics(site)` (dashboards/web/live.py)."""

from collections.abc import Iterable, Mapping
from types import ModuleType

from starlette.routing import BaseRoute

from dashboards.web.live import Topic
from dashboards.web.pages import forensics, health, incidents, maintenance, panorama, paths, reports
from dashboards.web.site import Site

PAGES: tuple[ModuleType, ...] = (panorama, paths, health, incidents, maintenance, forensics, reports)


def routes_of(site: Site) -> Iterable[BaseRoute]:
    """Every route of every page."""
    for page in PAGES:
        yield from page.routes(site)


def topics_of(site: Site) -> Mapping[str, Topic]:
    """What pages show live, by name."""
    found: dict[str, Topic] = {}
    for page in PAGES:
        found |= page.topics(site) if hasattr(page, "topics") else {}
    return found
