"""What the desk keeps beside its incidents: messages to customers' contacts, problems, agreed activities."""

from pathlib import Path

import pytest
from acts_bench import CONTACTS, MAIL, REPORT, H, act, letters
from alerting_bench import T0, Bench, S

from alerting.acts.activities import UnknownActivityError
from alerting.effects import MessageAdded
from alerting.lifecycle import RefusedError
from alerting.problems import UnknownProblemError
from sereno.clock import iso


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, topology_text=CONTACTS, desk_text=MAIL)


# -- messages ----------------------------------------------------------------------------------------------------------


def test_customers_hear_of_the_opening_and_once_it_is_over_for_good(bench: Bench) -> None:
    bench.down(0, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.finding(0, "redundancy_lost", "site", "p")
    bench.say(0, "site", "p", "degraded")
    bench.say(0, "site", "q", "degraded")
    bench.tick(5)
    assert {one.address for one in letters(bench, "opening")} == {"noc@acme.example", "it@beta.example"}
    spanish, english = sorted(letters(bench, "opening"), key=lambda one: one.locale, reverse=True)
    assert "su servicio" in spanish.subject
    assert "your service" in english.subject
    bench.up(60, "core-a", "sbc-1/core-a", "sbc-2/core-a", "site:p", "site:q")
    bench.finding(60, "redundancy_lost", "site", "p", "false")
    bench.tick(90)
    assert letters(bench, "solution") == []  # resolved, but it may return
    bench.tick(121)
    assert len(letters(bench, "solution")) == 2
    bench.down(200, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.say(200, "site", "p", "degraded")
    bench.tick(210)
    again = letters(bench, "opening")[2:]
    assert {one.address for one in again} == {"noc@acme.example", "it@beta.example"}
    assert bench.one().state == "reopened"


def test_every_message_has_its_row_with_the_id_of_its_mail(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="x", **REPORT)
    bench.act(5, "incident.tell", kind="avance", text="cambiamos la tarjeta")
    rows = [one for one in bench.effects if isinstance(one, MessageAdded)]
    assert [(one.kind, one.customer, one.address) for one in rows] == [
        ("opening", "acme", "noc@acme.example"), ("progress", "acme", "noc@acme.example"),
    ]  # fmt: skip
    assert {one.outbox_key for one in rows} == {one.key for one in bench.told() if one.what.startswith("customer_")}
    assert all(str(one.message_id).endswith("@op.example>") for one in rows)


def test_who_reports_by_mail_is_answered_though_no_customer_is_known(bench: Bench) -> None:
    act(bench, 0, "incident.open", channel="e-mail", reporter="quien@otro.example", title="hola", description="x")
    assert [(one.to, one.address) for one in letters(bench, "opening")] == [
        ("quien@otro.example", "quien@otro.example")
    ]
    bench.act(9, "incident.resolve", category="a", cause="cliente")
    assert [one.address for one in letters(bench, "solution")] == ["quien@otro.example"]


def test_nobody_to_write_to_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    act(bench, 0, "incident.open", customer="acme", title="x")
    with pytest.raises(RefusedError, match="ningún canal de correo"):
        bench.act(1, "incident.tell", kind="progress", text="x")
    assert letters(bench, "opening") == []


# -- problems and activities -------------------------------------------------------------------------------------------


def falls(bench: Bench, at: float) -> None:
    bench.down(at, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.tick(at + 10)
    bench.up(at + 60, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.tick(at + 120)


def test_the_third_time_in_thirty_days_is_a_problem(bench: Bench) -> None:
    for day in (0, 5):
        falls(bench, day * 24 * H)
    assert bench.desk.snapshot().problems == ()
    falls(bench, 10 * 24 * H)
    (problem,) = bench.desk.snapshot().problems
    assert (problem.incidents, problem.cause, problem.alarm) == ((1, 2, 3), bench.incidents()[0].cause, "core_down")
    assert {one.problem for one in bench.incidents()} == {1}
    assert any("es del problema 1" in one.what for one in bench.incidents()[2].timeline)
    falls(bench, 12 * 24 * H)
    assert bench.desk.snapshot().problems[0].incidents == (1, 2, 3, 4)
    act(bench, 13 * 24 * H, "problem.note", number=1, workaround="reiniciar el proxy")
    with pytest.raises(RefusedError, match="sin su causa raíz"):
        act(bench, 13 * 24 * H, "problem.close", number=1)
    act(bench, 13 * 24 * H, "problem.close", number=1, root_cause="fuga de memoria")
    falls(bench, 14 * 24 * H)
    assert bench.incidents()[4].problem is None  # closed: it begins anew
    with pytest.raises(UnknownProblemError):
        act(bench, 15 * 24 * H, "problem.close", number=7)


def test_far_apart_is_no_problem(bench: Bench) -> None:
    for day in (0, 40, 80):
        falls(bench, day * 24 * H)
    assert bench.desk.snapshot().problems == ()


def test_one_that_flaps_is_a_problem(bench: Bench) -> None:
    for minute in range(0, 60, 4):
        falls(bench, minute * 60)
    assert len(bench.incidents()) == 1
    (problem,) = bench.desk.snapshot().problems
    assert problem.title.startswith("va y viene")


def test_an_activity_that_is_late_is_told_once(bench: Bench) -> None:
    due = iso(T0 + round(H * S))
    assert act(bench, 0, "activity.add", customer="acme", what="informe mensual", due=due) == 1
    assert act(bench, 0, "activity.add", customer="acme", what="capacitación", due=due) == 2
    act(bench, 60, "activity.done", id=2, evidence="acta firmada")
    bench.tick(2 * H)
    bench.tick(9 * H)
    late = bench.told("activity_late")
    assert [(one.to, one.incident) for one in late] == [("ana", None)]
    assert late[0].subject == "La actividad 1 de acme está atrasada: informe mensual"
    with pytest.raises(RefusedError, match="ya está hecha"):
        act(bench, 10 * H, "activity.done", id=2, evidence="otra")
    with pytest.raises(RefusedError, match="falta la evidencia"):
        act(bench, 10 * H, "activity.done", id=1)
    with pytest.raises(UnknownActivityError):
        act(bench, 10 * H, "activity.cancel", id=5)
