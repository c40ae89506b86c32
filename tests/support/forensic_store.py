"""A store with a story in it: a core freezes for twenty seconds, everybody writes down what they saw of it."""

import msgspec
from alerting_bench import topology
from sqlalchemy import insert

from sereno.clock import SECOND_US, iso, parse_instant
from sereno.incident import Element, IncidentRecord, Symptom, encode_record
from sereno.store import tables
from sereno.store.results import insert_results
from sereno.topology import canonical_json, topology_hash
from sereno.wire import Result

S = SECOND_US
T0 = parse_instant("2026-11-21T15:00:00Z")
TOPOLOGY = """
service: voz
timezone: America/Costa_Rica
cores: {core-a: {uri: "sip:10.8.0.1"}, core-b: {uri: "sip:10.8.0.2"}}
sbcs:
  sbc-1: {addresses: ["sip:198.51.100.11:5060"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:198.51.100.12:5060"], primary: core-b, backup: core-a}
customers: {acme: {name: Acme, contract: callmyway}}
sites: {p: {customer: acme, sbcs: [sbc-1, sbc-2]}}
checks: {edge: {every: 1s, timeout: 900ms}, options: {every: 1s, timeout: 900ms}}
probes: {bog-1: {network: isp-etb}, bog-2: {network: isp-claro}}
"""
PATHS = ("sbc-1/core-a", "sbc-1/core-b", "sbc-2/core-a", "sbc-2/core-b")
PROBES = ("bog-1", "bog-2")
DOWN = (60, 80)  # seconds after T0 in which core-a answers nobody


def asked(path, probe, call_id, *, cseq="1 OPTIONS", transport="UDP", own="203.0.113.7:40001"):
    """A request of ours, as evidence keeps it."""
    core = {"core-a": "10.8.0.1", "core-b": "10.8.0.2"}[path.partition("/")[2]]
    return (
        f"{cseq.split()[1]} sip:{core} SIP/2.0\r\nVia: SIP/2.0/{transport} {own};branch=z9hG4bK{call_id};rport\r\n"
        f"From: <sip:{probe}@probe.invalid>;tag=1\r\nTo: <sip:{core}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )


def answered(request, status):
    """An answer to it."""
    return f"SIP/2.0 {status}\r\n" + request.split("\r\n", 1)[1]


def result(path, probe, at_us, seq, *, check="options", boot=None, **more):
    sbc, _, core = path.partition("/")
    more.setdefault("outcome", "ok")
    more.setdefault("address", f"sip:198.51.100.1{sbc[-1]}:5060")
    return Result(
        v=1, probe=probe, boot=boot or f"b{probe[-1]}00d", seq=seq, at=iso(at_us), check=check, sbc=sbc or None,
        core=core or None, **more,
    )  # fmt: skip


def failure(path, probe, at_us, seq, **more):
    request = asked(path, probe, f"{probe}-{seq}")
    evidence = {
        "messages": [
            {"at": iso(at_us), "direction": "sent", "text": request},
            {"at": iso(at_us + 500_000), "direction": "sent", "repeats": 0},
        ]
    }
    more.setdefault("evidence", evidence)
    return result(path, probe, at_us, seq, outcome="failed", reason="timeout", answered_by="none", **more)


def put(store, results, arrived_us=None):
    """Results into the store."""
    newest = max((one.at_us for one in results), default=0) + 20_000
    with store.write() as connection:
        insert_results(connection, results, newest if arrived_us is None else arrived_us)


def accept(store, from_us=0, text=TOPOLOGY):
    watched = topology(text)
    with store.write() as connection:
        connection.execute(
            insert(tables.topologies).values(
                from_us=from_us, hash=topology_hash(watched), topology=canonical_json(watched), desk=None
            )
        )
    return watched


def story(store, seconds=120):
    """Two probes, four paths and two edges, a second apart; core-a frozen in DOWN; what was said and done about it."""
    watched = accept(store)
    results, seq = [], 0
    for second in range(seconds):
        for number, probe in enumerate(PROBES):
            for place, path in enumerate((*PATHS, "sbc-1", "sbc-2")):
                seq += 1
                at_us = T0 + second * S + place * 100_000 + number * 50_000
                check = "options" if "/" in path else "edge"
                if path.endswith("core-a") and DOWN[0] <= second < DOWN[1]:
                    results.append(failure(path, probe, at_us, seq))
                else:
                    results.append(result(path, probe, at_us, seq, check=check, rtt_seconds=0.001 + place / 10_000))
    with store.write() as connection:
        insert_results(connection, results, T0 + seconds * S)
    _said(store)
    return watched


def _said(store):
    down, up = T0 + DOWN[0] * S, T0 + DOWN[1] * S
    with store.write() as connection:
        for kind, name in (("path", "sbc-1/core-a"), ("path", "sbc-2/core-a"), ("core", "core-a")):
            change(connection, kind, name, "up", T0 - 600 * S, T0 - 600 * S)
            facts = {"voters": {"bog-1": {"options": "down"}}, "results": [["bog-1", "b100d", 721]]}
            change(connection, kind, name, "down", down, down + 2 * S, reason="timeout", facts=facts)
            change(connection, kind, name, "up", up, up + 1 * S)
        change(connection, "site", "p", "true", down, down + 2 * S, what="redundancy_lost")
        incident(connection, 1, "core", "core-a", down, resolved_us=up)
        lines = ((down + 3 * S, "abierto: Núcleo core-a caído (Alta S2)", "sereno"),
                 (down + 9 * S, "reconocido: voy", "ana"), (up + 2 * S, "resuelto", "sereno"))  # fmt: skip
        for at_us, what, who in lines:
            connection.execute(insert(tables.incident_timeline).values(number=1, at_us=at_us, what=what, who=who))
        message = {"subject": "[Alta S2] Incidente 1: Núcleo core-a caído", "address": "https://hooks.example/SECRET"}
        connection.execute(
            insert(tables.outbox).values(
                key="1/opened/ana", incident=1, channel="hook", recipient="ana", created_us=down + 3 * S,
                due_us=down + 3 * S, message=msgspec.json.encode(message).decode(), state="sent", attempts=1,
                handed_us=down + 3 * S + 200_000, receipt="204",
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.maintenance).values(
                scope_kind="core", scope_name="core-a", from_us=T0 + 50 * S, to_us=T0 + 100 * S,
                announced_us=T0 - 900 * S, critical_fix=False, who="leo", recorded_us=T0 - 900 * S,
            )
        )  # fmt: skip
        connection.execute(insert(tables.isolations).values(sbc="sbc-1", from_us=T0 + 90 * S, who="leo"))
        for at_us, state, boot in ((T0 - 60 * S, "online", "b100d"), (T0 + 110 * S, "offline", None),
                                   (T0 + 111 * S, "online", "b1next")):  # fmt: skip
            connection.execute(
                insert(tables.probe_events).values(probe="bog-1", state=state, boot=boot, at_us=at_us, body="{}")
            )
        connection.execute(
            insert(tables.quarantine).values(
                probe="bog-2", boot="b200d", seq=9, arrived_us=T0 + 70 * S, why="unknown version 9", payload="{}"
            )
        )
        connection.execute(insert(tables.leaderships).values(epoch=2, holder="m2~1/7/9", from_us=T0 + 66 * S, after=""))
        for state, begin, end, by in (("up", 0, 60, None), ("unknown", 60, 80, 3), ("down", 60, 80, None)):
            connection.execute(
                insert(tables.ledger).values(
                    kind="path", name="sbc-1/core-a", state=state, from_us=T0 + begin * S, to_us=T0 + end * S,
                    reason="timeout" if state == "down" else None, interval_us=S, written_us=T0 + 4_000 * S,
                    superseded_by=by,
                )
            )  # fmt: skip
        connection.execute(
            insert(tables.ledger_revisions).values(
                noted_us=T0 + 4_000 * S, kind="path", name="sbc-1/core-a", from_us=down, to_us=up, was="unknown",
                became="down", note="20 results came late",
            )
        )  # fmt: skip


def change(connection, kind, name, state, since_us, at_us, *, what="verdict", reason=None, facts=None):
    connection.execute(
        insert(tables.verdict_changes).values(
            kind=kind, name=name, what=what, state=state, since_us=since_us, at_us=at_us, reason=reason,
            facts=msgspec.json.encode(facts or {}).decode(),
        )
    )  # fmt: skip


def incident(connection, number, kind, name, since_us, *, resolved_us=None):
    record = IncidentRecord(
        number=number, state="resolved" if resolved_us else "open", class_="service", priority="Alta",
        priority_peak="Alta", severity="S2", cause=Element(kind, name), title="Núcleo core-a caído",
        since_us=since_us, opened_us=since_us + 3 * S, resolved_us=resolved_us,
        symptoms=(Symptom(kind="path", name="sbc-1/core-a", alarm="path_down"),),
    )  # fmt: skip
    connection.execute(
        insert(tables.incidents).values(
            number=number, state=record.state, **{"class": "service"}, priority="Alta", cause_kind=kind,
            cause_name=name, since_us=since_us, opened_us=since_us + 3 * S, resolved_us=resolved_us, version=1,
            body=encode_record(record),
        )
    )  # fmt: skip


def messages_of_call(at_us):
    """The messages of a call that was answered and ended well."""
    invite = asked("sbc-1/core-a", "bog-1", "call", cseq="1 INVITE")
    bye = asked("sbc-1/core-a", "bog-1", "call", cseq="2 BYE")
    told = ((0, "sent", invite), (20, "received", answered(invite, "200 OK")), (4_000, "sent", bye),
            (4_010, "received", answered(bye, "200 OK")))  # fmt: skip
    return [{"at": iso(at_us + ms * 1_000), "direction": direction, "text": text} for ms, direction, text in told]
