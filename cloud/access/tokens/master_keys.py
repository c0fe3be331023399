"""The master keys as operators see them: which key seals, which values need a former one, and whether one is lost."""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.master_key import MasterKey, load_master_key
from cloud.foundation.resealing import count_by_key
from cloud.foundation.settings import Settings

PART = "master key"


def described(master: MasterKey, counts: Mapping[str | None, int]) -> list[dict[str, Any]]:
    """Return a row for each key in the file or in the seals. `counts`: the number of values by the key that sealed
    them; None: values from before the first rotation, which the first key sealed."""
    unnamed = master.kids[-1]
    sealed = {kid: counts.get(kid, 0) + (counts.get(None, 0) if kid == unnamed else 0) for kid in master.kids}
    rows = [
        {"kid": kid, "state": "current" if kid == master.kid else "former", "sealed_values": count}
        for kid, count in sealed.items()
    ]
    if master.successor is not None:
        rows.insert(0, {"kid": master.successor, "state": "next", "sealed_values": counts.get(master.successor, 0)})
    return rows + [
        {"kid": kid, "state": "missing", "sealed_values": count} for kid, count in lost(master, counts).items()
    ]


def lost(master: MasterKey, counts: Mapping[str | None, int]) -> dict[str, int]:
    """Return the number of values by the id of a key that sealed them and is not in the file."""
    known = {*master.kids, master.successor}
    return {kid: count for kid, count in counts.items() if kid is not None and kid not in known}


async def master_key_finding(settings: Settings, database: Database) -> Finding:
    """Report whether the key file holds every key that values in the database need."""
    try:
        master = load_master_key(settings)
        async with database.read() as tx:
            counts = await count_by_key(tx)
    except DomainError as error:
        return Finding(PART, Level.FAULT, error.sentence)
    missing = lost(master, counts)
    if missing:
        named = ", ".join(f"{kid} ({count} values)" for kid, count in missing.items())
        sentence = (
            f"The key file lacks keys that sealed values in the database: {named}. Put their lines back into the file "
            "from a backup of it; nothing else opens these values."
        )
        return Finding(PART, Level.FAULT, sentence)
    sentence = f"{master.kid} seals; the key file holds {len(master.kids)} keys."
    if master.successor is not None:
        sentence += f" {master.successor} is prepared: back the file up, then run argus-cloud keys rotate-master."
    former = sum(count for kid, count in counts.items() if kid != master.kid) if len(master.kids) > 1 else 0
    if former:
        sentence += (
            f" {former} values are still sealed by a former key; a process with the worker role seals them again."
        )
    return Finding(PART, Level.OK, sentence)
