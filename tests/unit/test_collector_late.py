"""Late results from the store to the desk: noted, revised, one incident, one message; and in a replay."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from ledger_month import DAY, HOUR, Desk, S, commit, contract, empty_store, put_topology, samples, settings
from sqlalchemy import insert, select, text
from typer.testing import CliRunner

from alerting.desk import DeskMachine
from alerting.service import Desk as AlertingDesk
from collector import measure
from sereno.alarms import load_alarms
from sereno.cli.availability import app as availability
from sereno.cli.replay import app as replay
from sereno.clock import iso, parse_instant
from sereno.contract import load_contract
from sereno.desk import Desk as DeskFile
from sereno.store.desk import incidents
from sereno.store.queries.revisions import revisions
from sereno.store.tables import maintenance, outbox, verdict_changes
from sereno.topology import topology_from_json
from sereno.wire import encode

EVERY = 60 * S
GIVEN = settings(checks={"options": {"every": "60s", "timeout": "900ms"}})
T0 = parse_instant("2026-11-20T00:00:00Z")
OUTAGE = (T0 + 3 * HOUR + 600 * S, T0 + 3 * HOUR + 840 * S)
HIDDEN = (T0 + 3 * HOUR, T0 + 3 * HOUR + 1800 * S)
NOW = T0 + 6 * HOUR
ARRIVED = NOW + HOUR
SENT = f"enviados {iso(HIDDEN[0])} a {iso(HIDDEN[1] - EVERY)}, llegados {iso(ARRIVED + 20 * S)}"
CHANNELS = {"desk": {"webhook": "http://127.0.0.1/"}}
PEOPLE = DeskFile.model_validate(
    {"contract": "callmyway", "channels": CHANNELS, "people": {"desk": {"channels": ["desk"]}}}
)


@pytest.fixture
def store(any_store, monkeypatch):
    put_topology(any_store, GIVEN)
    monkeypatch.setattr(measure, "contracts_of", lambda _: contract(timezone="UTC"))
    return any_store


@pytest.fixture
def one_store(tmp_path, monkeypatch):
    opened = empty_store(tmp_path)
    put_topology(opened, GIVEN)
    monkeypatch.setattr(measure, "contracts_of", lambda _: contract(timezone="UTC"))
    yield opened
    opened.dispose()


def split():
    """What came in time, what lay in the spool."""
    every = samples(T0, NOW, EVERY, bad=[OUTAGE])
    return (
        [one for one in every if not HIDDEN[0] <= one.at_us < HIDDEN[1]],
        [one for one in every if HIDDEN[0] <= one.at_us < HIDDEN[1]],
    )


def poured(store):
    """The ledger was written, then the spool came."""
    in_time, spooled = split()
    commit(store, in_time)
    desk = Desk(store, contract(timezone="UTC"), T0)
    desk.work(NOW)
    with store.read() as connection:
        assert connection.execute(select(verdict_changes)).all() == []
    desk.work(ARRIVED)
    commit(store, spooled, ARRIVED + 20 * S)
    desk.heard(spooled)
    desk.work(ARRIVED + 30 * S)
    return desk


def attended(store, clock):
    machine = DeskMachine(topology_from_json(GIVEN), PEOPLE, {"callmyway": load_contract("callmyway")}, load_alarms())
    desk = AlertingDesk(store, machine, clock)
    while desk.round()[2]:
        pass
    desk.round()
    with store.read() as connection:
        return incidents(connection), connection.execute(select(outbox)).all()


def test_the_desk_hears_once_and_the_ledger_says_why(store, store_url):
    desk = poured(store)
    found, messages = attended(store, desk.clock)
    [record] = found
    assert (record.state, record.since_us, record.good_us) == ("resolved", *OUTAGE)
    assert record.clocks == ()
    assert [one.recipient for one in messages] == ["desk"]
    with store.read() as connection:
        notes = revisions(connection, T0, NOW, [("site", "hq")])
    assert [(one.was, one.became, one.from_us, one.to_us) for one in notes if one.became == "down"] == [
        ("unknown", "down", *OUTAGE)
    ]
    assert {one.note for one in notes} == {f"resultados tardíos de la sonda p1 (30), {SENT}"}
    window = ("--from", iso(T0), "--to", iso(NOW), "--scope", "site:hq", "--database", store_url)
    told = CliRunner().invoke(availability, [*window, "--json"])
    again = CliRunner().invoke(availability, [*window, "--json", "--recompute"])
    assert (told.exit_code, told.stdout) == (0, again.stdout)
    answer = json.loads(told.stdout)
    assert (answer["down_seconds"], answer["unknown_seconds"], answer["bound_seconds"]) == (240, 0, 60)
    assert ("unknown", "down") in {(one["was"], one["became"]) for one in answer["revisions"]}
    assert "revisado " in CliRunner().invoke(availability, list(window)).stdout
    desk.work(NOW + DAY)
    assert attended(store, desk.clock)[0][0].number == record.number
    assert len(attended(store, desk.clock)[1]) == 1


def test_an_hour_that_passed_without_a_word_was_unknown(one_store):
    """Everything of the third hour came hours later: the ledger had no rows of it, and says what it learnt."""
    every = samples(T0, NOW, EVERY, bad=[OUTAGE])
    commit(one_store, [one for one in every if one.at_us < T0 + HOUR or one.at_us >= T0 + 5 * HOUR])
    desk = Desk(one_store, contract(timezone="UTC"), T0)
    desk.work(NOW + HOUR)
    late = [one for one in every if T0 + HOUR <= one.at_us < T0 + 5 * HOUR]
    commit(one_store, late, NOW + HOUR)
    desk.heard(late)
    desk.work(NOW + HOUR)
    [record] = attended(one_store, desk.clock)[0]
    assert (record.since_us, record.good_us) == OUTAGE


def test_what_was_told_live_is_not_told_again(one_store):
    """On-time results of an outage: the ledger's first word about an hour is no revision."""
    commit(one_store, samples(T0, NOW, EVERY, bad=[OUTAGE]))
    desk = Desk(one_store, contract(timezone="UTC"), T0)
    desk.work(NOW)
    with one_store.read() as connection:
        assert revisions(connection, T0, NOW) == []
        assert connection.execute(select(verdict_changes)).all() == []


def test_announced_work_is_no_news(one_store):
    with one_store.write() as connection:
        connection.execute(
            insert(maintenance).values(
                scope_kind="service", scope_name="voz", from_us=HIDDEN[0], to_us=HIDDEN[1], announced_us=T0, who="ana",
                critical_fix=False, recorded_us=T0,
            )
        )  # fmt: skip
    desk = poured(one_store)
    assert attended(one_store, desk.clock) == ([], [])


def test_recompute_tells_where_the_ledger_differs(one_store):
    commit(one_store, samples(T0, NOW, EVERY, bad=[OUTAGE]))
    Desk(one_store, contract(timezone="UTC"), T0).work(NOW)
    with one_store.write() as connection:
        connection.execute(text("UPDATE ledger SET state = 'up' WHERE state = 'down' AND kind = 'site'"))
    window = ("--from", iso(T0), "--to", iso(NOW), "--scope", "site:hq", "--database", one_store.url, "--json")
    assert json.loads(CliRunner().invoke(availability, window).stdout)["down_seconds"] == 0
    found = CliRunner().invoke(availability, [*window, "--recompute"])
    assert found.exit_code == 1
    assert json.loads(found.stdout)["down_seconds"] == 240
    assert found.stderr.count("\n") == 1
    assert "site hq from 2026-11-20T03:10:00.000000Z to 2026-11-20T03:14:00.000000Z is up there" in found.stderr


TOPOLOGY = """\
service: voz
cores: {a: {uri: "sip:10.0.0.1"}}
sbcs: {sbc-1: {addresses: ["sip:192.0.2.1"], primary: a}}
customers: {acme: {name: A, contract: callmyway}}
sites: {hq: {customer: acme, sbcs: [sbc-1]}}
checks: {options: {every: 60s, timeout: 900ms}}
probes: {p1: {network: isp}}
"""


def played(tmp_path, lines, *options):
    (tmp_path / "t.yaml").write_text(TOPOLOGY)
    (tmp_path / "s.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return CliRunner().invoke(
        replay, [str(tmp_path / "s.ndjson"), "--topology", str(tmp_path / "t.yaml"), "--json", *options]
    )


def lines_of(arrived):
    found = []
    for one in samples(T0, NOW, EVERY, bad=[OUTAGE]):
        line = json.loads(encode(one))
        if HIDDEN[0] <= one.at_us < HIDDEN[1] and arrived is not None:
            line["arrived"] = iso(arrived)
        found.append(line)
    return found


def test_a_replay_of_a_spool(tmp_path):
    answer = json.loads(played(tmp_path, lines_of(T0 + 5 * HOUR)).stdout)
    [record] = [one for one in answer["incidents"] if one["class"] == "service"]
    assert (record["state"], record["since"], record["clocks"]) == ("resolved", iso(OUTAGE[0]), [])
    assert (record["opened"], record["resolved"]) == (iso(T0 + 5 * HOUR + 2 * S), iso(OUTAGE[1]))
    told = [one for one in answer["notifications"] if one["incident"] == record["number"]]
    assert told == [
        {
            "at": iso(T0 + 5 * HOUR + 2 * S),
            "incident": record["number"],
            "to": "desk",
            "what": "found_late",
            "channel": "desk",
            "page": False,
        }
    ]
    assert not {"service_down", "site_down"} & {one["alarm"] for one in answer["alarms"]}
    site = [(one["was"], one["became"]) for one in answer["revisions"] if one["kind"] == "site"]
    assert site == [("unknown", "up"), ("unknown", "down"), ("unknown", "up")]
    down = [one for one in answer["intervals"] if (one["kind"], one["state"]) == ("site", "down")]
    assert [(one["from"], one["to"]) for one in down] == [(iso(OUTAGE[0]), iso(OUTAGE[1]))]


def test_a_replay_in_time_has_nothing_to_revise(tmp_path):
    answer = json.loads(played(tmp_path, lines_of(None)).stdout)
    assert "revisions" not in answer
    assert "service_down" in {one["alarm"] for one in answer["alarms"]}


@pytest.mark.parametrize(
    ("arrived", "words"),
    [
        ("noon", "arrived: 'noon' is not an ISO 8601 instant"),
        (7, "arrived: "),
        (iso(T0 - S), "arrived before it was sent"),
    ],
)
def test_a_bad_arrival_is_one_line(tmp_path, arrived, words):
    lines = lines_of(None)[:3]
    lines[1]["arrived"] = arrived
    answer = played(tmp_path, lines)
    assert answer.exit_code != 0
    assert "s.ndjson:2" in str(answer.exception)
    assert words in str(answer.exception)


def test_answers_while_the_ledger_is_being_revised(store):
    """Four hours get their spool one after another; every answer knows whole hours only."""
    bad = [(T0 + hour * HOUR + 600 * S, T0 + hour * HOUR + 840 * S) for hour in range(1, 5)]
    every = samples(T0, NOW, EVERY, bad=bad)
    hidden = {hour: [one for one in every if 0 <= one.at_us - T0 - hour * HOUR < 1800 * S] for hour in range(1, 5)}
    late = {one.seq for some in hidden.values() for one in some}
    commit(store, [one for one in every if one.seq not in late])
    desk = Desk(store, contract(timezone="UTC"), T0)
    desk.work(ARRIVED)

    def pour():
        for some in hidden.values():
            commit(store, some, desk.clock.now_us())
            desk.heard(some)
            desk.work(desk.clock.now_us())

    unknown = 1800 * S + EVERY - 150 * S
    with ThreadPoolExecutor() as pool:
        pouring = pool.submit(pour)
        seen = set()
        while not pouring.done() or not seen:
            found = measure.measure(store, "site:hq", T0, NOW)
            seen.add((found.down_us // (240 * S), found.unknown_us // unknown))
            assert (found.down_us % (240 * S), found.unknown_us % unknown) == (0, 0)
        pouring.result()
    assert {down + hours for down, hours in seen} == {4}
    last = measure.measure(store, "site:hq", T0, NOW)
    assert (last.down_us, last.unknown_us) == (4 * 240 * S, 0)
