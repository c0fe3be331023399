"""The shared captures of wire traffic, and the measurements that each is known to contain."""

import json
from pathlib import Path
from typing import Any

from tests.harness.shared import shared_path

WITH_TRUTH = (
    "known_oximeter_0190",
    "known_oximeter_0191",
    "known_bloodpressure_02bc",
    "config_oximeter_0190",
    "config_oximeter_0191",
    "config_bloodpressure_02bc",
    "end_agent_abort",
    "end_agent_drop",
    "end_manager_release",
)
_COMPONENTS = {
    "sys": "MDC_PRESS_BLD_NONINV_SYS",
    "dia": "MDC_PRESS_BLD_NONINV_DIA",
    "mean": "MDC_PRESS_BLD_NONINV_MEAN",
}
_UNITS = {"%": "MDC_DIM_PERCENT", "bpm": "MDC_DIM_BEAT_PER_MIN", "mmHg": "MDC_DIM_MMHG"}

Reading = tuple[str, int, str, float, str]
"""Device time, handle, kind (a component's reference id, else the name that the truth uses), value, unit."""


def capture_path(name: str) -> Path:
    return shared_path(f"data/captures/{name}.jsonl")


def truth_of(name: str) -> list[Reading]:
    """Return the measurements that the author of the capture `name` recorded in it, sorted."""
    meta = json.loads(capture_path(name).read_text().splitlines()[0])["meta"]
    return sorted(
        (
            report["time"],
            each["handle"],
            _COMPONENTS.get(each["name"], each["name"]),
            each["value"],
            _UNITS[each["unit"]],
        )
        for report in meta["truth"]
        for each in report["values"]
    )


def readings_of(rows: list[dict[str, Any]]) -> list[Reading]:
    """Return the observations in these exported rows, sorted. They have the form and the names that
    `truth_of` returns."""
    words = {"MDC_PULS_OXIM_SAT_O2": "spo2", "MDC_PULS_OXIM_PULS_RATE": "pulse", "MDC_PULS_RATE_NON_INV": "pulse"}
    found: list[Reading] = []
    for row in rows:
        values = row["value"] if isinstance(row["value"], dict) else {words[row["type"]]: row["value"]}
        found += [(row["device_time"], row["handle"], what, value, row["unit"]) for what, value in values.items()]
    return sorted(found)
