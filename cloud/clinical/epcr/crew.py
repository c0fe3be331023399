"""The crew register: the ids that `crew_ids` of a dispatch may contain. The operator maintains the register on the
command line.
"""

from collections.abc import Sequence

from cloud.access.audit import Audit
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, TenancyStore
from cloud.clinical.epcr.errors import CrewMemberUnknown
from cloud.clinical.epcr.model import CrewMember
from cloud.clinical.epcr.store import Crew
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.viewer import Actor, Viewer
from protocols.epcr.crew_role import CrewRole


async def checked_crew(
    tx: Transaction, crew: Crew, viewer: Viewer, organization_id: str, crew_ids: Sequence[str]
) -> Sequence[str]:
    """Return each id of a crew once. Raises `CrewMemberUnknown` for an id outside of the organisation's register."""
    ids = list(dict.fromkeys(crew_ids))
    known = await crew.known(tx, viewer, organization_id, ids) if ids else set()
    for index, member in enumerate(ids):
        if member not in known:
            text = "This crew id is not registered."
            raise CrewMemberUnknown(text, mistakes=[Mistake(text, f"/crew_ids/{index}")])
    return ids


class CrewRegister:
    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._crew = Crew()
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def add(
        self, actor: Actor, *, organization_id: str, role: CrewRole = CrewRole.OTHER, id: str | None = None
    ) -> CrewMember:
        """Add a crew member (`id` None: with a new id). Raises `OrganizationUnknown`, `IdentifierTaken`,
        `IdentifierMalformed`."""
        member = CrewMember(
            tenant_id=actor.tenant_id,
            id=self._ids.new("usr") if id is None else checked_id(id),
            organization_id=organization_id,
            role=role,
            created_at_us=self._clock.now_us(),
        )
        async with self._database.transaction() as tx:
            if await self._tenancy.find_organization(tx, actor, organization_id) is None:
                raise OrganizationUnknown
            if not await self._crew.add(tx, member):
                raise IdentifierTaken(f"(crew member {member.id})")
            await self._audit.record(tx, actor, "crew.add", member.id, metadata={"role": member.role})
        return member

    async def list(self, viewer: Viewer) -> Sequence[CrewMember]:
        async with self._database.read() as tx:
            return await self._crew.list(tx, viewer)
