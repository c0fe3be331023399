"""A store in a temporary directory, opened as the gateway opens it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings, create_store
from gateway.transports.clock import Clock
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.gaps import decode_gap
from protocols.uplink.lanes import Lane
from tests.harness.moved_clock import MovedClock

GATEWAY = "gw-test"
KEY = bytes(range(32))
OTHER_KEY = bytes(32)

QUICK = BufferSettings(batch_s=0.0, commit_interval_s=0.0, reserve_bytes=1 << 20)
"""Every append is committed at once. The reserve is small, so that tests can use small disks."""


def new_store(folder: Path, name: str = "buffer.db") -> Path:
    """Create an empty store in `folder`, and return its path."""
    path = folder / name
    create_store(path, gateway=GATEWAY, key=KEY, now_us=1_700_000_000_000_000)
    return path


@asynccontextmanager
async def opened(
    path: Path, *, settings: BufferSettings = QUICK, clock: Clock | None = None, witness: Path | None = None
) -> AsyncIterator[Buffer]:
    """Open the store at `path`, and close it afterwards."""
    buffer = await Buffer.open(
        path, gateway=GATEWAY, key=KEY, settings=settings, clock=clock or MovedClock(), witness=witness
    )
    try:
        yield buffer
    finally:
        await buffer.close()


async def whole_lane(buffer: Buffer, lane: Lane, *, after: int = 0) -> list[Batch]:
    """Return every batch of a lane (one of the store's queues) with a sequence number above `after`, read in small
    chunks as the uplink reads them."""
    found: list[Batch] = []
    while chunk := await buffer.next_batches(lane, after=after, limit_batches=7, limit_bytes=1 << 20):
        found += chunk
        after = through(chunk[-1])
    return found


def through(batch: Batch) -> int:
    """Return the last sequence number that a batch covers. A gap batch (a record of lost batches) covers several
    numbers."""
    return decode_gap(batch.payload).through_sequence if batch.kind is BatchKind.GAP else batch.sequence


def acked(buffer: Buffer, lane: Lane, sequence: int) -> Ack:
    """Return the acknowledgement that the cloud sends for all batches of a lane up to `sequence`."""
    return Ack(epoch=buffer.epoch, lane=lane, through_sequence=sequence)
