"""The declared alarms: the shipped set, an operator's own file, and the alarm machine's table."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from alerting.machine import due_us, on_change, on_time
from alerting.words import DESK_LANGUAGE, TITLES, say
from sereno.alarms import Alarms, describe, load_alarms, parse_alarms
from sereno.errors import ConfigError
from sereno.i18n import catalogue
from sereno.verdict import Change

S = 1_000_000
DOCS = Path(__file__).parents[2] / "docs"
ONE = '{kind: core, what: verdict, states: [down], urgency: alto, impact: departamento, page: true, first_step: "x"%s}'


def test_the_shipped_set_has_the_alarms_that_the_machines_can_raise() -> None:
    names = set(load_alarms().alarms)
    assert names >= {
        "service_down", "site_down", "outage_suspected", "core_down", "core_refusing", "sbc_down",
        "sbc_unreachable_internet", "sbc_isolated", "path_down", "failover_broken", "redundancy_lost", "network_split",
        "wrong_core", "intermittence", "options_slow", "account_refused", "monitor_blind", "quorum_short", "probe_lost",
    }  # fmt: skip


def test_every_alarm_has_a_title_in_spanish() -> None:
    spanish = catalogue("alerting", "es")
    for name, alarm in load_alarms().alarms.items():
        for kind in alarm.kinds:
            if (kind, alarm.what) in {("service", "verdict"), ("external", "external_alert")}:
                continue
            title = TITLES[kind, alarm.what]
            assert spanish.gettext(title) != title, name
    assert say(DESK_LANGUAGE, "Core {name} down", name="x") == "Núcleo x caído"
    assert say("en", "Core {name} down", name="x") == "Core x down"


def test_every_message_has_its_spanish_with_the_same_values() -> None:
    room = Path(__file__).parents[2] / "alerting"
    with (room / "locale" / "es.po").open("rb") as file:
        messages = [message for message in read_po(file, locale="es") if message.id]
    written = {
        node.value
        for path in (
            *room.rglob("*.py"),
            *(path for name in ("oncall", "incident") for path in (room.parent / "sereno" / name).glob("*.py")),
        )
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
    }
    for message in messages:
        assert message.string, message.id
        assert sorted(re.findall(r"{\w+}", message.id)) == sorted(re.findall(r"{\w+}", message.string)), message.id
        if "{" in message.id:
            assert message.id in written, f"nobody says {message.id!r}"


@pytest.mark.parametrize("part", [describe.table, describe.meanings])
def test_the_page_of_alarms_says_what_the_file_says(part: Callable[[Alarms], Iterator[str]]) -> None:
    page = (DOCS / "alarms.md").read_text().splitlines()
    rows = list(part(load_alarms()))
    begin = page.index(rows[0])
    assert page[begin : begin + len(rows)] == rows
    assert page[begin + len(rows)] == ""


def test_the_page_of_measures_and_of_runbooks_too() -> None:
    assert "\n".join(describe.measures()) + "\n\n" in (DOCS / "alarms.md").read_text()
    assert (DOCS / "runbooks.md").read_text().endswith(describe.runbooks(load_alarms()))


def test_every_shipped_alarm_says_what_to_do_in_two_languages() -> None:
    for name, alarm in load_alarms().alarms.items():
        spanish, english = alarm.told("es_CO"), alarm.told("en")
        for told in (spanish, english):
            assert told.meaning.endswith("."), name
            assert told.first_step, name
            assert told.runbook, name
        assert not {*spanish.runbook, spanish.meaning} & {*english.runbook, english.meaning}, name
        assert len(spanish.runbook) == len(english.runbook), name


def test_an_operators_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "alarms.yaml").write_text(f"alarms:\n  mine: {ONE % ''}\n")
    assert list(load_alarms(tmp_path).alarms) == ["mine"]
    assert len(load_alarms(tmp_path / "elsewhere").alarms) > 20


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"alarms:\n  a: {ONE % ', sound: loud'}\n", "sound"),
        (f"alarms:\n  a: {ONE % ', for: 3'}\n", "for"),
        (f"alarms:\n  a: {ONE % ''}\n  a: {ONE % ''}\n", "a"),
        ("alarms: {}\n", "alarms"),
        ("alarms: [\n", ""),
    ],
)
def test_a_wrong_file_is_one_line_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "alarms.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_alarms(tmp_path)
    assert str(tmp_path / "alarms.yaml") in str(caught.value)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def said(state: str, at: float, since: float | None = None) -> Change:
    return Change(kind="core", name="c", what="verdict", state=state, at_us=round(at * S),
                  since_us=round((at if since is None else since) * S))  # fmt: skip


def test_the_machine_waits_fires_watches_and_clears() -> None:
    alarm = parse_alarms("a", f"alarms:\n  a: {ONE % ', for: 5s'}\n".encode()).alarms["a"]
    pending = on_change("a", alarm, None, said("down", 10, since=8))
    assert pending is not None
    assert (pending.phase, due_us(alarm, pending)) == ("pending", 15 * S)
    assert on_change("a", alarm, pending, said("up", 12)) is None
    assert on_change("a", alarm, pending, said("unknown", 12)) is None
    assert on_time(alarm, pending, 15 * S - 1) == pending
    firing = on_time(alarm, pending, 15 * S)
    assert firing is not None
    assert (firing.phase, due_us(alarm, firing)) == ("firing", None)
    assert on_change("a", alarm, firing, said("unknown", 20)) == firing
    clearing = on_change("a", alarm, firing, said("degraded", 30, since=28))
    assert clearing is not None
    assert (clearing.phase, due_us(alarm, clearing)) == ("clearing", 58 * S)
    again = on_change("a", alarm, clearing, said("down", 40, since=39))
    assert again is not None
    assert (again.phase, again.bad_since_us, again.first_since_us) == ("firing", 39 * S, 8 * S)
    doubtful = on_change("a", alarm, clearing, said("unknown", 40))
    assert doubtful is not None
    assert (doubtful.phase, due_us(alarm, doubtful)) == ("firing", None)
    assert on_time(alarm, clearing, 58 * S - 1) == clearing
    over = on_time(alarm, clearing, 58 * S)
    assert over is not None
    assert (over.phase, over.falls, due_us(alarm, over)) == ("idle", (15 * S,), None)
    assert on_change("a", alarm, over, said("up", 15 + 901)) is None, "what it fell is forgotten in time"
