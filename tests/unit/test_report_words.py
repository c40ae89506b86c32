"""A report's instants: what a clock shows twice is told apart."""

import pytest

from dashboards.reports.words import ReportWords


@pytest.mark.parametrize(
    ("zone", "at", "shown"),
    [
        ("America/Tijuana", "2026-11-01T08:53:20Z", "1 nov 2026 01:53:20 (UTC−07:00)"),
        ("America/Tijuana", "2026-11-01T09:43:20.5Z", "1 nov 2026 01:43:20.5 (UTC−08:00)"),
        ("America/Tijuana", "2026-11-01T10:00:00Z", "1 nov 2026 02:00:00"),
        ("America/Tijuana", "2026-03-08T10:00:00Z", "8 mar 2026 03:00:00"),  # the hour that no clock shows
        ("America/Costa_Rica", "2026-11-01T08:53:20Z", "1 nov 2026 02:53:20"),
    ],
)
def test_the_hour_that_comes_twice_says_which(zone, at, shown):
    assert ReportWords("es", zone, "es_MX").instant(at) == shown
