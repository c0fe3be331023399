"""One ambulance, end to end: the cloud exports exactly what a device measured, sample by sample."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from simulators.agents.kinds import MONITOR, description_of
from simulators.replay.wfdb import Record
from tests.harness.demo import samples_in_order, start_demo
from tests.harness.eventually import eventually
from tests.harness.shared import shared_path

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
SECONDS = 30
TYPES = {
    **{name: f"MDC_ECG_ELEC_POTL_{name.upper()}" for name in LEADS},
    "avr": "MDC_ECG_ELEC_POTL_AVR",
    "avl": "MDC_ECG_ELEC_POTL_AVL",
    "avf": "MDC_ECG_ELEC_POTL_AVF",
}


@pytest.mark.broker
@pytest.mark.demo
async def test_replayed_twelve_lead_recording_arrives_in_the_cloud_sample_by_sample(tmp_path: Path):
    record_path = shared_path("data/physionet/s0010_re.hea").with_suffix("")
    with Record(record_path) as record:
        hz = float(record.header.frame_hz)
        names = [signal.description.strip().lower() for signal in record.signals]
        truth = dict(zip(names, record.read(0, record.frames), strict=True))
    demo = await start_demo(tmp_path / "demo", "--replay", str(record_path))
    try:
        monitor = description_of(MONITOR).system_id.hex()

        async def rows_of_all_leads() -> list[dict[str, Any]]:
            """Return the rows once each lead has enough seconds, else none: a loaded machine plays at its own speed."""
            rows = [row for row in await demo.exported() if row["device"]["system_id"] == monitor]
            enough = all(len(samples_in_order(rows, TYPES[lead])) >= SECONDS * hz for lead in LEADS)
            return rows if enough else []

        rows = await eventually(
            rows_of_all_leads, within_s=240.0, poll_s=5.0, what=f"{SECONDS} s of each lead in the cloud"
        )
    finally:
        await demo.stop()
    for lead in LEADS:
        exported = samples_in_order(rows, TYPES[lead])
        # A record that has ended begins again.
        assert exported == list(itertools.islice(itertools.cycle(truth[lead]), len(exported))), lead
    scales = {row["type"]: (row["slope"], row["offset"], row["sample_period_s"]) for row in rows if row["samples"]}
    assert scales["MDC_ECG_ELEC_POTL_II"] == (1 / 2000, 0.0, 1 / hz)
    of_encounter = {row["encounter_id"] for row in rows if row["type"] == TYPES["ii"]}
    assert of_encounter == {demo.facts["encounter_id"]}
