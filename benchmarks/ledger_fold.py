"""Folding results into the ledger: results a second, against reading and decoding the same lines alone.

    python benchmarks/ledger_fold.py [HOURS]

The stream is what one probe of a two-SBC, two-core system sends: 8 signalling checks a second, with an outage of a
minute in every hour. `decode` is msgspec turning the same JSON into Result and parsing `at`; the ratio says what the
verdicts cost beyond reading. `live` is the engine that also says every change at once.
"""

import json
import sys
import time
from collections.abc import Iterator

import msgspec

from collector.engine import Engine
from collector.ledger.fold import Fold
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_602_800 * S
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": ["sip:192.0.2.2"], "primary": "core-b", "backup": "core-a"},
        },
        "probes": {"p1": {"network": "n"}},
    }
)


def lines(hours: int) -> Iterator[bytes]:
    """The recording, a line a result."""
    seq = 0
    for second in range(hours * 3600):
        broken = second % 3600 >= 1800 and second % 3600 < 1860
        for sbc in ("sbc-1", "sbc-2"):
            for check, core in (("edge", None), ("natural", None), ("options", "core-a"), ("options", "core-b")):
                seq += 1
                row = {"v": 1, "probe": "p1", "boot": "b", "seq": seq, "at": iso(T0 + second * S + seq % 8 * 1000)}
                row |= {"check": check, "sbc": sbc, "outcome": "ok", "rtt_seconds": 0.0123, "code": 200}
                if core is not None:
                    row["core"] = core
                if broken and core == "core-a":
                    row |= {"outcome": "failed", "reason": "timeout"}
                yield json.dumps(row).encode()


def main() -> None:
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    raw = list(lines(hours))
    decode = msgspec.json.Decoder(Result).decode

    began = time.perf_counter()
    for line in raw:
        decode(line).at_us  # noqa: B018  # what is measured
    reading = time.perf_counter() - began

    began = time.perf_counter()
    fold = Fold(TOPOLOGY)
    for line in raw:
        result = decode(line)
        fold.add(result, result.at_us)
    found = fold.intervals(T0, T0 + hours * 3600 * S)
    folding = time.perf_counter() - began

    engine = Engine(TOPOLOGY)
    began = time.perf_counter()
    changes = 0
    for line in raw[: len(raw) // 4]:
        result = decode(line)
        changes += len(engine.feed(result, result.at_us))
    live = time.perf_counter() - began

    count = len(raw)
    assert sum(one.state == "down" and one.kind == "core" for one in found) == hours
    print(f"decode       {count / reading:>12,.0f} results/s")
    print(f"ledger fold  {count / folding:>12,.0f} results/s   {folding / reading:.2f}× the time of decode alone")
    print(f"live engine  {count / 4 / live:>12,.0f} results/s   {changes} changes")
    month = 30 * 86_400 * 12
    print(f"a month of 12 checks a second ({month / 1e6:.1f} M results): {month * folding / count:,.0f} s")


if __name__ == "__main__":
    main()
