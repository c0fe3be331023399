"""The pairing dialogue over the control socket, for a person at the command line and for a program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.console.ble_desk import BleDesk
from gateway.console.ble_view import heard_json, passkey_of
from gateway.console.control import ControlServer, Conversation, query
from gateway.sessions.tracing import Taps
from gateway.transports.ble.scanner import Heard
from protocols.ble import uuids
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.options import Pairing
from tests.builders.ble_pairing import World, world
from tests.databases.make_buffer import OXIMETER
from tests.harness.eventually import eventually

PASSKEY = BleBehaviour(pairing=Pairing.PASSKEY, passkey=42)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[tuple[World, Path]]:
    """Run a control socket with the pairing dialogue.

    Yield the radio, central and store behind the dialogue, and the path of the socket.
    """

    async with world(folder) as there:

        async def well(address: str) -> bool:
            return await there.radio.bonded(address)

        async def answers() -> dict[str, Any]:
            return {"well": True}

        at = BleDesk(there.pairings, there.central, well)
        path = folder / "control.sock"
        conversations = {"ble pair": at.pair, "ble forget": at.forget}
        async with ControlServer(path, {"status": answers}, Taps(), conversations=conversations).listening():
            yield there, path


async def said(path: Path, ask_for: str, address: str, *answers: Any, **options: Any) -> list[dict[str, Any]]:
    """Start a dialogue over the control socket and reply to its questions with `answers` in turn; return its lines."""
    lines, left = [], list(answers)
    async with Conversation(path, {"ask": ask_for, "address": address, **options}) as conversation:
        async for line in conversation.lines():
            lines.append(line)
            if "question" in line:
                conversation.reply(left.pop(0))
    assert left == [], "not every answer was asked for"
    return lines


async def test_pairing_with_the_yes_option_requests_no_confirmation(tmp_path: Path) -> None:
    async with desk(tmp_path) as (there, path), there.device() as oximeter:
        lines = await said(path, "ble pair", oximeter.address, yes=True)
        assert [line["step"] for line in lines[:-1]] == ["listening", "pairing", "looking"]
        assert lines[-1]["done"]["address"] == oximeter.address
        assert lines[-1]["done"]["bonded"] is True
        again = await said(path, "ble pair", oximeter.address, yes=True)
        assert [line.get("step") for line in again] == ["paired", None]
        assert oximeter.status.pairings == 1
        anew = await said(path, "ble pair", oximeter.address, yes=True, again=True)
        assert anew[-1]["done"]["bonded"] is True
        assert oximeter.status.pairings == 2


async def test_pairing_without_the_yes_option_requests_confirmation_and_passkey(tmp_path: Path) -> None:
    async with desk(tmp_path) as (there, path), there.device(behaviour=PASSKEY) as oximeter:
        refused = await said(path, "ble pair", oximeter.address, False)
        assert refused[-1]["failed"] == "not_confirmed"
        lines = await said(path, "ble pair", oximeter.address, True, "000042")
        assert [line["question"] for line in lines if "question" in line] == ["confirm", "passkey"]
        assert lines[-1]["done"]["name"]
        assert not any("42" in str(line.get("says")) for line in lines), "digits are secrets while they are shown"


async def test_pair_command_with_yes_requires_a_passkey_for_a_passkey_device(tmp_path: Path) -> None:
    async with desk(tmp_path) as (there, path), there.device(behaviour=PASSKEY) as oximeter:
        failed = (await said(path, "ble pair", oximeter.address, yes=True))[-1]
        assert failed["failed"] == "no_digits"
        assert "--passkey" in failed["to_do"]
        (line,) = await said(path, "ble pair", oximeter.address, yes=True, passkey="42")
        assert line["failed"] == "bad_passkey"
        done = (await said(path, "ble pair", oximeter.address, yes=True, passkey="000042"))[-1]
        assert done["done"]["bonded"] is True


async def test_pairing_ends_when_its_client_closes_the_connection(tmp_path: Path) -> None:
    async with desk(tmp_path) as (there, path), there.device() as oximeter:
        async with Conversation(path, {"ask": "ble pair", "address": oximeter.address}) as conversation:
            async for line in conversation.lines():
                if "question" in line:
                    break
            assert there.pairings.under_way == oximeter.address
        await eventually(lambda: there.pairings.under_way is None)
        assert there.trust.paired == []
        assert "done" in (await said(path, "ble pair", oximeter.address, yes=True))[-1]


async def test_pairing_fails_when_it_is_not_confirmed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.console.ble_desk.CONFIRM_S", 0.05)
    async with desk(tmp_path) as (there, path), there.device() as oximeter:
        async with Conversation(path, {"ask": "ble pair", "address": oximeter.address}) as conversation:
            lines = [line async for line in conversation.lines()]
        assert lines[-1]["failed"] == "not_confirmed"
        assert there.pairings.under_way is None


async def test_pairing_dialogue_ends_at_its_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as (there, path):
        monkeypatch.setattr("gateway.console.dialogue.DIALOGUE_S", 0.05)
        async with Conversation(path, {"ask": "ble pair", "address": "C0:00:00:00:00:01"}) as conversation:
            lines = [line async for line in conversation.lines()]
        assert [line["step"] for line in lines] == ["listening"]
        await eventually(lambda: there.pairings.under_way is None)


async def test_gateway_stop_ends_the_pending_pairing(tmp_path: Path) -> None:
    async with desk(tmp_path) as (there, path):
        conversation = Conversation(path, {"ask": "ble pair", "address": "C0:00:00:00:00:01"})
        await conversation.__aenter__()
        await eventually(lambda: there.pairings.under_way is not None)
    assert there.pairings.under_way is None
    await conversation.__aexit__()


@pytest.mark.parametrize("nonsense", [{"answer": True}, {"hello": 1}, [1], "yes"])
async def test_pairing_client_that_sends_an_unexpected_line_is_disconnected(tmp_path: Path, nonsense: Any) -> None:
    async with desk(tmp_path) as (there, path):
        async with Conversation(path, {"ask": "ble pair", "address": "C0:00:00:00:00:01"}) as conversation:
            async for line in conversation.lines():
                assert line["step"] == "listening"
                conversation._writer.write(orjson.dumps(nonsense) + b"\n")
        await eventually(lambda: there.pairings.under_way is None)
        assert await query(path, "status") == {"well": True}


async def test_forget_request_fails_for_a_device_that_is_not_paired(tmp_path: Path) -> None:
    async with desk(tmp_path) as (there, path), there.device() as oximeter:
        await said(path, "ble pair", oximeter.address, yes=True)
        (line,) = await said(path, "ble forget", oximeter.address)
        assert line["done"] == oximeter.address
        assert there.trust.paired == []
        (line,) = await said(path, "ble forget", oximeter.address)
        assert line["failed"] == "not_paired"


def test_passkey_is_accepted_only_as_six_ascii_digits_or_a_number_below_a_million() -> None:
    assert [passkey_of(each) for each in (42, "000042", 999_999)] == [42, 42, 999_999]
    assert [passkey_of(each) for each in ("42", 1_000_000, -1, True, 4.2, "12345٦", None, [1])] == [None] * 8


def test_scan_list_marks_paired_devices_and_devices_that_have_the_name_of_a_paired_device() -> None:
    def heard(address: str, name: str, rssi: int, *services: int) -> Heard:
        return Heard(address, name, rssi, services, at_s=99.0)

    listed = heard_json(
        [
            heard("AA:00:00:00:00:01", "Headphones", -30, 0x110B),
            heard("AA:00:00:00:00:02", "invented oximeter", -40, uuids.PULSE_OXIMETER),
            heard(OXIMETER.address, "Invented Oximeter", -80, uuids.PULSE_OXIMETER),
        ],
        [OXIMETER],
        now_s=100.0,
    )
    assert [each["address"][-2:] for each in listed] == ["01", "02", "01"]
    assert [(each["paired"], each["namesake_of"]) for each in listed] == [
        (True, None),
        (False, OXIMETER.address),
        (False, None),
    ]
    assert [each["measures"] for each in listed] == [True, True, False]
    assert listed[0]["heard_s"] == 1.0
