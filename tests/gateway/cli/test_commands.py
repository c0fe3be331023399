"""The commands of `argus-gateway` as an operator types them: output, exit codes, and one-sentence errors.

Most run in the test's process, beside a real gateway. `test_refusals` runs each as a process of its own.
"""

import asyncio
import json
import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from gateway.cli.observations import since_us_of
from gateway.cli.output import print_table
from gateway.cli.provision import provisioned
from gateway.cli.replay import Replay
from gateway.security.identity import Identity
from gateway.settings import load
from gateway.transports.capture import read_capture
from tests.builders.gateway_device import device
from tests.harness.captures import capture_path, readings_of, truth_of
from tests.harness.eventually import eventually
from tests.harness.gateway_process import argus_gateway, begun, invoke, vehicle


async def test_provision_command_run_twice_prints_the_same_public_key(tmp_path):
    async with vehicle(tmp_path, started=False) as gateway:
        first = provisioned(load(gateway.config))
        again = await gateway.provision()
        assert again == {**asdict(first), "created": []}
        assert len(first.public_key) == 44
        assert stat.S_IMODE(gateway.state_dir.stat().st_mode) == 0o700
        for file in (gateway.state_dir / "identity").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_provision_command_replaces_the_signing_key_only_with_the_new_key_option(tmp_path):
    async with vehicle(tmp_path, started=False) as gateway:
        first = provisioned(load(gateway.config))
        finished = await gateway.invoke("provision", "--new-key")
        second = await gateway.provision()
        assert finished.code == 0
        assert f"gateways replace-key {first.gateway}" in finished.out
        assert second["public_key"] in finished.out
        assert second["public_key"] != first.public_key
        assert second["epoch"] == first.epoch


@pytest.mark.finding("edge-C2")
async def test_gateway_start_encrypts_plaintext_keys_of_an_earlier_version(tmp_path):
    async with vehicle(tmp_path, started=False) as gateway:
        provisioned(load(gateway.config))
        folder = gateway.state_dir / "identity"
        identity = Identity.load(folder)
        plain = folder / "signing.key"
        plain.touch(0o600)
        plain.write_bytes(identity.secrets.get("signing.key"))
        identity.secrets.path("signing.key").unlink()
        await gateway.start()
        await eventually(lambda: not plain.exists())
        assert b"PRIVATE KEY" not in b"".join(path.read_bytes() for path in folder.iterdir())
        assert Identity.load(folder).public_key == identity.public_key


async def test_missing_store_is_created_again_only_by_provision_with_the_new_store_option(tmp_path):
    async with vehicle(tmp_path, started=False) as gateway:
        epoch = provisioned(load(gateway.config)).epoch
        (gateway.state_dir / "buffer.sqlite").unlink()
        refused = await gateway.invoke("provision")
        assert refused.code == 1
        assert "may not be mounted" in refused.err
        meant = await gateway.invoke("provision", "--new-store", "--json")
        assert meant.json()["epoch"] != epoch


@pytest.mark.parametrize("command", ["run", "capture"])
async def test_command_with_a_missing_settings_file_exits_with_one_and_prints_one_sentence(tmp_path, command):
    arguments = ["out.jsonl"] if command == "capture" else []
    finished = await invoke("--config", tmp_path / "nowhere.toml", command, *arguments)
    assert finished.code == 1
    assert finished.out == ""
    assert finished.err.count("\n") == 1
    assert "does not exist" in finished.err


async def test_invalid_command_line_exits_with_two():
    assert (await argus_gateway("observations", "--limit", "none")).code == 2
    assert (await argus_gateway("no-such-command")).code == 2


async def test_status_and_devices_commands_work_with_and_without_a_running_gateway(tmp_path):
    async with vehicle(tmp_path) as gateway:
        async with device(gateway.address) as thermometer:
            await thermometer.measure(36.6)
            running = (await gateway.invoke("status", "--json")).json()
            assert running["running"]
            assert [each["device"] for each in running["sessions"]] == [thermometer.system_id]
            shown = await gateway.invoke("devices")
            assert thermometer.system_id in shown.out
            assert "now" in shown.out
        await gateway.stop()
        stopped = (await gateway.invoke("status", "--json")).json()
        assert set(stopped) == set(running)
        assert not stopped["running"]
        assert stopped["lanes"]["numeric"]["last"] >= 1
        (known,) = (await gateway.invoke("devices", "--json")).json_lines()
        assert known["system_id"] == thermometer.system_id
        assert not known["connected"]


@pytest.mark.finding("edge-check-6")
async def test_observations_command_reads_and_filters_the_store_of_a_running_gateway(tmp_path):
    async with vehicle(tmp_path) as gateway:
        for number in (1, 2):
            async with device(gateway.address, number) as thermometer:
                for second in range(3):
                    await thermometer.measure(36.0 + number, second=second)
        every = (await gateway.invoke("observations", "--json", "--since", "1h")).json_lines()
        assert [each["value"] for each in every] == [37.0] * 3 + [38.0] * 3
        assert every[0]["gateway"] == "gw_test"
        assert every[0]["observed_at"].endswith("Z")
        picked = ("--device", thermometer.system_id.upper(), "--lane", "numeric", "--limit", "2")
        assert "2 observations, and there are more" in (await gateway.invoke("observations", *picked)).out
        printed = (await gateway.invoke("observations", "--lane", "event", "--json")).json_lines()
        assert [each["name"] for each in printed].count("device.connected") == 2
        assert len(printed) == (await gateway.status())["lanes"]["event"]["last"]
        assert "device.connected" in (await gateway.invoke("observations", "--lane", "event")).out
        forms = await gateway.invoke("observations", "--lane", "epcr")
        assert (forms.code, "has field changes" in forms.err) == (1, True)
        wrong = await gateway.invoke("observations", "--since", "yesterday")
        assert (wrong.code, "is no time" in wrong.err) == (1, True)


def test_since_option_of_the_observations_command_accepts_a_time_or_an_age():
    assert since_us_of("15m", 1_000_000_000_000) == 1_000_000_000_000 - 900_000_000
    assert since_us_of("1970-01-01T00:00:01Z", 0) == 1_000_000
    assert since_us_of("1970-01-01T01:00:01+01:00", 0) == 1_000_000
    assert since_us_of("1970-01-01", 0) == 0


async def test_doctor_command_reports_the_unprotected_store_key_of_a_new_gateway(tmp_path):
    async with vehicle(tmp_path) as gateway:
        finished = await gateway.invoke("doctor", "--json")
        findings = {each["subject"]: each for each in finished.json_lines()}
        assert finished.code == 0
        assert findings["store"]["grade"] == "well"
        assert findings["tcp"]["grade"] == "well"
        assert findings["keys"]["grade"] == "unwise"
        assert "stolen disk" in findings["keys"]["sentence"]


async def test_doctor_command_reports_the_severity_of_each_fault_and_exits_with_one(tmp_path):
    async with vehicle(tmp_path, started=False) as gateway:
        gateway.config.write_text(
            gateway.config.read_text().replace("127.0.0.1:", "[::]:")
            + '[mqtt]\nurl = "mqtt://127.0.0.1:1"\nusername = "u"\npassword_file = "missing"\n'
            + '[[serial]]\npath = "/dev/not-plugged-in"\n[crew]\nlisten = "127.0.0.1:0"\n'
        )
        (gateway.state_dir / "buffer.sqlite").unlink()
        finished = await gateway.invoke("doctor", "--json")
        graded = {(each["subject"], each["grade"]) for each in finished.json_lines()}
        assert finished.code == 1
        assert {("store", "wrong"), ("uplink", "wrong"), ("uplink", "unwise"), ("serial", "unwise")} <= graded
        assert {("crew", "wrong"), ("tcp", "unwise")} <= graded


async def test_replay_of_a_capture_of_a_connected_device_gives_the_measured_values(tmp_path):
    async with vehicle(tmp_path) as gateway:
        file = tmp_path / "capture.jsonl"
        capturing = await begun("--config", gateway.config, "capture", file)

        async def listening() -> bool:
            return bool((await gateway.status())["captures"])

        await eventually(listening)
        async with device(gateway.address) as thermometer:
            for second in range(3):
                await thermometer.measure(36.5 + second, second=second)
        # The head, five APDUs of the association, and three reports with their responses: complete lines only.
        await eventually(lambda: file.read_text().count("\n") == 11)
        capturing.interrupt()
        finished = await capturing.end()
        assert finished.code == 0, finished.err
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        rows = list(Replay(read_capture(file)).observations())
        assert [row["value"] for row in rows] == [36.5, 37.5, 38.5]
        again = await gateway.command("capture", file)
        assert (again.code, "never replaces a file" in again.err) == (1, True)


@pytest.mark.finding("edge-check-6")
async def test_capture_command_for_an_unknown_link_fails_and_leaves_no_file(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as gateway:
        path = tmp_path / "capture.jsonl"
        capturing = await begun("--config", gateway.config, "capture", path, "--link", "nosuch")
        interruption = asyncio.get_running_loop().call_later(15.0, capturing.interrupt)
        finished = await capturing.end()
        interruption.cancel()
        assert (finished.code, "no link is called nosuch" in finished.err) == (1, True)
        assert not path.exists()


async def test_capture_command_without_a_running_gateway_fails_and_leaves_no_file(tmp_path):
    async with vehicle(tmp_path, started=False) as gateway:
        finished = await gateway.command("capture", tmp_path / "capture.jsonl")
        assert (finished.code, "no gateway runs" in finished.err) == (1, True)
        assert not (tmp_path / "capture.jsonl").exists()


async def test_replay_command_uses_the_configuration_in_the_capture_when_no_other_configuration_is_known():
    name = "known_oximeter_0190"
    finished = await argus_gateway("replay", capture_path(name), "--json", "--known-configs", "none")
    assert finished.code == 0, finished.err
    assert readings_of(finished.json_lines()) == truth_of(name)


async def test_replay_command_without_the_json_option_prints_a_table():
    finished = await invoke("replay", capture_path("known_oximeter_0190"))
    assert finished.code == 0
    assert "MDC_PULS_OXIM_SAT_O2" in finished.out


async def test_replay_command_names_the_invalid_line_of_a_capture(tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps({"meta": {}}) + '\n{"dir": "sideways"}\n')
    finished = await invoke("replay", path, "--json")
    assert (finished.code, finished.out) == (1, "")
    assert "line 2" in finished.err


async def test_replay_command_names_the_configuration_id_that_is_missing_in_the_capture(tmp_path):
    path = tmp_path / "own.jsonl"
    text = capture_path("known_oximeter_0190").read_text()
    path.write_text(text.replace("e80100101900001", "e80100140010001"))
    finished = await invoke("replay", path, "--json")
    assert finished.code == 1
    assert "holds no configuration 0x4001" in finished.err


@pytest.mark.finding("edge-check-6")
def test_long_port_names_are_not_wrapped_in_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    link = "serial:/dev/argus/usb-FTDI-FT232R-A50285BI-00-of-the-monitor-in-the-rear-left-rack"
    print_table("Links", ("link", "state", "device"), [(link, "operating", "SIM-MONITOR, unverified")], whole=("link",))
    assert link in capsys.readouterr().out
