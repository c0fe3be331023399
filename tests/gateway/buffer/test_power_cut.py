"""Confirmed values survive a kill, a truncated write-ahead log and a failing disk; no batch of a hash chain is lost."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from gateway.buffer import Buffer
from gateway.buffer.database import open_writer
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import GATEWAY, KEY, new_store, opened, whole_lane
from tests.gateway.buffer.test_chain import verdict

KILLS = int(os.environ.get("ARGUS_BUFFER_KILLS", "4"))
SEED = int(os.environ.get("ARGUS_SEED", "20"))


async def victim(path: Path, run: int, *arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.harness.buffer_victim", str(path), str(run), *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def lines_until(process: asyncio.subprocess.Process, count: int) -> list[str]:
    assert process.stdout is not None
    return [(await process.stdout.readline()).decode().strip() for _ in range(count)]


async def check_sound(buffer: Buffer) -> None:
    """Assert that every lane is an intact hash chain from sequence 1 to the last batch, and that no gap record stands
    for lost batches."""
    for lane in Lane:
        batches = await whole_lane(buffer, lane)
        assert [batch.sequence for batch in batches] == list(range(1, buffer.marks()[lane].last + 1))
        assert not any(batch.kind is BatchKind.GAP for batch in batches)
        assert isinstance(verdict(batches, buffer.epoch, lane), Intact)


async def test_confirmed_observations_survive_repeated_kills_of_the_process(tmp_path: Path) -> None:
    print(f"seed {SEED}, {KILLS} kills")
    rng = random.Random(SEED)
    path = new_store(tmp_path)
    printed: list[str] = []
    for run in range(KILLS):
        process = await victim(path, run)
        assert process.stdout is not None
        printed += await lines_until(process, rng.randrange(1, 400))
        process.send_signal(signal.SIGKILL)
        rest = (await process.stdout.read()).decode()
        printed += rest.split("\n")[:-1]  # a line that the kill cut off does not count
        assert await process.wait() == -signal.SIGKILL
    async with opened(path) as buffer:
        stored = [record.value async for record in buffer.records(lane=Lane.NUMERIC, limit=10_000_000)]
        curves = [record async for record in buffer.records(lane=Lane.WAVEFORM, limit=10_000_000)]
        await check_sound(buffer)
        marks = buffer.marks()
        epoch = buffer.epoch
    assert len(printed) > KILLS
    assert {float(value) for value in printed} <= set(stored)
    assert len(stored) == len(set(stored)) == len(curves), "once each, and both lanes of an append or neither"
    witnessed = [line.split() for line in path.with_name("witness").read_text().splitlines()]
    assert {line[0] for line in witnessed} == {epoch}
    for lane in Lane:
        sequences = [int(line[2]) for line in witnessed if line[1] == lane.value]
        assert sequences == sorted(set(sequences))
        assert (sequences or [0])[-1] <= marks[lane].last


async def test_store_with_a_truncated_write_ahead_log_contains_only_complete_commits(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    rng = random.Random(SEED)
    async with opened(path) as buffer:
        for n in range(12):
            await buffer.append_sections([section(numerics(3, first=10.0 * n) + waveform(1, samples=3000))])
            await buffer.append_event(connected())
        database, log = path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()
    seen = set()
    for n in range(24):
        cut = tmp_path / f"cut-{n}" / "buffer.db"
        cut.parent.mkdir()
        cut.write_bytes(database)
        torn = log[: rng.randrange(len(log) + 1)]
        if n % 2:  # a torn sector holds neither its previous nor its new content
            torn = torn[:-512] + rng.randbytes(min(512, len(torn)))
        cut.with_name(cut.name + "-wal").write_bytes(torn)
        async with opened(cut) as buffer:
            await check_sound(buffer)
            marks = buffer.marks()
            assert marks[Lane.NUMERIC].last == marks[Lane.WAVEFORM].last, "a commit is all lanes or none"
            seen.add(marks[Lane.NUMERIC].last)
            await buffer.append_sections([section(numerics(1))])
            await check_sound(buffer)
        shutil.rmtree(cut.parent)
    assert len(seen) > 5


async def test_failed_disk_write_stops_the_buffer_with_a_diagnosis_and_keeps_confirmed_values(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    process = await victim(path, 0, str(2 << 20))
    output, _ = await process.communicate()
    lines = output.decode().splitlines()
    printed, last = [line for line in lines if line.isdecimal()], lines[-1]
    assert last.startswith("failed: The disk failed an operation of the store")
    async with opened(path) as buffer:
        stored = {record.value async for record in buffer.records(lane=Lane.NUMERIC, limit=10_000_000)}
        await check_sound(buffer)
    assert len(printed) > 10
    assert {float(value) for value in printed} <= stored


def test_writer_connection_uses_synchronous_full_and_the_write_ahead_log(tmp_path: Path) -> None:
    connection, _ = open_writer(new_store(tmp_path), gateway=GATEWAY, key=KEY, check_s=1.0)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "mmap_size")
    }
    connection.close()
    assert settings == {"synchronous": 2, "journal_mode": "wal", "mmap_size": 0}


def test_new_store_passes_the_integrity_check_of_sqlite(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO store VALUES (2, 'gw-2', 'e', 0, x'')")
