"""Alertmanager's webhook, as it is posted: one cause one incident, each alert once, nothing lost or invented."""

import json
from pathlib import Path

import httpx
import pytest
from inbound_site import InboundSite, until

from alerting.external import unrepeated
from sereno.clock import SECOND_US, iso
from sereno.store import open_store
from sereno.store.commands import submit
from sereno.store.tables import commands, external_alerts

ALARMS = Path(__file__).resolve().parents[2] / "sereno" / "alarms" / "data" / "alarms.yaml"


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "data")
    yield opened
    opened.dispose()


@pytest.fixture
def quick(tmp_path):
    """The shipped alarms, but what is over for a second is over."""
    folder = tmp_path / "files"
    folder.mkdir()
    text = ALARMS.read_text(encoding="utf-8")
    head, mark, tail = text.partition("  external_alert:")
    assert mark
    (folder / "alarms.yaml").write_text(
        head + mark + tail.replace("kind: external", "kind: external\n    clear: 0s", 1)
    )
    return folder


@pytest.fixture
def site(store, quick):
    with InboundSite(store, beside=quick) as made:
        yield made


class Alertmanager:
    """Posts as it does."""

    def __init__(self, site):
        self.site, self.web = site, httpx.Client(base_url=site.page.url, timeout=10)
        self.began_us = site.clock.now_us() - 60 * SECOND_US

    def alert(self, name="DiskFull", *, status="firing", fingerprint=None, began_us=None, labels=None, **annotations):
        labels = {"alertname": name, "instance": "web-1", **(labels or {})}
        return {
            "status": status, "labels": labels, "annotations": annotations,
            "startsAt": iso(began_us or self.began_us),
            "endsAt": iso(self.site.clock.now_us()) if status == "resolved" else "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph?g0",
            "fingerprint": fingerprint or f"{abs(hash(str(labels))):08x}"[-8:],
        }  # fmt: skip

    def body(self, *alerts, group=None, **changed):
        return {
            "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "sereno",
            "groupLabels": group or {"alertname": alerts[0]["labels"]["alertname"]} if alerts else {},
            "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example", "alerts": list(alerts),
            **changed,
        }  # fmt: skip

    def post(self, *alerts, **more):
        return self.web.post("/api/v1/alertmanager", json=self.body(*alerts, **more))


@pytest.fixture
def sender(site):
    made = Alertmanager(site)
    yield made
    made.web.close()


def test_one_alert_one_incident_and_resolved_ends_it(any_store, quick):
    with InboundSite(any_store, beside=quick) as site:
        sender = Alertmanager(site)
        tell_and_resolve(site, sender)
        sender.web.close()


def tell_and_resolve(site, sender):
    alert = sender.alert(labels={"severity": "critical"}, summary="Disco casi lleno", description="Queda el 3 %",
                         runbook_url="https://wiki.example/disk")  # fmt: skip
    assert sender.post(alert).json() == {"taken": 1, "known": 0}
    record = until(site.records)[0]
    assert (record.cause.kind, record.priority, record.class_) == ("external", "Alta", "service")
    assert record.title == "Alerta DiskFull: Disco casi lleno"
    for words in ("Queda el 3 %", "guía: https://wiki.example/disk", "visto en http://prometheus.example"):
        assert words in record.evidence
    assert record.since_us == sender.began_us
    version = record.version
    for _ in range(3):  # repeated, as Alertmanager does
        assert sender.post(alert).json() == {"taken": 0, "known": 1}
    assert site.record(record.number).version == version
    over = sender.alert(labels={"severity": "critical"}, status="resolved", summary="Disco casi lleno")
    assert sender.post(over).json() == {"taken": 1, "known": 0}
    until(lambda: site.record(record.number).state == "resolved")
    for late in (over, alert):  # resolved again for minutes; a firing one that was overtaken
        assert sender.post(late).json() == {"taken": 0, "known": 1}
    assert len(site.records()) == 1
    with site.store.read() as connection:
        assert len(connection.execute(external_alerts.select()).all()) == 2


def test_a_late_firing_after_its_resolved_opens_nothing(site, sender):
    sender.post(sender.alert(status="resolved"))
    assert sender.post(sender.alert()).json()["taken"] == 1
    sender.post(sender.alert("Other"))
    records = until(site.records)
    assert [record.cause.name for record in records] == ["Other"]


def test_alerts_of_a_group_are_one_incident_until_the_last_resolves(site, sender):
    pair = [sender.alert(labels={"instance": f"web-{n}"}, fingerprint=f"f{n}") for n in (1, 2)]
    sender.post(*pair, truncatedAlerts=7)
    record = until(site.records)[0]
    assert "2 alertas" in record.evidence
    assert "omitió 7 más" in record.evidence
    sender.post(sender.alert(labels={"instance": "web-1"}, fingerprint="f1", status="resolved"))
    until(lambda: "web-1" not in site.record(record.number).evidence)
    assert site.record(record.number).state == "open"
    sender.post(sender.alert(labels={"instance": "web-2"}, fingerprint="f2", status="resolved"))
    until(lambda: site.record(record.number).state == "resolved")
    assert len(site.records()) == 1


def test_gravity_comes_from_labels_and_an_unknown_word_is_normal_and_noted(site, sender):
    graded = (
        ("A", {"severity": "page"}, "Alta"),
        ("B", {"priority": "Urgente"}, "Urgente"),
        ("C", {"severity": "info"}, "Baja"),
        ("D", {}, "Normal"),
        ("E", {"severity": "catastrophic"}, "Normal"),
        ("F", {"urgency": "bajo", "impact": "organizacion"}, "Normal"),
        ("G", {"priority": "?", "severity": "CRITICAL"}, "Alta"),
    )
    for name, labels, _ in graded:
        sender.post(sender.alert(name, labels=labels))
    for name, _, priority in graded:
        record = until(lambda name=name: [one for one in site.records() if one.cause.name == name])[0]
        assert record.priority == priority, name
        assert ("gravedad desconocida: severity=catastrophic" in record.evidence) == (name == "E")


def test_an_alert_about_our_element_joins_its_incident(site, sender):
    number = site.open_core("core-a")
    sender.post(sender.alert("CoreMemory", labels={"kind": "core", "element": "core-a"}))
    sender.post(sender.alert("SerenoCoreDown", labels={"alarm": "core_down", "kind": "core", "element": "core-a"}))
    until(lambda: len(site.record(number).symptoms) == 2)
    assert [record.number for record in site.records()] == [number]
    assert site.record(number).title == "Núcleo core-a caído"


def test_our_own_rule_neither_opens_nor_holds_what_the_desk_sees_itself(site, sender):
    site.seed.say("core", "core-a", "up")
    rule = {"alarm": "core_down", "kind": "core", "element": "core-a", "severity": "critical"}
    sender.post(sender.alert("SerenoCoreDown", labels=rule))
    blind = {"alarm": "monitor_blind", "class": "monitor", "kind": "monitor", "element": "acme-voice"}
    sender.post(sender.alert("SerenoMonitorBlind", labels=blind))
    sender.post(sender.alert("SerenoBlind", labels={"alarm": "monitor_blind", "class": "monitor"}))
    sender.post(sender.alert("Marker"))
    assert [record.cause.name for record in until(site.records)] == ["Marker"]
    sender.post(sender.alert("SerenoCoreDown", labels={**rule, "element": "core-b"}))  # of which nobody said anything
    record = until(lambda: [one for one in site.records() if one.cause.name == "core-b"])[0]
    assert record.priority == "Alta"


def test_without_an_active_collector_it_is_told_to_try_again(site, sender):
    site.stop()
    answer = sender.post(sender.alert())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    site.start()
    assert sender.post(sender.alert()).status_code == 200
    until(site.records)


def test_a_hanging_desk_is_503_and_nothing_is_taken_twice(site, sender, monkeypatch):
    monkeypatch.setattr("dashboards.web.inbound.asking.ANSWER_SECONDS", 0.1)
    site._stop.set()
    site._thread.join()
    site.seed.alive(site.clock.now_us() + 60 * SECOND_US)
    assert [sender.post(sender.alert()).status_code for _ in range(3)] == [503] * 3
    with site.store.read() as connection:
        assert len(connection.execute(commands.select()).all()) == 1
    site.start()
    monkeypatch.undo()
    assert until(lambda: sender.post(sender.alert()).status_code == 200)
    assert len(until(site.records)) == 1


def test_overload_is_503(site, sender, monkeypatch):
    monkeypatch.setattr("dashboards.web.inbound.asking.MOST_WAITING", 0)
    answer = sender.post(sender.alert())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.undo()
    monkeypatch.setattr("dashboards.web.inbound.asking.AT_ONCE", 0)
    assert "at once" in sender.post(sender.alert()).json()["error"]
    monkeypatch.undo()
    assert sender.post(sender.alert()).status_code == 200


def test_what_nobody_repeats_is_over(site, sender):
    sender.post(sender.alert())
    number = until(site.records)[0].number
    now_us = site.clock.now_us()
    submit(site.store, "external.expire", {"before_us": now_us - 60 * SECOND_US}, "sereno")
    until(lambda: all(row.state == "done" for row in orders(site)))
    assert site.record(number).state == "open"
    submit(site.store, "external.expire", {"before_us": now_us + 60 * SECOND_US}, "sereno")
    until(lambda: site.record(number).state == "resolved")
    with site.store.read() as connection:
        assert connection.execute(unrepeated(now_us + 60 * SECOND_US)).all() == []


def orders(site):
    with site.store.read() as connection:
        return connection.execute(commands.select()).all()


def test_what_is_no_webhook_version_4_is_refused_in_one_line(site, sender):
    good = sender.alert()
    for body, words in (
        ({}, "no version"),
        (sender.body(good, version="5"), "version '5'"),
        (sender.body(good, version=4), "version 4"),
        (sender.body({**good, "status": "suppressed"}), "suppressed"),
        (sender.body({**good, "startsAt": "yesterday"}), "startsAt"),
        (sender.body({**good, "fingerprint": "../x"}), "fingerprint"),
        (sender.body({**good, "labels": {"alertname": 1}}), "Expected `str`"),
    ):
        answer = sender.web.post("/api/v1/alertmanager", json=body)
        assert answer.status_code == 400, body
        assert words in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
    big = sender.web.post(
        "/api/v1/alertmanager", content=b"x" * 17_000_000, headers={"Content-Type": "application/json"}
    )
    assert big.status_code == 413
    assert site.records() == []


def test_a_thousand_alerts_in_one_message(site, sender):
    alerts = [sender.alert(labels={"instance": f"web-{n}"}, fingerprint=f"{n:08x}") for n in range(1_000)]
    assert sender.post(*alerts).json() == {"taken": 1_000, "known": 0}
    record = until(site.records)[0]
    assert "1000 alertas" in record.evidence
    assert len(json.dumps(record.evidence)) < 3_000
    assert len(site.records()) == 1
