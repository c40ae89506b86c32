"""A broker that cannot be had or kept: one line a trouble, however often it comes, and longer and longer pauses."""

import asyncio
import gc
import logging

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from sereno.mqtt import Complaints, NotTakenError, connect, parse_broker, words

LOST = aiomqtt.MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, identifier=128), "Unexpected disconnection")


def refused():
    error = aiomqtt.MqttError("could not connect")
    error.__cause__ = ConnectionRefusedError(111, "refused")
    return error


class Bench:
    def __init__(self, caplog):
        caplog.set_level(logging.INFO)
        self.now, self.log = 1_000.0, caplog
        self.complaints = Complaints(logging.getLogger("trial"), "mqtt://b", now=lambda: self.now)

    def connection(self, seconds, error=LOST):
        self.complaints.connected()
        self.now += seconds
        self.complaints.lasting()
        pause = self.complaints.failed(error)
        self.now += pause
        return pause

    def lines(self, level):
        return [record.message for record in self.log.records if record.levelname == level]


@pytest.fixture
def bench(caplog):
    return Bench(caplog)


def test_a_connection_that_never_lasts_is_told_once_and_slows_down(bench):
    """Two probes of one name took a broker's connection from each other twenty times a second, two lines each."""
    pauses = [bench.connection(0.05) for _ in range(100)]
    assert pauses[0] < 0.1
    assert min(pauses[10:]) >= 3
    assert len(bench.lines("WARNING")) <= 3
    assert len(bench.lines("INFO")) <= 3
    assert "does another client use this name?" in bench.complaints.trouble
    assert bench.lines("WARNING")[-1].startswith("broker mqtt://b: it ends every connection within seconds: ")


def test_a_connection_that_lasts_ends_the_trouble_and_says_so(bench):
    for _ in range(5):
        bench.connection(0.05)
    bench.complaints.connected()
    bench.now += 20
    bench.complaints.lasting()
    assert bench.complaints.trouble is None
    assert "still after 20 s" in bench.lines("INFO")[-1]
    assert bench.complaints.failed(LOST) < 0.1, "this one lasted: back at once"


def test_a_broker_that_is_restarted_now_and_then_is_had_back_at_once(bench):
    for _ in range(6):
        assert bench.connection(1.0) < 0.5
        assert bench.complaints.failed(refused()) < 0.3
    assert bench.complaints.trouble is None


def test_a_connection_of_hours_that_is_lost_is_told_without_a_count(bench):
    bench.connection(7_200)
    assert bench.lines("WARNING") == ["broker mqtt://b: the connection was lost; connecting again"]


def test_what_is_refused_at_every_attempt_is_told_once_in_ten_minutes(bench):
    for _ in range(200):
        bench.now += bench.complaints.failed(refused())
    assert 1 <= len(bench.lines("WARNING")) <= 3
    assert "nobody listens there" in bench.lines("WARNING")[0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LOST, "the connection was lost"),
        (aiomqtt.MqttCodeError(4, "Could not publish message"), "the connection was lost"),  # paho: there is none
        (aiomqtt.MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, identifier=142)), "another client took this one's"),
        (aiomqtt.MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, identifier=149)), "no message of that size"),
        (aiomqtt.MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=135)), "it refuses the account"),
        (NotTakenError(135, "sereno/v1/status/p1"), "does not let this account speak on sereno/v1/status/p1"),
    ],
)
def test_the_reason_in_words(error, said):
    assert said in words(error)


def test_a_deadline_is_no_cancellation():
    error = TimeoutError()
    error.__cause__ = asyncio.CancelledError()
    assert words(error).startswith("no broker's answer in time")


def test_the_reason_behind_a_broken_iteration_is_found():
    error = aiomqtt.MqttError("Disconnected during message iteration")
    error.__cause__ = LOST
    assert words(error) == "the connection was lost"


def test_an_authority_that_went_bad_meanwhile_is_a_line_and_no_crash(tmp_path, monkeypatch):
    from probe_site import certificates

    from sereno.mqtt import CA_ENV, connect

    ca, _, _ = certificates(tmp_path / "tls")
    monkeypatch.setenv(CA_ENV, str(ca))
    broker = parse_broker("mqtts://b")
    ca.write_text("no longer")
    with pytest.raises(aiomqtt.MqttError) as told:
        connect(broker, "p1")
    assert "is unfit" in words(told.value)
    ca.unlink()
    with pytest.raises(aiomqtt.MqttError) as told:
        connect(broker, "p1")
    assert "No such file" in words(told.value)


def test_a_broker_that_answers_too_late_and_hangs_up_leaves_no_complaint_of_asyncio():
    """Nobody is left who would hear of the end of a connection that was given up; the log must not tell it either."""
    complaints = []

    async def late():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
        client = connect(parse_broker("mqtt://127.0.0.1:1883"), "trial")
        client._connected.set_result(None)
        client._on_disconnect(None, None, None, LOST.rc)
        del client
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(late())
    assert complaints == []
