"""R and MOS, listening and conversational, of a million (loss, delay) pairs at once, narrowband and wideband.

The peer is a plain Python loop of the same formulas over the first of those pairs, in the same run: the ratio says how
many times faster a row is in an array. `full` gives every input of G.107 to the model for each row, not two.

python benchmarks/emodel.py [--rows N] [--peer-rows N]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from probes.media import emodel, wideband
from probes.media.codecs import CodecRow, row_for
from probes.media.emodel import Connection, rate
from probes.media.windows import rate_windows


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """The best of three runs, and what it gave."""
    best, result = float("inf"), None
    for _ in range(3):
        begin = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begin)
    return best, result


def _one(row: CodecRow, loss: float, delay: float) -> tuple[float, float, float, float]:
    """One pair in plain Python: what `rate_windows` does to arrays."""
    wide = row.scale == "wideband"
    listening = (wideband.RO if wide else emodel.BASE_R) - emodel.ie_eff(row.ie, row.bpl or 1.0, loss)
    talking = listening - (wideband.pure_delay(delay) if wide else emodel.pure_delay(delay))
    mos = wideband.mos_of_r if wide else emodel.mos_of_r
    return listening, mos(listening), talking, mos(talking)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=20_000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    loss, delay = rng.uniform(0, 20, arguments.rows), rng.uniform(0, 500, arguments.rows)
    few = list(zip(loss[: arguments.peer_rows].tolist(), delay[: arguments.peer_rows].tolist(), strict=True))

    print(f"rows {arguments.rows}, of the peer {len(few)}")
    for codec in ("G711", "AMR-WB-12.65-diotic"):
        row = row_for(codec, plc=True)
        array, many = _seconds(lambda row=row: rate_windows(row, loss_percent=loss, delay_ms=delay))
        loop, single = _seconds(lambda row=row: [_one(row, a, b) for a, b in few])
        together = np.column_stack([many.r_lq, many.mos_lq, many.r_cq, many.mos_cq])[: len(few)]
        assert np.allclose(together, single, rtol=0, atol=1e-9)
        _print(codec, array / len(loss), loop / len(few), array)

    inputs = {name: np.full(arguments.rows, value) for name, value in vars(Connection()).items()}
    array, full = _seconds(lambda: rate(Connection(**{**inputs, "Ppl": loss, "Ta": delay})).mos)
    loop, single = _seconds(lambda: [rate(Connection(Ppl=a, Ta=b)).mos for a, b in few])
    assert np.allclose(full[: len(few)], single, rtol=0, atol=1e-9)
    _print("full", array / len(loss), loop / len(few), array)


def _print(name: str, array: float, loop: float, seconds: float) -> None:
    print(
        f"{name}: {seconds:.3f} s in arrays, {array * 1e9:.0f} ns/row; plain Python loop {loop * 1e9:.0f} ns/row; "
        f"ratio {loop / array:.1f} (loop / arrays)"
    )


if __name__ == "__main__":
    main()
