"""Announce an object by a row of the index before it is put, so that no process that is killed leaves an orphan.

An announced object is unused from a time on, and is then removed with its row (`sweeping`). The transaction that adds
its runs adopts it, and does so only long before that time. A process that fails and lives brings that time forward.
"""

from sqlalchemy import select, update

from cloud.clinical.waveforms.index import WaveformObject
from cloud.clinical.waveforms.sweeping import ORPHAN_US, READERS_US, REPACK_US
from cloud.clinical.waveforms.tables import waveform_objects
from cloud.foundation.db import Transaction, insert

_rows = waveform_objects.c
_IS_ANNOUNCED = (_rows.unused_us.is_not(None), _rows.unused_us == _rows.stored_at_us + ORPHAN_US)
"""Other unused objects became so at the time at which their last run was deleted."""


class AnnouncedObjects:
    """SQL statements on announced objects."""

    async def announce(self, tx: Transaction, announced: WaveformObject) -> None:
        """Add the row of an object that is not yet put. If it is not adopted, it is removed after `ORPHAN_US`: clocks
        of two machines may differ by hours."""
        stored = announced.stored
        await tx.execute(
            insert(waveform_objects).values(
                tenant_id=announced.tenant_id,
                name=stored.name,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256.hex(),
                stored_at_us=announced.stored_at_us,
                unused_us=announced.stored_at_us + ORPHAN_US,
            )
        )

    async def adopt(self, tx: Transaction, name: str, now_us: int) -> int | None:
        """Let runs refer to an announced object, and lock its row; return its id. None if it is not announced any more,
        or has been for `REPACK_US`."""
        mine = (_rows.name == name, *_IS_ANNOUNCED, _rows.stored_at_us >= now_us - REPACK_US)
        adopted = update(waveform_objects).where(*mine).values(unused_us=None)
        found = (await tx.execute(adopted.returning(_rows.object_id))).scalar()
        return None if found is None else int(found)

    async def abandon(self, tx: Transaction, name: str, now_us: int) -> None:
        """Let an announced object be removed soon, unless it was adopted: after `READERS_US`, since a put that failed
        here may still end in the object store."""
        mine = (_rows.name == name, *_IS_ANNOUNCED)
        await tx.execute(update(waveform_objects).where(*mine).values(unused_us=now_us + READERS_US))

    async def is_any(self, tx: Transaction, first: str, since_us: int) -> bool:
        """Return whether an object was announced since `since_us` and is not adopted. `first` is the first part of its
        name."""
        mine = (*_IS_ANNOUNCED, _rows.stored_at_us >= since_us, _rows.name.startswith(f"{first}/"))
        return (await tx.execute(select(_rows.object_id).where(*mine).limit(1))).first() is not None
