"""Output for people: colours on a terminal that wants them and nowhere else, no blanks at the ends of piped lines."""

import io

import pytest
from rich.text import Text

from sereno.cli import _screen
from sereno.cli._when import when
from sereno.cli.probes import status
from sereno.clock import parse_instant


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream):
    """A table as it comes out."""
    rows = _screen.table()
    rows.add_row(Text("✓ up", style=_screen.COLOURS["up"]), "sbc-1")
    rows.add_row(Text("✕ down", style=_screen.COLOURS["down"]), "a longer name")
    _screen.put(_screen.console(stream), rows)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_colours_on_a_terminal():
    assert "\x1b[" in shown(Terminal())


def test_plain_when_piped():
    text = shown(io.StringIO())
    assert text == "✓ up    sbc-1\n✕ down  a longer name\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_plain_where_colours_are_not_wanted(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert "\x1b" not in shown(Terminal())


def test_as_wide_as_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "14")
    assert max(len(line) for line in shown(io.StringIO()).splitlines()) > 14  # piped: never folded
    assert len(shown(Terminal()).splitlines()) > 2


@pytest.mark.parametrize(
    ("states", "code"),
    [(["up"], 0), (["up", "degraded"], 0), (["up", "unknown"], 3), (["unknown", "down"], 1), ([], 3)],
)
def test_the_status_of_probes(states, code):
    assert status(states) == code


def test_instants_in_the_services_zone():
    now = parse_instant("2026-11-21T21:38:43Z")
    assert when(now, "America/Costa_Rica", now) == "15:38:43 -06:00"
    assert when(parse_instant("2026-11-21T05:38:43Z"), "America/Costa_Rica", now) == "20 nov 2026 23:38:43 -06:00"
