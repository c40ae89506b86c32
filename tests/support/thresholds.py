"""The threshold engine told results second by second, without a desk."""

from collector.engine import Engine
from sereno.alarms import load_alarms
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.verdict import VERDICT
from sereno.wire import Result, Status

S = 1_000_000
HOUR = 3_600 * S
T0 = 1_793_602_800 * S  # a whole hour
ALARMS = load_alarms()
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": ["sip:192.0.2.2"], "primary": "core-b", "backup": "core-a"},
        },
        "customers": {"acme": {"name": "Acme", "contract": "callmyway"}},
        "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}},
        "accounts": {"m1": {"user": "1", "realm": "x", "password": {"env": "X"}}},
        "checks": {"options": {"every": "1s", "timeout": "900ms"}},
        "probes": {"p": {"network": "n"}, "lan": {"network": "m", "vantage": "inside"}},
        "traffic": {"sbc-1": {"prometheus": "http://127.0.0.1:9", "registered": "x"}},
    }
)


class Told:
    """What is said, second by second."""

    def __init__(self, topology=TOPOLOGY, alarms=ALARMS):
        self.engine, self.seq, self.now_us = Engine(topology, {}, T0, alarms), 0, T0
        self.true, self.changes = {}, []

    def at(self, second, check, late=0.0, **fields):
        """A result sent at a second of the stream, in a little later."""
        self.seq += 1
        at_us = T0 + round(second * S)
        said = {"probe": "p", "outcome": "ok", "sbc": "sbc-1", "core": "core-a"} | fields
        result = Result(v=1, boot="b", seq=self.seq, at=iso(at_us), check=check, **said)
        self.now_us = max(self.now_us, at_us + round((late or 0.01) * S))
        return self.take(self.engine.feed_all([(result, at_us)], self.now_us))

    def take(self, changes):
        for change in changes:
            if change.what not in {VERDICT, "probe_lost", "monitor_blind"}:
                self.changes.append(change)
                key = (change.what, change.kind, change.name)
                self.true.pop(key, None)
                if change.state == "true":
                    self.true[key] = change
        return self

    def says(self, what, kind="sbc", name="sbc-1"):
        return (what, kind, name) in self.true


def calls(told, begin, count, every=20, **fields):
    for place in range(count):
        told.at(begin + place * every, "call", late=1.0, account="m1", setup_seconds=0.2, **fields)
    return begin + count * every


def options(told, begin, count, bad=lambda _place: {}):
    for place in range(count):
        told.at(begin + place, "options", **({"rtt_seconds": 0.02, "retransmissions": 0} | bad(place)))
    return begin + count


def media(**stream):
    return {"codec": "PCMA", "media": {"rx": {"codec": "PCMA"} | stream}}


def status(told, second, **fields):
    said = Status(v=1, probe="p", state="online", boot="b", **fields)
    told.take(told.engine.status(said, T0 + round(second * S)))


def ring(told, begin, count, every=20, bad=lambda _place: {}):
    """A call every so often; `bad` says what is different."""
    for place in range(count):
        fields = {"setup_seconds": 0.2} | bad(place)
        told.at(begin + place * every, "call", late=1.0, account="m1", **fields)
    return begin + count * every
