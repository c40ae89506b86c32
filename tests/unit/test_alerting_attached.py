"""What joins an incident from beside: others' alerts about an element of ours, and what a silenced cause brings."""

from pathlib import Path

from alerting_bench import T0, Bench, S, seconds

CORE_A = {"kind": "core", "name": "core-a"}
ALERT = {"element": CORE_A, "urgency": "alto", "impact": "departamento", "title": "disk full"}


def test_a_grave_alert_is_not_eased_by_a_light_matter_of_the_same_element(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.finding(0, "external_alert", "external", "Disk", facts=ALERT)
    bench.tick(10)
    assert (bench.one().cause.name, bench.one().priority) == ("core-a", "Alta")
    for path in ("sbc-1/core-a", "sbc-2/core-a"):
        bench.finding(20, "retransmissions", "path", path)
    for at in (700, 1400):
        bench.tick(at)
    (record,) = bench.open()
    assert {one.alarm for one in record.symptoms} >= {"retransmissions"}
    assert (record.priority, record.title) == ("Alta", "Alerta Disk: disk full")


def test_what_a_silenced_cause_brings_holds_no_other_incident_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.down(10, "sbc-1", "sbc-1/core-a", "sbc-1/core-b")
    bench.tick(60)
    asked = {"alarm": "core_down", "to_us": T0 + 2000 * S, "why": "cambio de disco"}
    bench.effects += bench.desk.command("silence.add", asked, "ana", T0 + 70 * S)
    bench.down(100, "core-b", "sbc-2/core-b")
    bench.up(120, "sbc-1", "sbc-1/core-a")
    bench.tick(200)
    assert (bench.one().title, bench.one().state) == ("SBC sbc-1 caído", "resolved")
    assert seconds(bench.one().resolved_us) == 120


def test_a_path_that_is_down_is_not_over_because_its_core_is_silenced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.down(10, "sbc-1/core-b")
    bench.tick(60)
    asked = {"alarm": "core_down", "to_us": T0 + 2000 * S, "why": "cambio de disco"}
    bench.effects += bench.desk.command("silence.add", asked, "ana", T0 + 70 * S)
    bench.down(100, "core-b", "sbc-2/core-b")
    bench.tick(300)
    assert bench.one().resolved_us is None
