"""`python -m tests.soak.scanner_time`: measure the processor time of each scanner of received bytes for inputs of 1×,
2× and 4× a size.

`tests/tidy/test_scanners.py` checks the same in each `make test` by counting work; this script also measures the time
inside C functions. An input of twice the size may take 2.5 times as long: twice, and a margin for the caches of a
shared machine. The shortest of several runs counts, in processor time of this thread.

If an input of twice the size takes longer than that, the sizes are doubled once and measured again. The reason is that
the smaller input may be below a limit and the larger one above it, so that the two are rejected by different checks.
"""

import gc
import sys
import time
from contextlib import suppress

from rich.console import Console
from rich.table import Table

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from tests.tidy.test_scanners import REFUSALS, SCANNERS, Scan

DOUBLED_MAX = 2.5
RUNS = 5
RUN_S_MIN = 0.01
"""Runs are repeated until they take this long together, so that the timer's resolution does not matter."""


def seconds_of(size: int, scan: Scan) -> float:
    """Return the shortest processor time for scanning an input of this size, in seconds."""
    read = scan(size)

    def timed(count: int) -> float:
        begun_s = time.thread_time()
        for _ in range(count):
            with suppress(*REFUSALS):
                read()
        return time.thread_time() - begun_s

    count = 1
    while timed(count) < RUN_S_MIN:
        count *= 4
    return min(timed(count) for _ in range(RUNS)) / count


def doublings(size: int, scan: Scan) -> tuple[float, float, float]:
    """Return the seconds for the size, the ratio of 2× to 1× the size, and the ratio of 4× to 2×."""
    once, twice, four = (seconds_of(size * times, scan) for times in (1, 2, 4))
    return once, twice / once, four / twice


def main() -> int:
    table = Table(title="processor time of scanners")
    for column in ("scanner", "size", "1×, µs", "2×", "4×"):
        table.add_column(column, justify="left" if column == "scanner" else "right")
    # A garbage collection takes 3 ms here, and would start only with inputs that create enough objects.
    gc.disable()
    slow = []
    for name, (size, scan) in SCANNERS.items():
        found = doublings(size, scan)
        if max(found[1:]) > DOUBLED_MAX:
            size *= 2
            found = doublings(size, scan)
            slow += [name] if max(found[1:]) > DOUBLED_MAX else []
        table.add_row(name, f"{size:,}", f"{found[0] * 1e6:,.0f}", f"{found[1]:.2f}", f"{found[2]:.2f}")
    Console(width=120).print(table)
    for name in slow:
        sys.stderr.write(f"{name}: a doubled input takes more than {DOUBLED_MAX} times as long\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
