"""The E-model over arrays against the same function row by row. Prints a ratio: how many times faster.

python benchmarks/emodel.py [--rows N]
"""

import argparse
import time

import numpy as np

from probes.media.emodel import Connection, rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    count = parser.parse_args().rows
    rng = np.random.default_rng(1)
    loss, delay = rng.uniform(0, 20, count), rng.uniform(0, 500, count)

    begin = time.perf_counter()
    together = rate(Connection(Ppl=loss, Ta=delay, Bpl=25.1)).mos
    vectorised = time.perf_counter() - begin

    begin = time.perf_counter()
    single = [float(rate(Connection(Ppl=a, Ta=b, Bpl=25.1)).mos) for a, b in zip(loss, delay, strict=True)]
    looped = time.perf_counter() - begin

    assert np.allclose(together, single, rtol=0, atol=1e-12)
    print(f"rows {count}")
    print(f"vectorised {vectorised / count * 1e9:.0f} ns/row")
    print(f"row by row {looped / count * 1e9:.0f} ns/row")
    print(f"ratio {looped / vectorised:.1f} (row by row / vectorised)")


if __name__ == "__main__":
    main()
