"""Alternating runs of our code and of its reference, and the ratio of their rates.

They alternate because a shared machine is up to twice as fast in one minute as in the next: a rate alone means little,
but a ratio of two neighbouring runs is stable. The first pair is a warm-up and is not counted. The other files of this
folder contain the measured code.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a run that has to prepare something before it measures, and therefore measures its own time."""

    units: int
    elapsed_s: float


Run = Callable[[], int | Done]
"""A function that does its work once and returns the number of units done (observations, APDUs, …)."""

SECONDS_MIN = 0.4
"""A run shorter than this is repeated within one timing, so that the timer's resolution does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One benchmark, a line of the table.

    `prepare` returns two functions, which run our code and the reference; each function can be called any number of
    times.
    """

    name: str
    unit: str
    reference_is: str
    prepare: Callable[[], tuple[Run, Run]]
    runs: int = 5
    swap: bool = False
    """Every second pair runs the reference first, so that a machine that becomes slower favours neither side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The result of a benchmark.

    `value` and `reference` are medians in `unit`; `ratio` is the median of the ratios of neighbouring runs; `spread` is
    the lowest and the highest value of our runs. `reference` and `ratio` are None for a figure without a reference.
    `limit` is the highest `value` that an issue allows; None where it names none.
    """

    name: str
    value: float
    unit: str
    reference: float | None
    reference_is: str
    ratio: float | None
    spread: tuple[float, float]
    runs: int
    limit: float | None = None

    @property
    def exceeds_limit(self) -> bool:
        return self.limit is not None and self.value > self.limit


def plain_figure(
    name: str, unit: str, value: float, spread: tuple[float, float], *, limit: float | None = None
) -> Figure:
    """Return the figure of one run without a reference."""
    return Figure(
        name=name,
        value=value,
        unit=unit,
        reference=None,
        reference_is="–",
        ratio=None,
        spread=spread,
        runs=1,
        limit=limit,
    )


def rate_per_s(run: Run) -> float:
    units, elapsed_s = 0, 0.0
    while elapsed_s < SECONDS_MIN:
        begun_s = time.perf_counter()
        done = run()
        if isinstance(done, int):
            done = Done(done, time.perf_counter() - begun_s)
        units += done.units
        elapsed_s += done.elapsed_s
    return units / elapsed_s


def _pair(ours: Run, reference: Run, *, swap: bool) -> tuple[float, float]:
    """Return our rate and that of the reference. With `swap` the reference runs first."""
    if swap:
        second = rate_per_s(reference)
        return rate_per_s(ours), second
    return rate_per_s(ours), rate_per_s(reference)


def measure(bench: Bench) -> Figure:
    ours, reference = bench.prepare()
    ours()
    reference()
    pairs = [_pair(ours, reference, swap=bench.swap and number % 2 == 1) for number in range(bench.runs)]
    values = [pair[0] for pair in pairs]
    return Figure(
        name=bench.name,
        value=statistics.median(values),
        unit=bench.unit,
        reference=statistics.median(pair[1] for pair in pairs),
        reference_is=bench.reference_is,
        ratio=statistics.median(a / b for a, b in pairs),
        spread=(min(values), max(values)),
        runs=bench.runs,
    )
