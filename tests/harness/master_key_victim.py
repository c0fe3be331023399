"""A process whose children rotate the master key and are killed, each at another step.

    python -m tests.harness.master_key_victim DATABASE_URL KEY_FILE STRIDE

A child prepares the next key, rotates, and seals all values again, as the two commands and the worker do. A step is a
flush, the replacement or the removal of a file, the begin of a transaction, a statement of it, or its commit. The
children are killed at step STRIDE, 2 x STRIDE and so on, each with the same key file and sealed values at its start,
until a child ends before its step. After each kill the process checks that the key file opens every value, and that it
holds the key that signed records before; then another child repeats the commands and ends. The process prints the
number of children that died by SIGKILL.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy import select, update

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import SealedColumn, open_database, sealed_columns
from cloud.foundation.master_key import MasterKey
from cloud.foundation.master_key_rotation import MasterKeyPrepared, prepare, rotate
from cloud.foundation.resealing import Resealer, count_by_key
from cloud.foundation.slice import load_tables
from cloud.partners.webhooks import WebhookKeys
from cloud.work.provenance_keys import ProvenanceKeys
from tests.harness.forked_child import run_forked
from tests.harness.placed_database import PlacedDatabase
from tests.harness.steps import Steps

Sealed = Sequence[tuple[SealedColumn, str, bytes]]
"""Each sealed value with its column and the name of its row."""


def make_files_stepped(steps: Steps) -> None:
    flush, replace, unlink = os.fsync, Path.replace, Path.unlink

    def stepped_flush(descriptor: int) -> None:
        steps.passed()
        flush(descriptor)

    def stepped_replace(self: Path, target: Path) -> Path:
        steps.passed()
        return replace(self, target)

    def stepped_unlink(self: Path, missing_ok: bool = False) -> None:
        steps.passed()
        unlink(self, missing_ok=missing_ok)

    os.fsync = stepped_flush
    Path.replace = stepped_replace  # type: ignore[method-assign,assignment]
    Path.unlink = stepped_unlink  # type: ignore[method-assign]


async def rotate_whole(url: str, path: Path, first: str, steps: Steps) -> None:
    """Do what an operator who repeats the commands does until the key is another than `first`, and the worker's part
    after it."""
    make_files_stepped(steps)
    if MasterKey.load(path).kid == first:
        with suppress(MasterKeyPrepared):
            prepare(path)
        rotate(path)
    database = await open_database(url)
    try:
        stepped, resealer = PlacedDatabase(database, steps.in_database), Resealer(lambda: MasterKey.load(path))
        examined = 1
        while examined:
            async with stepped.transaction() as tx:
                examined = await resealer.work(tx, 0)
    finally:
        await database.close()


async def sealed_values(url: str) -> Sealed:
    database = await open_database(url)
    try:
        found = []
        async with database.read() as tx:
            for one in sealed_columns():
                statement = select(one.name_column, one.column).where(one.column.is_not(None))
                found += [(one, str(name), bytes(value)) for name, value in await tx.execute(statement)]
        return found
    finally:
        await database.close()


async def make_values(url: str, path: Path) -> None:
    database, clock = await open_database(url), SystemClock()
    try:
        for keys in (WebhookKeys, ProvenanceKeys):
            await keys(database, clock, lambda: MasterKey.load(path)).ensure()
    finally:
        await database.close()


async def put_back(url: str, sealed: Sealed) -> None:
    database = await open_database(url)
    try:
        async with database.transaction() as tx:
            for one, name, value in sealed:
                statement = update(one.column.table).where(one.name_column == name)
                await tx.execute(statement.values({one.column.name: value}))
    finally:
        await database.close()


async def check_ended(url: str, path: Path) -> None:
    database = await open_database(url)
    try:
        async with database.read() as tx:
            counts = await count_by_key(tx)
    finally:
        await database.close()
    assert set(counts) == {MasterKey.load(path).kid}, counts
    assert list(path.parent.glob(".*")) == [], "a file with a key was left"


def opened(sealed: Sealed, master: MasterKey) -> dict[tuple[str, str], bytes]:
    return {(one.column.table.name, name): master.open(one.purpose, name, value) for one, name, value in sealed}


def main(url: str, path: Path, stride: int) -> int:
    load_tables()
    first = MasterKey.create(path)
    text = path.read_bytes()
    asyncio.run(make_values(url, path))
    sealed = asyncio.run(sealed_values(url))
    plain = opened(sealed, first)
    assert len(plain) == 4
    killed = 0
    while True:
        path.write_bytes(text)
        asyncio.run(put_back(url, sealed))
        steps = Steps((killed + 1) * stride)
        status = run_forked(partial(rotate_whole, url, path, first.kid, steps))
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        now = MasterKey.load(path)
        assert opened(asyncio.run(sealed_values(url)), now) == plain, f"after kill {killed + 1}"
        assert now.bytes_of(first.kid) is not None
        assert now.derive("pseudonyms") == first.derive("pseudonyms")
        if status == 0:
            return killed
        killed += 1
        assert run_forked(lambda: rotate_whole(url, path, first.kid, Steps(0))) == 0
        assert opened(asyncio.run(sealed_values(url)), MasterKey.load(path)) == plain
        asyncio.run(check_ended(url, path))


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
