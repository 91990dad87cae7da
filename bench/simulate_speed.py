"""Print how many calls a second the laboratory simulates, on one core and without writing them.

python bench/simulate_speed.py [scenario] [calls]
"""

from __future__ import annotations

import resource
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.scenario import scenario_named
from stillwatch.lab.world import simulate


def main(scenario: str = "bench", calls: str = "500000") -> None:
    pa.set_cpu_count(1)
    begun, busy = time.perf_counter(), time.process_time()
    world = simulate(scenario_named(scenario), 0, int(calls))
    settled = time.perf_counter() - begun
    rows = organised = size_bytes = text_bytes = 0
    for chunk in world.chunks():
        rows += chunk.events.num_rows
        organised += chunk.truth.num_rows
        size_bytes += chunk.events.nbytes
        text_bytes += pc.sum(pc.binary_length(chunk.events["input_text"])).as_py() or 0
    busy = time.process_time() - busy
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(
        f"scenario {scenario}: {rows:,} calls of {world.accounts_count:,} accounts, {organised / rows:.1%} of campaigns"
    )
    print(f"settling the population took {settled:.1f} s")
    print(f"{rows / busy:,.0f} calls a second of processor time")
    print(f"{text_bytes / rows:.0f} bytes of prompt and {size_bytes / rows:.0f} bytes in all for each call")
    print(f"peak memory {peak_mb:,.0f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
