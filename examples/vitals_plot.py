"""An analyst's script: the vital signs of an encounter → a plot in one SVG file, which every browser shows.

Run it cell by cell in an editor that knows `# %%`, or as a whole, with the environment variables ARGUS_AUTH,
ARGUS_API, ARGUS_CLIENT_ID and ARGUS_CLIENT_SECRET of an app that has the scope `argus:epcr:read`:

    python vitals_plot.py ENCOUNTER vitals.svg

Each panel is one code of one probe of a device in one unit: the line is the mean of each ten seconds, the band its
least and greatest value. An interval without a value breaks the line, since nothing is known of it. Argus makes the
summaries, and leaves out values that the device declared invalid or that are implausible: `left_out` counts them.

The SVG is written here, in forty lines, so that the script needs nothing but argus-sdk. For more than lines, give the
rows to a library: `pandas.DataFrame(rows)`.
"""

# %% What to plot
import os
import sys
from datetime import datetime
from html import escape
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from argus_sdk.client import Argus, ClientCredentials

ENCOUNTER, FILE = sys.argv[1], Path(sys.argv[2])
INTERVAL_S = 10
CODES = {
    "MDC_ECG_HEART_RATE": "Heart rate",
    "MDC_PULS_OXIM_SAT_O2": "Oxygen saturation",
    "MDC_PULS_OXIM_PULS_RATE": "Pulse rate",
    "MDC_PRESS_BLD_NONINV_SYS": "Blood pressure, systolic",
    "MDC_PRESS_BLD_NONINV_DIA": "Blood pressure, diastolic",
    "MDC_RESP_RATE": "Respiration rate",
    "MDC_AWAY_CO2_ET": "End-tidal CO₂",
    "MDC_TEMP_BODY": "Body temperature",
}
ROWS_MAX = 100_000
"""Rows in memory: a day of eight panels has 70,000."""
WIDTH, HEIGHT, LEFT, TOP = 960, 120, 60, 26
"""Size of a panel, and its margins for the scale and the title."""

# %% Read a summary of each interval
auth, api = os.environ["ARGUS_AUTH"], os.environ["ARGUS_API"]
tokens = ClientCredentials(auth, os.environ["ARGUS_CLIENT_ID"], os.environ["ARGUS_CLIENT_SECRET"])
with Argus(auth_url=auth, api_url=api, tokens=tokens) as argus:
    found = argus.encounters.list_observations(ENCOUNTER, interval_s=INTERVAL_S, mdc_code=",".join(CODES), limit=1000)
    rows: list[Any] = list(islice(found, ROWS_MAX + 1))
if len(rows) > ROWS_MAX:
    sys.exit(f"The encounter has more than {ROWS_MAX} rows. Choose a longer INTERVAL_S.")
if not rows:
    sys.exit("The encounter has no vital signs.")

# %% One series for each panel, in the order of CODES
series: dict[tuple[str, str, str, str, str], list[Any]] = {}
for row in rows:
    if row["count"]:
        site, probe = ", ".join(row["supplemental_types"]), f"{row['handle']} {row['person']}"
        key = (row["mdc_code"], row["device_id"], row["unit_code"] or "", site, probe)
        series.setdefault(key, []).append(row)
ordered = sorted(series.items(), key=lambda item: (list(CODES).index(item[0][0]), item[0]))
left_out = sum(row["left_out"] for row in rows)


# %% Draw
def second(row: Any) -> float:
    """Return the beginning of an interval, in seconds since 1970."""
    return datetime.fromisoformat(row["from"]).timestamp()


begin_s = min(second(row) for row in rows)
end_s = max(second(row) for row in rows) + INTERVAL_S


def panel(title: str, values: list[Any], top: int) -> str:
    """Return a panel: its title, the scale, and a band and a line for each run of intervals without a gap."""
    low: float = min(row["min"] for row in values)
    high: float = max(row["max"] for row in values)
    margin = (high - low) * 0.1 or 1.0

    def x(row: Any) -> float:
        return LEFT + (second(row) - begin_s) / (end_s - begin_s) * (WIDTH - LEFT - 10)

    def y(value: float) -> float:
        return top + TOP + (high + margin - value) / (high - low + 2 * margin) * (HEIGHT - TOP - 10)

    runs = [[values[0]]]
    for before, row in pairwise(values):
        if second(row) - second(before) > INTERVAL_S:
            runs.append([])
        runs[-1].append(row)
    parts = [
        f'<text x="{LEFT}" y="{top + 18}">{escape(title)}</text>',
        *(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" class="scale">{value:g}</text>' for value in {low, high}),
    ]
    for run in runs:
        band = [f"{x(row):.1f},{y(row['min']):.1f}" for row in run] + [
            f"{x(row):.1f},{y(row['max']):.1f}" for row in reversed(run)
        ]
        line = [f"{x(row):.1f},{y(row['mean']):.1f}" for row in run]
        parts.append(f'<polygon points="{" ".join(band)}"/><polyline points="{" ".join(line)}"/>')
        parts.append(f'<circle cx="{x(run[0]):.1f}" cy="{y(run[0]["mean"]):.1f}" r="2"/>')  # of a run of one interval
    return f'<g class="panel">{"".join(parts)}</g>'


panels = [
    panel(f"{CODES[code]} [{unit}], {device}{site and f', {site}'}", values, i * HEIGHT)
    for i, ((code, device, unit, site, _probe), values) in enumerate(ordered)
]
height = len(panels) * HEIGHT + 30
first, last = rows[0]["from"], rows[-1]["until"]
svg = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Vital signs">
<style>text{{font:13px sans-serif}}.scale{{text-anchor:end;font-size:11px}}
polyline{{fill:none;stroke:#0b5394}}polygon{{fill:#0b539433}}circle{{fill:#0b5394}}</style>
<rect width="{WIDTH}" height="{height}" fill="#fff"/>
{"".join(panels)}
<text x="{LEFT}" y="{height - 10}">{escape(ENCOUNTER)}: {first} to {last}, {left_out} values left out</text>
</svg>
"""

# %% Write
FILE.write_text(svg, encoding="utf-8")
print(f"{FILE}: {len(panels)} panels")  # noqa: T201
