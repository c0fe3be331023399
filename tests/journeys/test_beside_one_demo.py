"""Stories that share one running demo. Each one reads from the demo or adds its own objects, and the last one ends it.

The demo replays a twelve-lead recording where the shared material is present.

- The cloud exports exactly what a device measured, sample by sample.
- The cloud knows how each device of the demo describes itself.
- The encounter of the demo is a FHIR bundle with every kind of resource and value, at the address in `demo.json`.
- Every code block of the documentation succeeds against the demo: of each operation and guide, in each language.
- The commands of the guide to the first call lead to a response in a fresh environment, with five of them at most.
- Each `sh` block of README runs as a reader types it, and the simulated fleet of the operator's guide.
- The logs of every process of the whole run hold no value or time of a measurement, no password, key, token or PIN. A
  search cannot distinguish small whole numbers (a saturation of 98) from counts, so the fields are checked as well.
"""

import asyncio
import base64
import itertools
import json
import os
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.security.identity import CERTIFICATE_KEY_FILE, SIGNING_KEY_FILE, Identity
from gateway.sync.settings import PASSWORD_NAME
from simulators.agents.kinds import MONITOR, description_of
from simulators.demo.fleet import DEMO_DEVICES
from simulators.replay.wfdb import Record
from tests.harness.demo import RunningDemo, program, run, samples_in_order, start_demo
from tests.harness.docs_samples import (
    DocumentedSamples,
    code_of_guides,
    curl_faults,
    document_faults,
    prepare_environment,
    python_faults,
    shell_faults,
    typescript_faults,
)
from tests.harness.eventually import eventually
from tests.harness.fresh_environment import WAYS, FreshEnvironment, blocks_of_way
from tests.harness.guide_blocks import code_blocks_of, commands_of
from tests.harness.node import running_script
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import HOSTS
from tests.harness.shared import shared_file, shared_path
from tests.harness.shell import blocks_of, typed
from tests.harness.typescript_sdk import shared_project

pytestmark = [pytest.mark.broker, pytest.mark.demo, pytest.mark.asyncio(loop_scope="module")]

RECORDING = "data/physionet/s0010_re.hea"
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
SECONDS = 30
TYPES = {
    **{name: f"MDC_ECG_ELEC_POTL_{name.upper()}" for name in LEADS},
    "avr": "MDC_ECG_ELEC_POTL_AVR",
    "avl": "MDC_ECG_ELEC_POTL_AVL",
    "avf": "MDC_ECG_ELEC_POTL_AVF",
}
FULL = {
    *("Patient", "Encounter", "Composition", "Observation", "Device", "DeviceMetric", "Procedure"),
    *("MedicationAdministration", "valueQuantity", "valueSampledData", "valueCodeableConcept", "150020"),
}
"""Resources and values of a full bundle; 150020 is the panel of a blood pressure."""
PLACES = {
    "sh": {(), ("demo",), ("python",), ("typescript",)},
    "python": {(), ("devices.py",)},
    "typescript": {("argus-app/devices.mjs",)},
    "json": {()},
}
"""Language → where a reader uses a block of the guides. A block that is not in it is run by no story."""
README = Path(__file__).parents[2] / "README.md"
OPERATOR = README.with_name("docs") / "operator.md"
VARIABLES = 'eval "$(argus-sim env demo-state)"'
SECRET_FACTS = ("crew_pin", "admin_token", "client_secret", "password")
SECRET_FILES = ("cloud-mqtt-password", "master.key")
VALUE_FIELDS = {"value", "values", "sample", "samples", "octets", "hex", "data", "payload", "device_time", "pin", "key"}
_DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")


def secrets_of(demo: RunningDemo) -> Iterator[str]:
    """Yield every secret of the demo, in each form in which a log might contain it."""
    facts = demo.facts
    yield from (facts[name] for name in SECRET_FACTS if facts[name])
    identity = Identity.load(demo.state_dir / "gateway" / "identity")
    sealed = [
        identity.secrets.read_sealed(demo.state_dir / "gateway-mqtt-password", PASSWORD_NAME),
        identity.secrets.get(SIGNING_KEY_FILE),
        identity.secrets.get(CERTIFICATE_KEY_FILE),
    ]
    assert None not in sealed
    texts = [(demo.state_dir / name).read_text() for name in SECRET_FILES]
    for text in (*texts, *(secret.decode() for secret in sealed if secret is not None)):
        yield from (line for line in text.splitlines() if line and not line.startswith("-----"))
    store_key = identity.store_key
    yield from (store_key.hex(), base64.b64encode(store_key).decode(), repr(store_key)[2:-1])


def without_its_time(line: str) -> tuple[str, set[str]]:
    """Return a log line without its time stamp, and the names of its fields."""
    try:
        fields: dict[str, Any] = json.loads(line)
    except ValueError:
        return re.sub(r"^\S+ \S+ ", "", line), set(re.findall(r"(\w+)=", line))
    fields.pop("timestamp", None)
    return json.dumps(fields), set(fields)


def fractions_in(rows: list[dict[str, Any]]) -> set[str]:
    """Return the values that are not whole numbers, as texts."""
    return {str(row["value"]) for row in rows if isinstance(row["value"], float) and not row["value"].is_integer()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDemo]:
    recording = shared_file(RECORDING)
    replay = () if recording is None else ("--replay", str(recording.with_suffix("")))
    running = await start_demo(tmp_path_factory.mktemp("one") / "demo", *replay)
    yield running
    await running.stop()


async def test_every_command_in_the_readme_succeeds_while_a_demo_runs(demo: RunningDemo, tmp_path: Path):
    blocks = blocks_of(README)
    assert len(blocks) >= 3
    assert VARIABLES in README.read_text()
    code, exported, err = await typed(
        f"{VARIABLES.replace('demo-state', shlex.quote(str(demo.state_dir)))}; export -p", tmp_path
    )
    assert code == 0, err
    for command in [line for block in blocks for line in block.splitlines() if line.strip()]:
        code, out, err = await typed(f"{exported}\n{command}", tmp_path)
        assert code == 0, f"{command}\n{err}"
        assert out.strip(), f"{command} printed nothing\n{err}"
        assert "Traceback" not in err, command


async def test_every_sample_of_a_replayed_twelve_lead_recording_is_in_the_cloud(demo: RunningDemo):
    with Record(shared_path(RECORDING).with_suffix("")) as record:
        hz = float(record.header.frame_hz)
        names = [signal.description.strip().lower() for signal in record.signals]
        truth = dict(zip(names, record.read(0, record.frames), strict=True))
    monitor = description_of(MONITOR).system_id.hex()

    async def rows_of_all_leads() -> list[dict[str, Any]]:
        """Return the monitor's rows if each lead has enough seconds of samples; otherwise return an empty list, since a
        loaded machine plays the recording slowly."""
        rows = await demo.exported("--device", monitor)
        enough = all(len(samples_in_order(rows, TYPES[lead])) >= SECONDS * hz for lead in LEADS)
        return rows if enough else []

    rows = await eventually(
        rows_of_all_leads, within_s=240.0, poll_s=5.0, what=f"{SECONDS} s of each lead in the cloud"
    )
    for lead in LEADS:
        exported = samples_in_order(rows, TYPES[lead])
        # A record that has ended begins again.
        assert exported == list(itertools.islice(itertools.cycle(truth[lead]), len(exported))), lead
    scales = {row["type"]: (row["slope"], row["offset"], row["sample_period_s"]) for row in rows if row["samples"]}
    assert scales["MDC_ECG_ELEC_POTL_II"] == (1 / 2000, 0.0, 1 / hz)
    of_encounter = {row["encounter_id"] for row in rows if row["type"] == TYPES["ii"]}
    assert of_encounter == {demo.facts["encounter_id"]}


async def test_fleet_of_the_guide_is_stored_whole_through_reconnect_storms(demo: RunningDemo, tmp_path: Path):
    (command,) = [block for block in blocks_of(OPERATOR) if block.startswith("argus-sim fleet")]
    words = shlex.split(command.replace("demo-state", shlex.quote(str(demo.state_dir))))
    printed = await run(program(words[0]), *words[1:], "--state", str(tmp_path / "fleet"), "--json")
    summary = json.loads(printed)
    assert summary["vehicles"] == 5
    assert summary["storms"] == 2
    assert summary["reconnections"] >= 5
    assert summary["batches_left"] == summary["batches_dropped"] == 0
    assert summary["observations_acknowledged"] == summary["observations_recorded"] > 0
    # Events, numerics and waveforms of each vehicle; the cloud has exactly the recorded observations.
    assert summary["comparison"] == {"lanes": 15, "rows": summary["observations_recorded"], "differences": []}


async def test_every_device_of_the_demo_describes_itself_to_the_cloud(demo: RunningDemo):
    of_tenant = f"--tenant {demo.facts['tenant_id']}"

    async def descriptions() -> dict[str, dict[str, Any]]:
        (history, known) = await demo.cloud_commands(f"devices history {of_tenant}", f"devices list {of_tenant}")
        charged = {device["system_id"] for device in known if device["battery_percent"] is not None}
        found = {row["system_id"]: row["description"] for row in history if row["system_id"] in charged}
        return found if found.keys() >= {device.system_id for device in DEMO_DEVICES} else {}

    found = await eventually(descriptions, within_s=120.0, poll_s=2.0, what="every device is described in the cloud")
    for device in DEMO_DEVICES:
        described, sent = found[device.system_id], device.description
        for name, text in (
            ("manufacturer", sent.manufacturer),
            ("model", sent.model),
            ("serial_number", sent.serial_number),
            ("hardware_revision", sent.hardware),
            ("firmware_revision", sent.firmware),
        ):
            assert described[name] == text, device.name
    (events,) = await demo.cloud_commands(f"events list {of_tenant} --source vehicle --type device.described")
    assert {event["device"] for event in events} >= found.keys()


async def test_encounter_of_the_demo_is_a_full_fhir_bundle_at_its_address(demo: RunningDemo):
    facts = demo.facts
    async with httpx.AsyncClient(timeout=30, verify=PLAIN) as client:
        token = await client.post(
            f"{facts['auth_url']}/v1/oauth/token",
            auth=(facts["client_id"], facts["client_secret"]),
            data={"grant_type": "client_credentials", "scope": "argus:epcr:read"},
        )
        assert token.is_success, token.text
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}

        async def kinds() -> set[str]:
            answer = await client.get(facts["fhir_url"], headers=headers)
            assert answer.headers["Content-Type"] == "application/fhir+json; fhirVersion=4.0", answer.text
            resources = [entry["resource"] for entry in answer.json()["entry"]]
            found = {one["resourceType"] for one in resources}
            found |= {name for one in resources for name in one if name.startswith("value")}
            found |= {one["code"]["coding"][0]["code"] for one in resources if one.get("component")}
            return found if found >= FULL else set()

        await eventually(kinds, within_s=120.0, poll_s=2.0, what="a full bundle")


async def test_demo_names_a_finished_export_whose_result_can_be_downloaded(demo: RunningDemo):
    facts = demo.facts
    async with httpx.AsyncClient(timeout=30, verify=PLAIN) as client:
        token = await client.post(
            f"{facts['auth_url']}/v1/oauth/token",
            auth=(facts["client_id"], facts["client_secret"]),
            data={"grant_type": "client_credentials", "scope": "argus:jobs:read argus:epcr:read"},
        )
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        result = await client.get(f"{facts['api_url']}/v1/jobs/{facts['export_job_id']}/result", headers=headers)
        assert result.is_success, result.text
        file = await client.get(result.json()["signed_url"])
    assert [json.loads(line)["id"] for line in file.text.splitlines()] == [facts["encounter_id"]]


async def test_demo_names_evidence_whose_transcript_is_valid(demo: RunningDemo):
    facts = demo.facts
    async with httpx.AsyncClient(timeout=30, verify=PLAIN) as client:
        token = await client.post(
            f"{facts['auth_url']}/v1/oauth/token",
            auth=(facts["client_id"], facts["client_secret"]),
            data={"grant_type": "client_credentials", "scope": "argus:provenance:read"},
        )
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        url = f"{facts['api_url']}/v1/evidence/{facts['evidence_id']}/provenance"
        transcript = await client.get(url, headers=headers)
        assert transcript.is_success, transcript.text
        verified = await client.post(f"{url}/verify", headers=headers, json={"transcript": transcript.json()})
    assert verified.json()["valid"], verified.text


async def test_care_that_the_crew_wrote_in_the_vehicle_is_the_record_of_the_encounter(demo: RunningDemo):
    facts = demo.facts
    shows = f"epcr show {facts['encounter_id']} --tenant {facts['tenant_id']}"

    async def groups() -> dict[str, Any]:
        (record,) = await demo.cloud_commands(shows)
        written = {field["key"].partition(".")[0] for field in record["fields"]}
        return record if written >= {"situation", "vitals", "exam", "procedures", "medications"} else {}

    record = await eventually(groups, within_s=120.0, poll_s=2.0, what="the first minute of care in the cloud")
    assert record["repeated"] == 0
    assert not any(field["contradicting"] or field["void"] for field in record["fields"])
    assert {change["author"] for change in record["history"]} == {"crew_paramedic", "cad", "gateway"}
    assert {change["state"] for change in record["history"]} == {"stands"}


@pytest.mark.contract("C-010")
async def test_every_sample_of_the_documentation_succeeds_against_the_demo(
    demo: RunningDemo, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    project = shared_project(tmp_path_factory)
    cloud = demo.cloud_of_an_integrator()
    documented = DocumentedSamples.of(cloud)
    blocks = documented.blocks()
    assert {one.language for one in blocks} == PLACES.keys()
    assert [one for one in blocks if tuple(one.words) not in PLACES[one.language]] == []
    with running_script("fhir_server.mjs") as port:
        address, encounter = f"http://127.0.0.1:{port}", documented.values["enc_123"]
        prepare_environment(cloud, monkeypatch, fhir_url=address, encounter_id=encounter)
        assert curl_faults(documented.of_operations("curl"), tmp_path) == {}
        assert python_faults(documented.of_operations("python")) == {}
        assert typescript_faults(project, documented.of_operations("typescript")) == {}
        assert shell_faults(code_of_guides(blocks, "sh"), tmp_path) == {}
        assert python_faults(code_of_guides(blocks, "python")) == {}
        # There is a device to print.
        assert typescript_faults(project, code_of_guides(blocks, "typescript")) == {}
        assert document_faults([one for one in blocks if one.language == "json"], cloud) == {}


async def test_first_call_takes_at_most_five_commands_in_a_fresh_environment(demo: RunningDemo, tmp_path: Path):
    facts = demo.facts
    urls = {host: facts[f"{host}_url"] for host in HOSTS}
    blocks = code_blocks_of("first-call", "en", urls)
    values = {"<client-id>": facts["client_id"], "<client-secret>": facts["client_secret"]}
    ways = {
        (way, beside_demo): blocks_of_way(blocks, way, beside_demo=beside_demo)
        for way in WAYS
        for beside_demo in (False, True)
    }
    counts = {way: sum(len(commands_of(one.text)) for one in its if one.language == "sh") for way, its in ways.items()}
    assert set(counts.values()) == {3, 4, 5}
    # The builds of both packages take half a minute: `make soak ONLY=first_call`.
    tried = WAYS if os.environ.get("ARGUS_SOAK") else ("curl",)
    reader = FreshEnvironment.make(tmp_path, demo.state_dir, values)
    for (way, _), its in ways.items():
        if way in tried:
            printed = await asyncio.to_thread(reader.enter, its)
            # A program ends with an error where the response is not 200, and prints the devices where it is.
            assert ("HTTP/1.1 200 OK" if way == "curl" else " active\n") in printed, printed


async def test_logs_of_a_complete_demo_run_contain_no_measured_value_and_no_secret(demo: RunningDemo):
    async def measurements() -> bool:
        return len(fractions_in(await demo.exported())) > 3

    await eventually(measurements, within_s=120.0, poll_s=2.0, what="values in the cloud")
    await demo.stop()
    rows = await demo.exported()
    logs = [demo.log_file, *(demo.state_dir / "log").glob("*.log")]
    assert {log.name for log in logs} >= {"gateway.log", "cloud.log", "devices.log"}
    lines = [without_its_time(line) for log in logs for line in log.read_text(errors="replace").splitlines()]
    text = "\n".join(line for line, _ in lines)
    assert "device.connected" in text

    fields = {field for _, names in lines for field in names}
    assert fields & VALUE_FIELDS == set()
    secrets = list(secrets_of(demo))
    assert len(secrets) >= 8
    assert [secret[:4] + "…" for secret in secrets if secret in text] == []
    times = {row["device_time"] for row in rows if row["device_time"]} | {row["observed_at"] for row in rows}
    assert [time for time in times if time in text] == []
    values = fractions_in(rows)
    assert len(values) > 3
    assert values & set(_DECIMAL.findall(text)) == set()
    assert [row["type"] for row in rows if row["samples"] and ", ".join(map(str, row["samples"][:4])) in text] == []
