"""Announce an object by a row of the index before it is put, so that no process that is killed leaves an orphan.

The transaction that adds its runs adopts it. If that does not happen, the process abandons it, so that it is removed
soon (`sweeping`), and if the process was killed, a sweep does that. Erasures of its tenant wait for it, since it may
hold envelopes of the encounter.
"""

from collections.abc import Collection

from sqlalchemy import select, update

from cloud.clinical.waveforms.ages import ANNOUNCED_US, READERS_US, REPACK_US
from cloud.clinical.waveforms.index import WaveformObject
from cloud.clinical.waveforms.tables import waveform_objects
from cloud.foundation.db import Transaction, insert

_rows = waveform_objects.c
_IS_ANNOUNCED = (_rows.unused_us.is_not(None), _rows.unused_us == _rows.stored_at_us + ANNOUNCED_US)
"""Other unused objects became so at the time at which their last run was deleted."""
NAMES_AT_ONCE = 500
"""Overdue objects that a sweep abandons: each is of a process that was killed."""


class AnnouncedObjects:
    """SQL statements on announced objects."""

    async def announce(self, tx: Transaction, announced: WaveformObject) -> None:
        """Add the row of an object that is not yet put. If it is not adopted, it is abandoned after `ANNOUNCED_US`."""
        stored = announced.stored
        await tx.execute(
            insert(waveform_objects).values(
                tenant_id=announced.tenant_id,
                name=stored.name,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256.hex(),
                stored_at_us=announced.stored_at_us,
                unused_us=announced.stored_at_us + ANNOUNCED_US,
            )
        )

    async def adopt(self, tx: Transaction, name: str, now_us: int) -> int | None:
        """Let runs refer to an announced object, and lock its row; return its id. None if it is not announced any more,
        or has been for `REPACK_US`."""
        mine = (_rows.name == name, *_IS_ANNOUNCED, _rows.stored_at_us >= now_us - REPACK_US)
        adopted = update(waveform_objects).where(*mine).values(unused_us=None)
        found = (await tx.execute(adopted.returning(_rows.object_id))).scalar()
        return None if found is None else int(found)

    async def abandon(self, tx: Transaction, names: Collection[str], now_us: int) -> None:
        """Let announced objects be removed soon, unless they were adopted: after `READERS_US`, since a put that failed
        here may still end in the object store."""
        mine = (_rows.name.in_(sorted(names)), *_IS_ANNOUNCED)
        await tx.execute(update(waveform_objects).where(*mine).values(unused_us=now_us + READERS_US))

    async def overdue(self, tx: Transaction, now_us: int) -> list[str]:
        """Return the names of announced objects that were neither adopted nor abandoned in `ANNOUNCED_US`."""
        found = select(_rows.name).where(*_IS_ANNOUNCED, _rows.unused_us <= now_us).order_by(_rows.unused_us)
        return [row.name for row in await tx.execute(found.limit(NAMES_AT_ONCE))]

    async def is_any(self, tx: Transaction, first: str, since_us: int) -> bool:
        """Return whether an object was announced since `since_us` and is not adopted. `first` is the first part of its
        name."""
        mine = (*_IS_ANNOUNCED, _rows.stored_at_us >= since_us, _rows.name.startswith(f"{first}/"))
        return (await tx.execute(select(_rows.object_id).where(*mine).limit(1))).first() is not None
