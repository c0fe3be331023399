"""Compare the benchmarks of two checkouts: `python -m tests.bench.compare OLD NEW`.

It runs `make bench` in both checkouts alternately. For each figure it prints the median ratio of our rate to the
reference's rate, once for `OLD` and once for `NEW`. The speed of a shared machine changes over minutes, so the
checkouts alternate and never run at the same time. A figure has fallen if its median ratio is more than five per cent
lower and the two intervals (lowest to highest run) do not overlap; the exit code is 1 if any has fallen. Latencies have
no reference, and a lower latency is better. Figures with a limit of their own (`EXEMPT`) are compared with that limit
instead: the exit code is 1 if the median of `NEW` exceeds it.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

FALL_MAX = 0.05
"""A fall of a median ratio above this is a defect. Two runs of one commit can differ by less."""

EXEMPT = (
    "latency.device_to_cloud.events",
    "latency.device_to_cloud.live",
    "latency.device_to_cloud.waveforms",
)
"""Figures that may get worse up to a limit of their own, a p99 of 100 ms and of 1.3 s: a batch takes values for a
second on purpose, and that second is most of the latency of live values."""

Figures = dict[str, list[float]]
Limits = dict[str, float]


def results_of(tree: Path, only: str) -> list[dict[str, Any]]:
    """Run the benchmarks of the checkout `tree` once; return its results."""
    out = tree / "bench.json"
    subprocess.run(
        [".venv/bin/python", "-m", "tests.bench", *(["--only", only] if only else []), "--out", str(out)],
        cwd=tree,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    results: list[dict[str, Any]] = json.loads(out.read_text())["results"]
    return results


def figures_of(results: list[dict[str, Any]]) -> dict[str, float]:
    """Map the name of each figure to its ratio. A latency has no ratio, so its name is mapped to 1 / latency: a higher
    number is better for every figure."""
    return {result["name"]: result["ratio"] or 1 / result["value"] for result in results if result["value"]}


def limits_of(results: list[dict[str, Any]]) -> Limits:
    """Map the name of each exempt figure to the highest value that it may have."""
    return {result["name"]: result["limit"] for result in results if result["name"] in EXEMPT and result["limit"]}


def has_fallen(old: list[float], new: list[float]) -> bool:
    lower = statistics.median(new) < statistics.median(old) * (1 - FALL_MAX)
    return lower and max(new) < min(old)


def compared(old: Figures, new: Figures, limits: Limits) -> tuple[Table, list[str]]:
    """Return a table of the figures that both checkouts have, and the names of the figures that have fallen or exceed
    their own limit. `limits` are those of `new`."""
    table = Table(title="old against new, medians of the ratios")
    for column in ("name", "old", "new", "new/old", "old runs", "new runs", "verdict"):
        table.add_column(column, justify="left" if column in ("name", "verdict") else "right", no_wrap=True)
    fallen = []
    for name in old:
        if name not in new:
            continue
        before, after = statistics.median(old[name]), statistics.median(new[name])
        verdict = ""
        if name in limits:
            verdict = "within its own limit"
            if 1 / after > limits[name]:
                fallen.append(name)
                verdict = "exceeds its own limit"
        elif has_fallen(old[name], new[name]):
            fallen.append(name)
            verdict = "fell"
        elif after < before * (1 - FALL_MAX):
            verdict = "lower, intervals overlap"
        spans = [f"{min(runs):.3g} … {max(runs):.3g}" for runs in (old[name], new[name])]
        table.add_row(name, f"{before:.3g}", f"{after:.3g}", f"{after / before:.2f}", *spans, verdict)
    return table, fallen


def main(
    old: Annotated[Path, typer.Argument(help="A checkout of the old commit, set up with `make setup`.")],
    new: Annotated[Path, typer.Argument(help="A checkout of the new commit, set up with `make setup`.")],
    runs: Annotated[int, typer.Option(min=1, help="Runs of each tree.")] = 5,
    only: Annotated[str, typer.Option(help="A group (buffer) or a name (buffer.commit).")] = "",
) -> None:
    console = Console(width=150)
    figures: tuple[Figures, Figures] = ({}, {})
    limits: Limits = {}
    for turn in range(runs):
        for tree, into in zip((old, new), figures, strict=True):
            console.print(f"run {turn + 1} of {runs} in {tree}")
            results = results_of(tree, only)
            for name, value in figures_of(results).items():
                into.setdefault(name, []).append(value)
            if tree is new:
                limits = limits_of(results)
    table, fallen = compared(*figures, limits)
    console.print(table)
    sys.exit(1 if fallen else 0)


if __name__ == "__main__":
    typer.run(main)
