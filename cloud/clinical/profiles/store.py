"""SQL statements that read and write profiles and their enrichments."""

from collections.abc import Collection, Mapping, Sequence

import orjson
from sqlalchemy import delete, select

from cloud.clinical.profiles.model import Enrichment, Profile
from cloud.clinical.profiles.tables import profile_enrichments, profiles
from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.viewer import SecrecyLevel, Viewer, visible

_LIST = (lambda texts: orjson.dumps(list(texts)).decode(), lambda text: tuple(orjson.loads(text)))
_PROFILES = Records(
    Profile, profiles, codecs={"names": _LIST, "countries": _LIST, "secrecy_level": (int, SecrecyLevel)}
)
_ENRICHMENTS = Records(Enrichment, profile_enrichments)


class ProfileStore:
    """SQL statements on profiles."""

    async def find(self, tx: Transaction, viewer: Viewer, profile_id: str, *, lock: bool = False) -> Profile | None:
        """Return a profile that the viewer may see, or None. `lock`: no other transaction can change it until `tx`
        ends."""
        statement = _PROFILES.select().where(*visible(profiles, viewer), profiles.c.id == profile_id)
        return await _PROFILES.first(tx, statement.with_for_update() if lock else statement)

    async def list(self, tx: Transaction, viewer: Viewer, *, count: int) -> Sequence[Profile]:
        """Return the newest profiles, newest first, at most `count`."""
        statement = _PROFILES.select().where(*visible(profiles, viewer))
        return await _PROFILES.all(tx, statement.order_by(profiles.c.id.desc()).limit(count))

    async def put(self, tx: Transaction, viewer: Viewer, profile: Profile) -> str | None:
        """Add a profile, or replace the fields of the one with its reference, which keeps its id. Return its id; None,
        without a change, if that one is above the viewer's clearance."""
        values = _PROFILES.values(profile)
        key = ["tenant_id", "organization_id", "reference"]
        changed = {name: value for name, value in values.items() if name not in (*key, "id", "created_at_us")}
        readable = profiles.c.secrecy_level <= int(viewer.clearance)
        added = insert(profiles).values(values)
        put = added.on_conflict_do_update(index_elements=key, set_=changed, where=readable).returning(profiles.c.id)
        row = (await tx.execute(put)).first()
        return None if row is None else str(row.id)

    async def remove(self, tx: Transaction, profile: Profile) -> None:
        """Delete a profile with its enrichments."""
        of_profile = profile_enrichments.c.profile_id == profile.id
        await tx.execute(
            delete(profile_enrichments).where(profile_enrichments.c.tenant_id == profile.tenant_id, of_profile)
        )
        await tx.execute(delete(profiles).where(profiles.c.tenant_id == profile.tenant_id, profiles.c.id == profile.id))

    async def changes(self, tx: Transaction, tenant_id: str, ids: Collection[str]) -> Mapping[str, int]:
        """Return the time of the last change (µs) of each of these profiles that is there. No other transaction can
        remove them until `tx` ends."""
        c = profiles.c
        statement = select(c.id, c.updated_at_us).where(c.tenant_id == tenant_id, c.id.in_(ids))
        # In one order, so that two transactions cannot wait for each other.
        locked = statement.order_by(c.id).with_for_update(read=True, key_share=True)
        return {row.id: row.updated_at_us for row in await tx.execute(locked)}

    async def add_enrichments(self, tx: Transaction, enrichments: Sequence[Enrichment]) -> None:
        rows = [_ENRICHMENTS.row(one) for one in enrichments]
        await tx.driver.append(profile_enrichments, _ENRICHMENTS.names, rows)

    async def newest_enrichment(self, tx: Transaction, profile: Profile) -> Enrichment | None:
        """Return the last enrichment of a profile that the caller may see, or None."""
        c = profile_enrichments.c
        statement = _ENRICHMENTS.select().where(c.tenant_id == profile.tenant_id, c.profile_id == profile.id)
        return await _ENRICHMENTS.first(tx, statement.order_by(c.enriched_at_us.desc(), c.id.desc()).limit(1))
