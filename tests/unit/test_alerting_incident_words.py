"""Incidents in a terminal: how long a clock has left, or is overdue."""

from pathlib import Path

import pytest
from acts_bench import REPORT
from alerting_bench import T0, Bench, S

from sereno.cli import _incident_words
from sereno.clock import FakeClock


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (60, "corre, faltan 59 min"),
        (0, "corre, faltan 1 h"),
        (3_600 + 90, "corre, vencido hace 1 min"),
        (3_600 * 5, "corre, vencido hace 4 h"),
        (3_600 + 86_400 * 2 + 3_600 * 3, "corre, vencido hace 2 d 3 h"),
        (3_600 + 86_400, "corre, vencido hace 1 d"),
    ],
)
def test_what_is_left_is_said_in_days_hours_and_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, words: str
) -> None:
    bench = Bench(tmp_path)
    bench.act(0, "incident.open", number=1, customer="acme", priority="Urgente", title="x", **REPORT)
    monkeypatch.setattr(_incident_words, "SystemClock", lambda: FakeClock(T0 + after * S))
    (line,) = [one for one in _incident_words.whole(bench.one(), "UTC") if "reloj de atención" in one]
    assert line.endswith(words)
