"""Rows of a store are found on its pages without SQLite, whatever their size and the size of the pages."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gateway.buffer import database
from gateway.buffer.database import EARLIER_PAGE_BYTES, PAGE_BYTES
from gateway.buffer.rows import Row, position_of
from gateway.buffer.salvage import Salvage
from gateway.buffer.sealing import Sealer
from gateway.buffer.statements import OUTBOX
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import GATEWAY, KEY, new_store

EPOCH = "0123456789abcdef"


def row(lane: Lane, sequence: int) -> Row:
    return Row(
        lane=lane,
        sequence=sequence,
        through=sequence,
        kind=BatchKind.OBSERVATIONS,
        count=1,
        created_at_us=1_700_000_000_000_000,
        kept_us=sequence,
        observations_total=sequence,
        bytes_total=sequence,
        boot_id="boot",
        previous_hash=bytes(32),
        row_hash=bytes(32),
    )


def write(path: Path, sealer: Sealer, lane: Lane, sizes: Sequence[int]) -> None:
    """Write batches whose payloads have these sizes, in this order, and the write-ahead log back to the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for sequence, size in enumerate(sizes, 1):
            batch = row(lane, sequence)
            connection.execute(OUTBOX["insert_batch"], batch.columns(*sealer.seal(bytes(size), batch)))


def found(path: Path, sealer: Sealer) -> dict[int, int]:
    """Return the payload size of each row that salvage finds, by position."""
    with Salvage(path) as salvage:
        assert salvage.epoch(gateway=GATEWAY, key=KEY) is not None
        return {
            each.position: len(sealer.open(each.nonce, each.sealed, each))
            for each in salvage.rows(sealer)
            if each is not None
        }


# A row has about 140 bytes beside its payload. Without overflow pages it fits up to the size of a page less 35 bytes;
# each overflow page adds the size of a page less 4 bytes.
SIZES = {
    PAGE_BYTES: range(4 * PAGE_BYTES),
    EARLIER_PAGE_BYTES: [
        *range(0, 600, 7),
        *(number * EARLIER_PAGE_BYTES + size for number in (1, 2, 3) for size in range(-320, 40)),
    ],
}


@pytest.mark.parametrize("order", ["ascending", "random", "one-size"])
@pytest.mark.parametrize("page_bytes", SIZES)
def test_rows_of_each_size_around_the_limits_of_a_page_are_found(
    tmp_path: Path, page_bytes: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PAGE_BYTES", page_bytes)
    sizes = list(SIZES[page_bytes])
    if order == "random":
        random.Random(5).shuffle(sizes)
    elif order == "one-size":
        sizes = [size for size in sizes for _ in range(11)][:: len(sizes) // 90]
    path = new_store(tmp_path)
    sealer = Sealer(KEY, gateway=GATEWAY, epoch=EPOCH)
    write(path, sealer, Lane.EVENT, sizes)
    assert found(path, sealer) == {position_of(Lane.EVENT, n): size for n, size in enumerate(sizes, 1)}


def test_all_rows_of_a_page_that_holds_as_many_as_possible_are_found(tmp_path: Path) -> None:
    """The rows leave the fewest bytes on their page that a row with overflow pages leaves, and have short row ids."""
    path = new_store(tmp_path)
    sealer = Sealer(KEY, gateway=GATEWAY, epoch=EPOCH)
    write(path, sealer, Lane.EVENT, [350] * 100)
    assert len(found(path, sealer)) == 100
    content = path.read_bytes()
    leaves = [begin for begin in range(0, len(content), PAGE_BYTES) if content[begin] == 0x0D]
    assert max(int.from_bytes(content[begin + 3 : begin + 5], "big") for begin in leaves) == 10
