"""What people do to incidents: reports and their clocks, grading, pauses, ends, merging, splitting."""

from pathlib import Path

import pytest
from acts_bench import CONTACTS, MAIL, REPORT, H, act, dues, letters
from alerting_bench import T0, Bench, S, seconds

from alerting.lifecycle import RefusedError, UnknownIncidentError
from sereno.clock import iso, parse_instant
from sereno.incident import incident_json


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, topology_text=CONTACTS, desk_text=MAIL)


# -- reports -----------------------------------------------------------------------------------------------------------


def test_attention_begins_when_the_last_missing_field_arrives(bench: Bench) -> None:
    partial = {name: value for name, value in REPORT.items() if name not in {"extension", "occurred"}}
    assert act(bench, 0, "incident.open", customer="acme", priority="Urgente", title="sin salida", **partial) == 1
    assert dues(bench.one(), "attention") == []
    assert "al reporte le falta: extensión o usuario, fecha y hora" in bench.one().timeline[1].what
    bench.act(600, "incident.update", extension="101")
    assert bench.one().complete_us is None
    bench.act(1_200, "incident.update", occurred=REPORT["occurred"])
    record = bench.one()
    assert seconds(record.complete_us) == 1_200
    assert dues(record, "attention") == [(iso(T0 + round((1_200 + H) * S)), "running")]
    assert dues(record, "solution") != []
    assert incident_json(record)["direction"] == "outgoing"


def test_what_a_report_said_before_stays_in_the_timeline(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="sin salida", **REPORT)
    bench.act(60, "incident.update", extension="102", direction="entrante", occurred="2026-07-11T01:30:00-05:00")
    record = bench.one()
    assert "extensión o usuario (antes: 101)" in record.timeline[-1].what
    assert "entrante o saliente (antes: saliente)" in record.timeline[-1].what
    assert "fecha y hora (antes: 2026-07-11 " in record.timeline[-1].what
    assert record.since_us == record.occurred_us == parse_instant("2026-07-11T01:30:00-05:00")


def test_a_bare_incident_of_the_desks_own_is_complete_at_once(bench: Bench) -> None:
    bench.act(0, "incident.open", note="mirar el respaldo")
    assert seconds(bench.one().complete_us) == 0
    assert [one.contract for one in bench.one().clocks] == ["callmyway", "callmyway"]


def test_an_answer_that_came_before_the_report_was_complete_meets_its_clock(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="x", reporter="Luis")
    bench.act(60, "incident.ack")
    bench.act(120, "incident.update", **{name: value for name, value in REPORT.items() if name != "reporter"})
    assert {one.state for one in bench.one().clocks if one.clock == "attention"} == {"met"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"customer": "nadie"}, "no hay ningún cliente nadie"),
        ({"site": "luna"}, "no hay ninguna sede luna"),
        ({"priority": "P1"}, "la prioridad es"),
        ({"urgency": "alto"}, "la matriz pide urgencia e impacto"),
        ({"urgency": "altísimo", "impact": "individual"}, "urgency 'altísimo' no vale"),
        ({"direction": "de lado"}, "entrante o saliente"),
        ({"occurred": "mañana"}, "occurred: 'mañana' no es un instante ISO 8601"),
        ({"occurred": "2026-08-01T00:00:00Z"}, "no puede haber ocurrido después de ahora"),
        ({"title": "x" * 400}, "pasa de 300 caracteres"),
        ({"number": 0}, "ya hay un incidente 0"),
    ],
)
def test_a_report_that_is_not_true_is_refused_whole(bench: Bench, given: dict[str, object], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        act(bench, 0, "incident.open", **{"title": "x", **given})
    assert bench.incidents() == []
    assert act(bench, 1, "incident.open", title="x") == 1


def test_urgency_and_impact_give_the_priority_by_the_customers_contract(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="beta", urgency="Alto", impact="Organización", title="todo")
    act(bench, 0, "incident.request", customer="beta", urgency="bajo", impact="individual", title="alta")
    act(bench, 0, "incident.open", customer="acme", priority="S2", title="a medias")
    assert [one.priority for one in bench.incidents()] == ["Urgente", "Baja", "Alta"]
    assert [one.kind for one in bench.incidents()] == ["incident", "request", "incident"]
    assert [one.to for one in bench.pages()] == ["ana", "leo", "ana"]  # a request wakes nobody


def test_requests_have_their_own_clocks(bench: Bench) -> None:
    """WeKall, Baja: 32 office hours of nine a day. From a Saturday, with a holiday on Monday: Friday noon."""
    act(bench, 0, "incident.request", customer="beta", title="alta", reporter="it@beta.example")
    (due,) = dues(bench.one(), "attention")
    assert due == (iso(parse_instant("2026-07-17T12:30:00-05:00")), "running")


# -- priority, pauses, dates -------------------------------------------------------------------------------------------


def test_another_priority_counts_from_the_opening(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", priority="Baja", title="x", **REPORT)
    bench.act(1_800, "incident.priority", priority="Urgente", note="ya nadie llama")
    record = bench.one()
    assert (record.priority, record.severity, record.customers) == ("Urgente", "S1", {"acme": "Urgente"})
    assert (iso(T0 + round(H * S)), "running") in dues(record, "attention")
    assert "prioridad Baja S4 → Urgente S1: ya nadie llama" in [one.what for one in record.timeline]
    assert [one.to for one in bench.told("promoted")] == ["ana", "leo"]  # from now on it wakes people
    with pytest.raises(RefusedError, match="ya es Urgente"):
        bench.act(1_801, "incident.priority", priority="Urgente")


def test_a_pause_wants_a_question_and_keeps_what_was_used(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", priority="Normal", title="x", **REPORT)
    bench.act(60, "incident.start")
    with pytest.raises(RefusedError, match="tras una pregunta registrada"):
        bench.act(120, "incident.pause")
    bench.act(H, "incident.pause", note="¿sigue igual?")
    assert [one.address for one in letters(bench, "question")] == ["noc@acme.example"]
    assert "¿sigue igual?" in letters(bench, "question")[0].body
    with pytest.raises(RefusedError, match="ya está en pausa"):
        bench.act(H + 1, "incident.pause", note="otra")
    bench.act(3 * H, "incident.answer", text="sí", sender="noc@acme.example")
    record = bench.one()
    assert dues(record, "solution") == [(iso(T0 + round(6 * H * S)), "running")]  # 4 h, and 2 h of waiting
    assert any("respuesta de noc@acme.example: sí" in one.what for one in record.timeline)
    assert record.asked_us is None


def test_a_question_that_was_told_before_is_question_enough(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="x", **REPORT)
    bench.act(1, "incident.ack")
    bench.act(2, "incident.tell", kind="question", text="¿desde cuándo?")
    bench.act(3, "incident.pause")
    assert {one.state for one in bench.one().clocks if one.clock == "solution"} == {"paused"}


def test_a_date_agreed_anew_wants_its_reason_and_lies_ahead(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="x", **REPORT)
    due = "2026-08-01T12:00:00-05:00"
    with pytest.raises(RefusedError, match="pide --due y el motivo"):
        bench.act(1, "incident.redate", due=due)
    with pytest.raises(RefusedError, match="ya pasó"):
        bench.act(1, "incident.redate", due="2026-07-01T12:00:00-05:00", reason="x")
    bench.act(2, "incident.redate", due=due, reason="va a desarrollo")
    record = bench.one()
    assert (iso(parse_instant(due)), "running") in dues(record, "solution")
    assert [(one.reason, one.who) for one in record.redates] == [("va a desarrollo", "ana")]


def test_the_monitors_own_are_neither_paused_nor_graded_by_people(bench: Bench) -> None:
    bench.down(0, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.tick(5)
    bench.act(6, "incident.ack")
    for verb, given in (("pause", {"note": "¿?"}), ("priority", {"priority": "Baja"})):
        with pytest.raises(RefusedError, match="lo abrió el monitor"):
            bench.act(7, f"incident.{verb}", **given)
    with pytest.raises(RefusedError, match="sigue mal core core-a"):
        bench.act(8, "incident.resolve", category="x", cause="plataforma")


# -- ends --------------------------------------------------------------------------------------------------------------


def test_callmyway_closes_on_confirmation_with_category_and_cause(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="x", **REPORT)
    bench.act(60, "incident.resolve", note="reiniciado el teléfono")
    bench.tick(60 + 7 * 24 * H)
    assert bench.one().state == "resolved"
    with pytest.raises(RefusedError, match="falta categoría, causa"):
        bench.act(60 + 7 * 24 * H, "incident.close")
    bench.act(61 + 7 * 24 * H, "incident.confirm", category="terminal")
    assert bench.one().state == "resolved"
    assert bench.one().timeline[-1].what == "no se cierra todavía, falta: causa"
    with pytest.raises(RefusedError, match="plataforma, cliente, proveedor o tercero"):
        bench.act(62 + 7 * 24 * H, "incident.close", cause="mala suerte")
    bench.act(62 + 7 * 24 * H, "incident.close", cause="Cliente")
    record = bench.one()
    assert (record.state, record.category, record.closing_cause) == ("closed", "terminal", "cliente")


def test_a_persons_incident_is_not_resolved_while_its_site_is_down(bench: Bench) -> None:
    act(bench, 0, "incident.open", site="q", title="sin servicio", reporter="z")
    act(bench, 0, "incident.request", site="q", title="otra cosa")
    bench.down(10, "site:q", "sbc-1/core-a", "sbc-1/core-b", "sbc-1")
    bench.tick(20)
    with pytest.raises(RefusedError, match="sigue mal site q"):
        bench.act(30, "incident.resolve", category="x", cause="plataforma")
    bench.act(31, "incident.resolve", number=2, category="x", cause="cliente")
    bench.up(60, "site:q", "sbc-1/core-a", "sbc-1/core-b", "sbc-1")
    bench.tick(200)
    bench.act(201, "incident.resolve", category="x", cause="plataforma")
    assert bench.incidents()[0].state == "resolved"


def test_wekall_closes_after_48_hours(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="beta", title="x", description="y", reporter="z", contact="1")
    bench.act(60, "incident.resolve", category="red", cause="tercero")
    bench.tick(60 + 48 * H - 1)
    assert bench.one().state == "resolved"
    bench.tick(60 + 48 * H)
    assert (bench.one().state, seconds(bench.one().closed_us)) == ("closed", 60 + 48 * H)


def test_a_person_closes_with_category_and_cause_whatever_the_contract(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="beta", title="x", reporter="z")
    act(bench, 0, "incident.request", customer="beta", title="alta", reporter="z")
    for number in (1, 2):
        bench.act(60, "incident.resolve", number=number)
    with pytest.raises(RefusedError, match="falta categoría, causa"):
        bench.act(61, "incident.close")
    bench.act(62, "incident.close", category="red", cause="tercero")
    with pytest.raises(RefusedError, match=r"falta categoría \("):
        bench.act(63, "incident.close", number=2)
    bench.act(64, "incident.close", number=2, category="altas")
    assert {one.state for one in bench.incidents()} == {"closed"}


@pytest.mark.parametrize(("cause", "billable", "amount"), [("cliente", True, 250.0), ("plataforma", False, None)])
def test_urgent_work_outside_hours_is_billed_by_the_contracts_rule(
    bench: Bench, cause: str, billable: bool, amount: float | None
) -> None:
    """WeKall: USD 250 an hour, one hour at least; a Saturday at three, forty minutes of work."""
    act(bench, 0, "incident.open", customer="beta", priority="Urgente", title="x", description="y", reporter="z")
    bench.act(600, "incident.ack")
    bench.act(3_000, "incident.resolve", category="red del cliente", cause=cause)
    bill = incident_json(bench.one())["billable"]
    assert (bill["billable"], bill["amount"], bill["currency"]) == (billable, amount, "USD")
    assert "USD 250 por hora, mínimo 1 h" in bill["rule"]


def test_work_inside_hours_costs_nothing(bench: Bench) -> None:
    monday = (parse_instant("2026-07-14T08:00:00-05:00") - T0) / S
    act(bench, monday, "incident.open", customer="beta", priority="Urgente", title="x", reporter="z")
    bench.act(monday + 60, "incident.start")
    bench.act(monday + 1_800, "incident.resolve", category="red", cause="cliente")
    bill = bench.one().billing
    assert bill is not None
    assert (bill.billable, bill.amount) == (True, None)


def test_the_survey_is_linked_with_the_solution_and_its_answer_kept(bench: Bench) -> None:
    act(bench, 0, "incident.open", customer="acme", title="x", **REPORT)
    with pytest.raises(RefusedError, match="no se puede encuestar"):
        bench.act(1, "incident.survey", score=5)
    bench.act(60, "incident.resolve", category="a", cause="cliente")
    (letter,) = letters(bench, "solution")
    assert "https://s.example/1" in letter.body
    with pytest.raises(RefusedError, match="de 1 a 5"):
        bench.act(61, "incident.survey", score=6)
    bench.act(62, "incident.survey", score=2, comment="tarde")
    survey = bench.one().survey
    assert survey is not None
    assert (survey.score, survey.comment) == (2, "tarde")


# -- two that are one, one that is two ---------------------------------------------------------------------------------


def test_a_customers_report_joins_what_the_monitor_saw(bench: Bench) -> None:
    bench.down(0, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.tick(5)
    act(bench, 10, "incident.open", customer="beta", priority="Alta", title="se corta", reporter="z")
    with pytest.raises(RefusedError, match="una el 2 al 1"):
        bench.act(11, "incident.merge", into=2)
    bench.act(12, "incident.merge", number=2, into=1)
    stays, gone = bench.incidents()
    assert (gone.state, gone.merged_into, stays.customers["beta"]) == ("merged", 1, "Alta")
    assert stays.timeline[-1].what == "se le unió el incidente 2: se corta"
    moved = letters(bench, "progress")
    assert [one.address for one in moved] == ["it@beta.example"]
    assert "It is part of incident 1 now." in moved[0].body
    bench.up(60, "core-a", "sbc-1/core-a", "sbc-2/core-a", since=59)
    bench.tick(200)
    assert [one.state for one in bench.incidents()] == ["resolved", "merged"]
    assert [one.incident for one in letters(bench, "solution") if one.address == "it@beta.example"] == [1]


def test_what_a_person_merged_the_monitor_does_not_tell_apart_again(bench: Bench) -> None:
    bench.down(0, "sbc-1/core-a")
    bench.down(0, "sbc-2/core-b")
    bench.tick(60)
    first, second = bench.incidents()
    bench.act(70, "incident.merge", number=second.number, into=first.number)
    bench.tick(80)
    bench.down(90, "sbc-2/core-b")
    bench.tick(200)
    assert [one.number for one in bench.open()] == [first.number]
    bench.up(210, "sbc-1/core-a")
    bench.tick(300)
    assert bench.open()[0].state == "open"  # the other cause is still wrong
    with pytest.raises(RefusedError, match="sigue mal path sbc-2/core-b"):
        bench.act(301, "incident.resolve", category="x", cause="plataforma")
    bench.up(310, "sbc-2/core-b")
    bench.tick(400)
    assert bench.open() == []


def test_a_report_of_two_matters_becomes_two_incidents(bench: Bench) -> None:
    act(bench, 20, "incident.open", number=9, customer="acme,beta", priority="Alta", title="dos cosas", reporter="z")
    assert act(bench, 30, "incident.split", number=9, title="lo de beta", customer="beta") == 10
    parent, child = bench.incidents()
    assert (set(parent.customers), set(child.customers)) == ({"acme"}, {"beta"})
    assert {clock.customer for clock in parent.clocks} == {"acme"}
    assert {clock.customer for clock in child.clocks} == {"beta"}
    assert (child.opened_us, child.split_from) == (parent.opened_us, 9)
    with pytest.raises(RefusedError, match="no quedaría ningún cliente"):
        act(bench, 31, "incident.split", number=9, title="x", customer="acme")
    with pytest.raises(RefusedError, match="no afecta a beta"):
        act(bench, 31, "incident.split", number=9, title="x", customer="beta")


def test_what_was_grave_for_the_one_that_left_is_not_grave_for_the_one_that_stays(bench: Bench) -> None:
    act(bench, 0, "incident.open", number=1, customer="acme", priority="Normal", title="uno")
    act(bench, 1, "incident.open", number=2, customer="beta", priority="Urgente", title="dos")
    act(bench, 2, "incident.merge", number=2, into=1)
    act(bench, 3, "incident.split", number=1, title="lo de beta", customer="beta")
    parent, _, child = bench.incidents()
    assert (parent.priority, parent.severity, parent.priority_peak) == ("Normal", "S3", "Urgente")
    assert (child.priority, child.customers) == ("Urgente", {"beta": "Urgente"})
    act(bench, 4, "incident.resolve", number=3, category="red", cause="cliente")
    bench.tick(4 + 48 * H)
    assert bench.incidents()[2].state == "closed"  # by its customer's contract, though no clock of his is left


def test_a_customer_that_was_split_off_is_not_taken_back(bench: Bench) -> None:
    bench.down(0, "sbc-1", "site:q", "sbc-1/core-a", "sbc-1/core-b")
    bench.say(0, "site", "p", "degraded")
    bench.tick(10)
    assert bench.one().customers == {"acme": "Alta", "beta": "Urgente"}
    act(bench, 20, "incident.split", number=1, title="sede q", customer="beta")
    bench.down(25, "sbc-1/core-a")
    bench.tick(40)
    parent, child = bench.incidents()
    assert (parent.customers, parent.sites) == ({"acme": "Alta"}, ("p",))
    assert (child.customers, child.sites) == ({"beta": "Urgente"}, ("q",))
    with pytest.raises(RefusedError, match="sigue mal site q"):
        bench.act(50, "incident.resolve", number=2, category="x", cause="plataforma")
    bench.up(100, "sbc-1", "site:q", "site:p", "sbc-1/core-a", "sbc-1/core-b")
    bench.tick(200)
    bench.act(220, "incident.resolve", number=2, category="x", cause="plataforma")
    assert {one.state for one in bench.incidents()} == {"resolved"}
    solved = [(one.incident, one.address) for one in letters(bench, "solution")]
    assert solved == [(1, "noc@acme.example"), (2, "it@beta.example")]


def test_unknown_numbers_are_named(bench: Bench) -> None:
    with pytest.raises(UnknownIncidentError):
        bench.act(0, "incident.tell", number=4, kind="progress", text="x")
    with pytest.raises(RefusedError, match="no se conoce la orden"):
        bench.act(0, "incident.fly")
