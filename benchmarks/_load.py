"""A platform of many SBCs and what its probes send: whole batches as they travel, made from templates.

Every SBC of every probe each second: its edge, its natural view, and both forced paths, each at its own moment of the
second, which is another one for every probe (as hashes of their names would have it). Each second some paths begin
an outage that every probe sees, and some come back, so that verdicts change all the time.
"""

import random
from collections.abc import Iterator

import msgspec

from sereno.clock import iso
from sereno.topology import Topology, topology_from_json
from sereno.wire import VERSION, Result, encode

S = 1_000_000
T0 = 1_793_602_800 * S
CORES = ("core-a", "core-b")
_OUTAGE_SECONDS = 5
_BATCHES_A_SECOND = 10


def topology(sbcs: int, probes: int, sites: int = 0) -> Topology:
    """Two cores, so many SBCs, so many probes on five networks; `sites` of two SBCs each."""
    names = [f"sbc-{number:04d}" for number in range(sbcs)]
    found: dict[str, object] = {
        "service": "voz",
        "domain": "voz.example",
        "cores": {name: {"uri": f"sip:10.0.0.{number}"} for number, name in enumerate(CORES, 1)},
        "sbcs": {
            name: {
                "addresses": [f"sip:{_address(number)}"],
                "primary": CORES[number % 2],
                "backup": CORES[1 - number % 2],
            }
            for number, name in enumerate(names)
        },
        "checks": {name: {"every": "1s", "timeout": "900ms"} for name in ("edge", "natural", "options")},
        "probes": {f"probe-{number:02d}": {"network": f"isp-{number % 5}"} for number in range(probes)},
    }
    if sites:
        found["customers"] = {"acme": {"name": "Acme", "contract": "callmyway"}}
        found["sites"] = {
            f"site-{number:04d}": {
                "customer": "acme",
                "sbcs": [names[number * 2 % sbcs], names[(number * 2 + 1) % sbcs]],
                "failover": "auto",
            }
            for number in range(sites)
        }
    return topology_from_json(found)


class Load:
    """The stream of one platform; `second(n)` are the batches of its n-th second, in the order of sending."""

    def __init__(self, sbcs: int, probes: int, *, outages: int = 10, begin_us: int = T0) -> None:
        self.sbcs, self.probes, self.begin_us = sbcs, [f"probe-{number:02d}" for number in range(probes)], begin_us
        self._outages = outages
        self._per_second = sbcs * 4
        self._series = list(_series(sbcs))
        self._good: list[list[bytes]] = []
        self._bad: list[list[bytes]] = []
        self._order: list[list[int]] = []  # of each probe, whose turn it is in the course of a second
        for number in range(probes):
            order = random.Random(number).sample(range(len(self._series)), len(self._series))
            rows = [_tails(*self._series[one], place, len(order), number) for place, one in enumerate(order)]
            self._order.append(order)
            self._good.append([row[0] for row in rows])
            self._bad.append([row[1] for row in rows])

    @property
    def per_second(self) -> int:
        """Results a second, of all probes together."""
        return self._per_second * len(self.probes)

    def second(self, number: int) -> Iterator[tuple[str, bytes, int]]:
        """(probe, batch, how many results), a tenth of a second after another; probes side by side."""
        broken = self._broken(number)
        stamp = iso(self.begin_us + number * S)[:19].encode()
        size = -(-self._per_second // _BATCHES_A_SECOND)
        for low in range(0, self._per_second, size):
            high = min(low + size, self._per_second)
            for index, probe in enumerate(self.probes):
                for first in range(low, high, 500):
                    last = min(first + 500, high)
                    yield probe, self._batch(index, number, first, last, stamp, broken), last - first

    def _batch(self, index: int, second: int, low: int, high: int, stamp: bytes, broken: frozenset[int]) -> bytes:
        probe, boot = self.probes[index].encode(), b"%016x" % index
        head = b'{"v":1,"probe":"%b","boot":"%b","seq":' % (probe, boot)
        good, bad, order = self._good[index], self._bad[index], self._order[index]
        base = second * self._per_second + 1
        rows = [
            b'%b%d,"at":"%b%b' % (head, base + place, stamp, (bad if order[place] in broken else good)[place])
            for place in range(low, high)
        ]
        first = base + low
        oldest = max(1, first - 2 * self._per_second)
        return b'{"v":1,"probe":"%b","boot":"%b","first":%d,"oldest":{"%b":%d},"results":[%b]}' % (
            probe, boot, first, boot, oldest, b",".join(rows),
        )  # fmt: skip

    def _broken(self, second: int) -> frozenset[int]:
        """Places of the series that fail: paths, taken in turn."""
        found = set()
        for began in range(max(0, second - _OUTAGE_SECONDS + 1), second + 1):
            for number in range(self._outages):
                sbc = (began * self._outages + number) * 37 % self.sbcs
                found.add(sbc * 4 + 2 + began % 2)
        return frozenset(found)


def _series(sbcs: int) -> Iterator[tuple[str, str, str, str | None]]:
    for number in range(sbcs):
        sbc, address = f"sbc-{number:04d}", f"sip:{_address(number)}"
        yield "edge", sbc, address, None
        yield "natural", sbc, address, None
        for core in CORES:
            yield "options", sbc, address, core


def _tails(
    check: str, sbc: str, address: str, core: str | None, place: int, of: int, probe: int
) -> tuple[bytes, bytes]:
    """What follows the second of `at`, of a good and of a failed result."""
    rtt = 0.010 + place % 97 / 10_000 + probe / 1_000
    common = {"v": VERSION, "probe": "p", "boot": "b", "seq": 1, "at": iso(place * S // of)}
    common |= {"check": check, "sbc": sbc, "core": core, "address": address, "transport": "udp"}
    good = common | {"outcome": "ok", "code": 200, "phrase": "OK", "answered_by": "core" if core else "sbc"}
    good |= {"answered_core": core, "duration_seconds": rtt + 0.0001, "rtt_seconds": rtt}
    bad = common | {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}
    bad |= {"evidence": {"canaries": {"tcp:192.0.2.7:443": True, "sip:203.0.113.5": True}}}
    return _tail(good), _tail(bad)


def _tail(values: dict[str, object]) -> bytes:
    return encode(msgspec.convert(values, Result)).partition(b'"at":"1970-01-01T00:00:00')[2]


def _address(number: int) -> str:
    return f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}"
