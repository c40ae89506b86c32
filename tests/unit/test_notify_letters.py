"""What people read: few messages in a storm, facts first, in their language and by their clock."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from alerting_bench import DESK, T0, Bench, S

from alerting.letters import Reader, moment
from alerting.letters.html import html
from alerting.words import SUBJECTS
from sereno.alarms import load_alarms
from sereno.clock import parse_instant

PATHS = ("sbc-1/core-a", "sbc-2/core-a", "sbc-1/core-b", "sbc-2/core-b")
EVERYTHING = (*PATHS, "core-a", "core-b", "site:p", "site:q", "service:voz")


def bench_with(folder: Path, desk: str = DESK) -> Bench:
    return Bench(folder, desk_text=desk)


def test_a_storm_of_forty_unrelated_incidents_is_three_messages_to_a_person(tmp_path: Path) -> None:
    bench = bench_with(tmp_path)
    facts = {"urgency": "medio", "impact": "organizacion"}
    for number in range(40):
        bench.finding(
            number * 0.5, "external_alert", "external", f"rule-{number}", facts={**facts, "title": f"R{number}"}
        )
    bench.tick(299)
    assert len(bench.incidents()) == 40
    told = [(one.what, len(one.items), one.page) for one in bench.told() if one.to == "ana"]
    assert told == [("opened", 0, True), ("opened", 0, True), ("digest", 38, True)]
    digest = bench.told()[-1]
    assert digest.subject.startswith("[Alta S2] 38 incidentes más: ")
    assert all(f"#{number} abierto: [Alta S2]" in digest.body for number in range(3, 41))
    assert all(record.told == ("ana",) for record in bench.incidents())


def test_ends_go_to_those_who_were_told_wake_nobody_and_come_as_a_list(tmp_path: Path) -> None:
    bench = bench_with(tmp_path)
    facts = {"urgency": "medio", "impact": "organizacion"}
    for number in range(10):
        bench.finding(0, "external_alert", "external", f"rule-{number}", facts={**facts, "title": f"R{number}"})
    bench.tick(100)
    for number in range(10):
        bench.finding(101, "external_alert", "external", f"rule-{number}", "false")
    bench.tick(290)
    ends = [one for one in bench.told() if one.at_us > T0 + 101 * S]
    assert [(one.to, one.what, len(one.items), one.page) for one in ends] == [("ana", "digest", 10, False)]
    assert ends[0].subject == "[resueltos] 10 incidentes"


def test_a_list_begins_with_what_is_still_wrong(tmp_path: Path) -> None:
    bench = bench_with(tmp_path)
    grave, light = ({"urgency": "alto", "impact": impact} for impact in ("organizacion", "departamento"))
    bench.finding(0, "external_alert", "external", "one", facts={**grave, "title": "one"})
    bench.finding(20, "external_alert", "external", "one", "false")
    for name in ("two", "three"):
        bench.finding(61, "external_alert", "external", name, facts={**grave, "title": name})
    bench.finding(85, "external_alert", "external", "four", facts={**light, "title": "four"})
    bench.tick(130)
    digest = next(one for one in bench.told("digest") if one.to == "ana")
    assert [row.label for row in digest.rows] == ["#4 abierto", "#1 resuelto"]
    assert digest.subject == "[Alta S2] 2 incidentes más: Alerta four…"


def test_facts_first_in_each_reader_s_language_and_by_his_clock(tmp_path: Path) -> None:
    desk = DESK.replace("locale: en}", "locale: en, timezone: Asia/Kolkata}")
    bench = bench_with(tmp_path, desk)
    bench.down(0, *EVERYTHING)
    bench.tick(5)
    ana, leo = (next(one for one in bench.told("opened") if one.to == who) for who in ("ana", "leo"))
    assert [row.label for row in ana.rows][:6] == ["Qué", "Dónde", "Desde", "Gravedad", "Clientes", "Sedes"]
    assert [row.label for row in leo.rows][:6] == ["What", "Where", "Since", "How bad", "Customers", "Sites"]
    assert "Desde: sáb 11 jul 2026, 02:00:00 -06:00" in ana.body  # the zone of the desk's contract
    assert "Since: Sat 11 Jul 2026, 13:30:00 +05:30" in leo.body
    assert "Vence: atención sáb 11 jul 2026, 03:00:00 -06:00 (acme)" in ana.body
    assert ana.subject == "[Urgente S1] Incidente 1: Servicio de voz caído: ambos núcleos (core-a, core-b)"
    assert "Primer paso: " in ana.body
    assert "First step: " in leo.body
    assert len(ana.short) <= 150


def test_the_evidence_is_in_the_reader_s_language(tmp_path: Path) -> None:
    bench = bench_with(tmp_path)
    bench.down(0, *EVERYTHING)
    bench.tick(5)
    seen = msgspec.structs.replace(bench.one(), evidence="motivo timeout; contestó core-b")
    told = bench.desk.teller.tell(seen, "reopened", T0, "", page=True, people=["ana", "leo"])
    evidence = {one.to: row.text for one in told for row in one.rows if row.label in {"Evidencia", "Evidence"}}
    assert evidence == {"ana": "motivo timeout; contestó core-b", "leo": "reason timeout; answered by core-b"}


def test_local_time_where_clocks_change() -> None:
    before, after = parse_instant("2026-11-01T05:30:00Z"), parse_instant("2026-11-01T06:30:00Z")
    assert moment(before, "en_US", "America/New_York") == "Sun 1 Nov 2026, 01:30:00 -04:00"
    assert moment(after, "en_US", "America/New_York") == "Sun 1 Nov 2026, 01:30:00 -05:00"
    assert moment(before, "es_CO", "America/St_Johns") == "dom 1 nov 2026, 02:00:00 -03:30"


def test_every_word_of_a_letter_has_its_spanish(tmp_path: Path) -> None:
    """No English word is left in what a Spanish reader gets; values of ours aside."""
    bench = bench_with(tmp_path)
    bench.down(0, *EVERYTHING)
    bench.tick(5)
    record = bench.one()
    for what in SUBJECTS:
        (told, *_) = bench.desk.teller.tell(record, what, T0, "", page=False, people=["ana"]) or [None]
        if told is not None:
            text = told.subject + told.body + told.short
            assert not re.search(r"\b(Incident|since|down|What|Where|First step|due|again|worse)\b", text), text


class Tags(HTMLParser):
    """Every tag closed, nothing fetched, nothing run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "img", "link", "iframe", "form", "object"}
        assert not any(name.startswith("on") or name == "src" for name, _ in attrs)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("evil", ['<script>alert("x")</script>', "a & b < c", '" onload="x', "ñandú 🚨"])
def test_html_says_the_same_and_runs_nothing(tmp_path: Path, evil: str) -> None:
    bench = bench_with(tmp_path)
    bench.down(0, *EVERYTHING)
    bench.tick(5)
    told = msgspec.structs.replace(bench.told()[0], subject=evil, ack_url="https://noc.example/ack/v1.x")
    tags = Tags()
    tags.feed(html(told))
    assert tags.open == []
    assert evil in tags.text
    assert all(row.text in tags.text for row in told.rows)


def test_a_customer_reads_of_his_own_sites_and_dates_and_of_no_element_of_ours(tmp_path: Path) -> None:
    bench = bench_with(tmp_path)
    bench.down(0, *EVERYTHING)
    bench.tick(5)
    record = msgspec.structs.replace(bench.one(), description="de beta: oficina de la gerente")
    said = bench.desk.teller.tell_customer(
        record, "customer_opening", T0, customer="acme", channel="hook", address="noc@acme.example", locale="es_CR",
        words="Ya hay un técnico en camino.", zone="America/Costa_Rica",
    )  # fmt: skip
    text = said.subject + said.body + html(said)
    assert not re.search(r"core-|sbc-|beta|gerente|\bq\b", text), text
    assert "Sedes: p" in said.body
    assert "Solución prevista: sáb 11 jul 2026, 05:00:00 -06:00" in said.body
    assert "Ya hay un técnico en camino." in html(said)
    assert (said.url, said.kind, said.name, said.page) == (None, "", "", False)


def test_every_alarm_has_its_first_step_in_both_languages() -> None:
    for name, alarm in load_alarms().alarms.items():
        assert alarm.told("es").first_step, name
        assert alarm.told("en").first_step, name


def test_a_reader_says_what_he_was_given() -> None:
    assert Reader("es_CO", "America/Bogota").moment(T0) == "sáb 11 jul 2026, 03:00:00 -05:00"
