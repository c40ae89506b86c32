"""The broker: reached, by this account, in MQTT 5; and an account may say only what is its own."""

import asyncio
import os
from collections.abc import Iterator

import msgspec

from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

_VERSION = 132  # MQTT 5, 3.2.2.2: Unsupported Protocol Version
_OLD_REFUSAL = 1  # MQTT 3.1.1, 3.2.2.3: unacceptable protocol version
_SECONDS = 4.0
_NOBODYS = "sereno/v1/doctor/{pid}"  # a topic that nobody reads and no account of ours may write


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """What came of three attempts: as the collector, without a name, and saying what nobody may say."""

    where: str
    fault: str | None = None
    silent: bool = False  # somebody listens, and says nothing
    refused: bool = False
    old: bool = False  # it does not speak MQTT 5
    anonymous: bool = False
    may_acknowledge: bool = True
    unlimited: bool = False


def look(patient: Patient) -> Met:
    """Connects as the collector would, under a name of its own; what it says nobody hears."""
    from sereno.mqtt import Broker, parse_broker

    running = patient.instance()
    if patient.asked.broker is not None:
        broker = parse_broker(patient.asked.broker)
    elif running is not None:
        try:
            password = patient.secret_of("collector").read_text().strip()
        except OSError as error:
            raise CannotLookError("the collector's password for the broker cannot be read ({why})",
                                  "run the doctor as the user that Sereno runs as",
                                  why=error.strerror or "") from None  # fmt: skip
        broker = Broker(
            host="127.0.0.1", port=running.ports["broker"], tls=False, username="collector", password=password
        )
    else:
        raise CannotLookError("no broker runs here", "start `sereno up`, or name one with --broker "
                              "mqtts://collector@HOST:8883 (password in $SERENO_BROKER_PASSWORD_FILE)")  # fmt: skip
    return asyncio.run(_meet(broker))


async def _meet(broker: object) -> Met:
    from msgspec.structs import replace

    from sereno.mqtt import Broker

    assert isinstance(broker, Broker)  # noqa: S101  # imported late: MQTT is not loaded for who asks of files
    met = await _as_ourselves(broker)
    if met.fault is not None or met.old:
        return met
    nobody = msgspec.structs.replace(broker, username=None, password=None)
    return replace(met, anonymous=broker.username is not None and await _lets_in(nobody))


async def _as_ourselves(broker: object) -> Met:
    import aiomqtt

    from sereno import mqtt

    assert isinstance(broker, mqtt.Broker)  # noqa: S101
    try:
        async with asyncio.timeout(_SECONDS), mqtt.connect(broker, f"sereno-doctor-{os.getpid()}") as client:
            may = await _may_say(client, "sereno/v1/acks/sereno.doctor")
            unlimited = broker.username is not None and await _may_say(client, _NOBODYS.format(pid=os.getpid()))
    except (aiomqtt.MqttError, TimeoutError, OSError) as error:
        old = mqtt.code_of(error) in {_VERSION, _OLD_REFUSAL}
        return Met(
            where=broker.shown, fault=mqtt.words(error), old=old, silent=isinstance(error, TimeoutError),
            refused=mqtt.refused(error),
        )  # fmt: skip
    return Met(where=broker.shown, may_acknowledge=may, unlimited=unlimited)


async def _may_say(client: object, topic: str) -> bool:
    """A word of no meaning, kept by nobody."""
    from sereno import mqtt

    assert isinstance(client, mqtt.Client)  # noqa: S101
    try:
        await client.say(topic, b"{}")
    except mqtt.NotTakenError:
        return False
    return True


async def _lets_in(broker: object) -> bool:
    import aiomqtt

    from sereno import mqtt

    assert isinstance(broker, mqtt.Broker)  # noqa: S101
    try:
        async with asyncio.timeout(_SECONDS), mqtt.connect(broker, f"sereno-doctor-{os.getpid()}-nobody"):
            return True
    except (aiomqtt.MqttError, TimeoutError, OSError):
        return False


def judge(met: Met) -> Iterator[Finding]:
    """Unreached first; then who may say what."""
    if met.old:
        yield broken("the broker does not speak MQTT 5", "use Mosquitto 2, EMQX or VerneMQ, or switch version 5 on",
                     met.where)  # fmt: skip
        return
    if met.silent:
        yield broken("the broker does not answer in time", "it hangs, or is none: look at its log and start it again, "
                     "and look at the port and at mqtt:// or mqtts://", met.where)  # fmt: skip
        return
    if met.refused:
        yield broken("the broker refuses the account", "look at the user in --broker and at "
                     "$SERENO_BROKER_PASSWORD_FILE; the accounts of `sereno up` are made anew when it starts again",
                     met.where)  # fmt: skip
        return
    if met.fault is not None:
        yield broken("the broker cannot be had: {why}", "sereno's log names the same; mend it there, then ask again",
                     met.where, why=met.fault)  # fmt: skip
        return
    if not met.may_acknowledge:
        yield broken(
            "the broker does not let the collector acknowledge: probes keep everything and send it again and again",
            "give the account write on sereno/v1/acks/# and sereno/v1/topology/# (deploy/mosquitto/sereno.acl)",
            met.where,
        )  # fmt: skip
    if met.anonymous:
        yield warning("the broker lets anybody in without a name", "allow_anonymous false", met.where)
    if met.unlimited:
        yield warning(
            "the broker has no access list: any account may speak for any probe",
            "acl_file, as in deploy/mosquitto/sereno.acl", met.where,
        )  # fmt: skip
    if met.may_acknowledge and not met.anonymous and not met.unlimited:
        yield ok("reached, MQTT 5, each account on its own topics", met.where)


QUESTION = Question(name="broker", title="Broker", look=look, judge=judge)
