"""Every measure of alarms.yaml has a source in the collector, and docs/measures.md tells where it is read from."""

import re
from pathlib import Path

from collector.thresholds.families import SOURCES
from sereno.alarms.measures import MEASURES

PAGE = Path(__file__).parents[2] / "docs" / "measures.md"


def test_every_measure_is_read_from_somewhere():
    assert set(SOURCES) == set(MEASURES)
    assert all(source.reads for source in SOURCES.values())


def test_the_page_lists_them_all():
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\w+) \| ([^|]+) \| ([^|]+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE
    )
    assert [row[0] for row in rows] == list(SOURCES)
    for name, shape, unit, of, by, reads in rows:
        measure = MEASURES[name]
        assert (shape, unit) == (measure.shape, measure.unit)
        assert (of, by) == (", ".join(measure.scopes), ", ".join(measure.by) or "–")
        assert reads == SOURCES[name].reads
