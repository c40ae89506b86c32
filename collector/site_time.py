"""How long each site was in each state, live: a counter for burn rates that does not hang on when somebody scraped.

A verdict is often known a little after its fact: an outage of two failures is dated back to the first. The time since
then moves from the old state to the new one; what was already shown of the old one stands (a counter never goes back)
and is made up for before it goes on.
"""

from collections.abc import Iterable

from sereno.clock import SECOND_US


class _Site:
    __slots__ = ("credit_us", "shown_us", "since_us", "state")

    def __init__(self) -> None:
        self.state = "unknown"
        self.since_us = 0  # up to where time is credited
        self.credit_us: dict[str, int] = {}
        self.shown_us: dict[str, int] = {}


class SiteTime:
    """Counts from `begin` on; `change` in the order said."""

    def __init__(self, sites: Iterable[str]) -> None:
        self._sites = {name: _Site() for name in sites}
        self._begun_us: int | None = None

    @property
    def names(self) -> Iterable[str]:
        return self._sites.keys()

    def begin(self, now_us: int) -> None:
        """Everything before this instant is another process's."""
        self._begun_us = now_us
        for site in self._sites.values():
            site.since_us, site.credit_us = now_us, {}

    def change(self, name: str, state: str, since_us: int, at_us: int) -> None:
        """What a site is since `since_us`, as it was decided at `at_us`."""
        site = self._sites[name]
        if self._begun_us is not None:
            self._credit(site, max(at_us, site.since_us))
            back_us = site.since_us - max(since_us, self._begun_us)
            if back_us > 0:
                moved = min(back_us, site.credit_us.get(site.state, 0))
                site.credit_us[site.state] = site.credit_us.get(site.state, 0) - moved
                site.credit_us[state] = site.credit_us.get(state, 0) + moved
        site.state = state

    def seconds(self, name: str, state: str, now_us: int) -> float:
        """The counter of a state now."""
        site = self._sites[name]
        if self._begun_us is None:
            return 0.0
        self._credit(site, now_us)
        shown = max(site.shown_us.get(state, 0), site.credit_us.get(state, 0))
        site.shown_us[state] = shown
        return shown / SECOND_US

    @staticmethod
    def _credit(site: _Site, upto_us: int) -> None:
        if upto_us > site.since_us:
            site.credit_us[site.state] = site.credit_us.get(site.state, 0) + upto_us - site.since_us
            site.since_us = upto_us
