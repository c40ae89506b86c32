"""Somebody else's alert about an element of ours weighs as much as what we see of that element ourselves."""

from pathlib import Path

from alerting_bench import Bench

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
