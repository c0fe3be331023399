"""The phase that deletes stored replies to requests with an `Idempotency-Key`: they have the posted value for a day.

Without its stored reply, a request that is repeated posts the observation again, and a later round erases it.
"""

from typing import Any

import orjson
from sqlalchemy import delete, select, tuple_

from cloud.clinical.observations import ErasedValues
from cloud.foundation.http import idempotency_keys
from cloud.foundation.moments import read_moment
from cloud.vehicles.erasure.model import Amounts, Erasure, Progress
from cloud.vehicles.erasure.place import ErasingPlace

REPLIES_AT_ONCE = 500
"""Replies that one step reads, each of less than a kilobyte."""


async def erase_replies(place: ErasingPlace, erasure: Erasure, position: list[int]) -> Progress:
    """Delete the stored replies of the encounter among the next ones. The position is the expiry of the last one."""
    table = idempotency_keys.c
    (from_us,) = position or [0]
    here = (table.tenant_id == erasure.tenant_id, table.expires_at_us >= from_us, table.body.is_not(None))
    async with place.step(erasure) as step:
        statement = select(table.key, table.body, table.expires_at_us).where(*here).order_by(table.expires_at_us)
        page = (await step.tx.execute(statement.limit(REPLIES_AT_ONCE))).rows
        mine = [(erasure.tenant_id, row.key) for row in page if _is_of(bytes(row.body), step.values)]
        if mine:
            await step.tx.execute(delete(idempotency_keys).where(tuple_(table.tenant_id, table.key).in_(mine)))
        following = None
        if len(page) == REPLIES_AT_ONCE:
            last_us = page[-1].expires_at_us
            # More replies of one instant than a step reads are passed over together; they have expired in a day.
            following = [last_us if last_us > from_us else last_us + 1]
        step.progress = Progress(following, Amounts(replies=len(mine)))
    return step.progress


def _is_of(body: bytes, values: ErasedValues) -> bool:
    """Return whether a reply names the encounter, or has an observation of one of its devices at its time."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(document, dict):
        return False
    if document.get("encounter_id") == values.encounter_id:
        return True
    device_id, at = document.get("device_id"), document.get("observed_at")
    return isinstance(at, str) and values.has(str(device_id), read_moment(at))
