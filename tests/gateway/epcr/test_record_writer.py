"""Field changes from a client: checked by the catalogue, all stored or none, durable before the response."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.buffer import Buffer, BufferSettings
from gateway.epcr.record_writer import RecordWriter
from protocols.epcr.change import DISPATCH_AUTHOR, Action, FieldChange
from protocols.epcr.seal import GATEWAY_AUTHOR
from protocols.uplink.epcr import CHANGES_MAX, decode_changes
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import new_store, opened
from tests.builders.report_drafts import drafts_of
from tests.harness.eventually import eventually
from tests.harness.gateway_process import vehicle
from tests.harness.moved_clock import MovedClock

SPO2 = {"id": "c1", "key": "vitals.spo2", "entry": "v1", "value": "97"}


class Client:
    """A client of the control socket, with the buffer behind it."""

    def __init__(self, buffer: Buffer, clock: MovedClock) -> None:
        self.buffer = buffer
        self.clock = clock
        self._writer = RecordWriter(drafts_of(buffer, clock), clock)

    async def append(self, *changes: Any, **request: Any) -> dict[str, Any]:
        sent = {"ask": "epcr append", "encounter": "enc_1", "author": "usr_anna", "changes": list(changes)}
        return await self._writer.append({**sent, **request})

    async def refusal(self, *changes: Any, **request: Any) -> list[tuple[int | None, str]]:
        reply = await self.append(*changes, **request)
        assert await self.stored() == []
        return [(each["index"], each["code"]) for each in reply["refused"]]

    async def stored(self) -> list[FieldChange]:
        found = await self.buffer.next_batches(Lane.EPCR, after=0, limit_batches=100, limit_bytes=1 << 20)
        return [each for batch in found for each in decode_changes(batch.payload, announced_count=batch.count)]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        yield Client(buffer, clock)


async def test_stored_change_has_the_time_of_the_gateway_and_of_the_device(client: Client):
    at = "2026-05-06T09:08:09.5+02:00"
    reply = await client.append({**SPO2, "value": 97, "device_time": at, "replaces": ["c0"]})
    now_us = client.clock.wall_us()
    assert reply == {"stored": ["c1"], "repeated": [], "gateway_time_us": now_us}
    assert await client.stored() == [
        FieldChange(
            id="c1",
            encounter="enc_1",
            key="vitals.spo2",
            author="usr_anna",
            gateway_time_us=now_us,
            action=Action.SET,
            entry="v1",
            value="97",
            device_time_us=int(datetime(2026, 5, 6, 7, 8, 9, 500_000, UTC).timestamp() * 1_000_000),
            replaces=("c0",),
        )
    ]


async def test_request_that_is_sent_again_gets_the_same_outcome(client: Client):
    await client.append(SPO2)
    assert (await client.append(SPO2))["repeated"] == ["c1"]
    assert len(await client.stored()) == 1


async def test_one_faulty_change_refuses_the_request_and_each_fault_is_reported(client: Client):
    faulty = {**SPO2, "id": "c2", "value": "970"}
    assert await client.refusal(SPO2, faulty, {**SPO2, "id": "c3", "key": "vitals.mood"}) == [
        (1, "value_not_permitted"),
        (2, "element_unknown"),
    ]


async def test_id_of_another_change_is_refused(client: Client):
    await client.append(SPO2)
    reply = await client.append({**SPO2, "value": "98"})
    assert [(each["index"], each["code"]) for each in reply["refused"]] == [(0, "id_reused")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("a text", "change_malformed"),
        ({**SPO2, "mood": "calm"}, "field_unknown"),
        ({**SPO2, "value": True}, "field_malformed"),
        ({**SPO2, "value": ["97"]}, "field_malformed"),
        ({**SPO2, "key": 7}, "field_malformed"),
        ({"key": "vitals.spo2"}, "field_missing"),
        ({**SPO2, "entry": "x" * 200}, "entry_malformed"),
        ({**SPO2, "action": "delete"}, "action_unknown"),
        ({**SPO2, "action": ["set"]}, "action_unknown"),
        ({**SPO2, "replaces": "c0"}, "replaces_malformed"),
        ({**SPO2, "device_time": "2026-05-06T09:08:09"}, "time_malformed"),
        ({**SPO2, "device_time": 7}, "time_malformed"),
        ({**SPO2, "device_time": "1969-01-01T00:00:00Z"}, "time_malformed"),
    ],
)
async def test_malformed_change_is_refused(client: Client, change: Any, code: str):
    assert await client.refusal(change) == [(0, code)]


async def test_malformed_request_is_refused(client: Client):
    assert await client.refusal(changes="c1") == [(None, "changes_malformed")]
    assert await client.refusal() == [(None, "changes_malformed")]
    assert await client.refusal(*[SPO2] * (CHANGES_MAX + 1)) == [(None, "changes_malformed")]
    assert await client.refusal(SPO2, author=None) == [(None, "request_malformed")]
    for author in (GATEWAY_AUTHOR, DISPATCH_AUTHOR):
        assert await client.refusal(SPO2, author=author) == [(None, "author_reserved")]
    long = {"key": "narrative.text", "value": "🚑" * 10_000}
    assert await client.refusal(*({**long, "id": f"c{number}"} for number in range(4))) == [(None, "too_large")]


async def test_change_that_cannot_be_stored_stays_with_the_client(tmp_path: Path):
    clock = MovedClock()
    buffer = await Buffer.open(
        tmp_path / "absent.db", gateway="gw", key=bytes(32), settings=BufferSettings(), clock=clock, serving=True
    )
    reply = await RecordWriter(drafts_of(buffer, clock), clock).append(
        {"encounter": "e", "author": "a", "changes": [SPO2]}
    )
    await buffer.close()
    assert [each["code"] for each in reply["refused"]] == ["store_full"]


async def test_changes_from_the_command_line_survive_a_kill(tmp_path: Path):
    async with vehicle(tmp_path) as gateway:
        of = ("enc_1", "--author", "usr_anna")
        made = await gateway.invoke(
            "epcr", "set", of[0], "medications.drug", *of[1:], "703", "--entry", "m1", "--id", "c1"
        )
        assert (made.code, made.out) == (0, "c1 stored\n")
        wrong = await gateway.invoke("epcr", "set", of[0], "medications.dose", *of[1:], "much", "--entry", "m1")
        assert wrong.code == 1
        assert "nothing was stored: medications.dose is a number from 0 to 999999.999" in wrong.err
        negative = ("--negative", "refused", "--entry", "v1", "--json")
        assert (await gateway.invoke("epcr", "set", of[0], "vitals.spo2", *of[1:], *negative)).json()["repeated"] == []
        await gateway.kill()
        await gateway.start()
        again = await gateway.invoke(
            "epcr", "set", of[0], "medications.drug", *of[1:], "703", "--entry", "m1", "--id", "c1"
        )
        assert again.out == "c1 stored already\n"
        void = await gateway.invoke("epcr", "void", of[0], "medications", "m1", *of[1:], "--reason", "not given")
        assert void.code == 0
        gone = await gateway.invoke("epcr", "remove", of[0], "vitals.spo2", *of[1:], "--entry", "v1")
        assert gone.code == 0
        await eventually(lambda: _has_four_batches(gateway))


async def test_check_25_hand_over_is_printed_from_the_box_beside_the_running_gateway(tmp_path: Path):
    async with vehicle(tmp_path) as gateway:
        await gateway.invoke("epcr", "set", "enc_1", "patient.last_name", "--author", "usr_anna", "Żółć")
        folder = tmp_path / "printed"
        folder.mkdir()
        files = [folder / name for name in ("a.pdf", "a.json", "a.html")]
        named = [
            part
            for option, file in zip(("--pdf", "--bundle", "--html"), files, strict=True)
            for part in (option, str(file))
        ]
        printed = await gateway.invoke("epcr", "handover", "enc_1", "--language", "pl", *named)
        assert printed.code == 0, printed.err
        assert "Nie odnotowano uczuleń" in printed.out
        assert files[0].read_bytes().startswith(b"%PDF-1.7")
        assert "Żółć" in files[1].read_text()
        assert "Żółć" in files[2].read_text()
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        unknown = await gateway.invoke("epcr", "handover", "enc_2", *named)
        assert (unknown.code, "no care record of enc_2" in unknown.err) == (1, True)
        nothing = await gateway.invoke("epcr", "handover", "enc_1")
        assert (nothing.code, "name at least one file" in nothing.err) == (1, True)


async def _has_four_batches(gateway: Any) -> bool:
    return bool((await gateway.status())["lanes"]["epcr"]["last"] == 4)


async def test_list_of_elements_needs_no_gateway(tmp_path: Path):
    async with vehicle(tmp_path, started=False) as gateway:
        listed = await gateway.invoke("epcr", "elements", "--group", "vitals", "--json")
        assert len(listed.json_lines()) == 34
        assert listed.json_lines()[11]["title"] == {"en": "SpO₂", "pl": "SpO₂"}
        unknown = await gateway.invoke("epcr", "elements", "--group", "moods")
        assert (unknown.code, unknown.out) == (1, "")
