"""Admit one reading of a record with the patient's identity, and record it in the audit trail with its purpose.

A route of identified data is concealed (`Route.concealed`) and needs an entitled scope. Its token may be older than the
end of the entitlement, so each reading checks it again in its own transaction.
"""

from enum import StrEnum

from cloud.access.apps import AppStore
from cloud.access.audit import Audit
from cloud.clinical.epcr.errors import EncounterUnknown
from cloud.clinical.epcr.model import Encounter
from cloud.clinical.epcr.store import Encounters
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.http import NotFound
from cloud.foundation.viewer import Actor

IDENTIFIED_READ = "epcr.identified_read"
"""Action of the audit entries of readings. Their `job` is the id of the job that read the record, if one did."""


class PurposeOfUse(StrEnum):
    """Purposes for which identified data may be read (HL7 v3 ActReason)."""

    TREAT = "TREAT"
    PUBHLTH = "PUBHLTH"


class IdentifiedReads:
    """Admits readings of identified records."""

    def __init__(self, clock: Clock) -> None:
        self._apps = AppStore()
        self._encounters = Encounters()
        self._audit = Audit(clock)

    async def admit(
        self, tx: Transaction, actor: Actor, encounter_id: str, *, scope: str, purpose: PurposeOfUse, form: str
    ) -> Encounter:
        """Return the encounter that `actor` may read with its identity, and write the audit entry. `scope` is the
        entitled scope of the route, `form` the format of the response.
        Raises `NotFound` when the tenant is not entitled, as for an absent route, and `EncounterUnknown`."""
        encounter = await self.find(tx, actor, encounter_id, scope=scope)
        await self.record(tx, actor, encounter_id, purpose=purpose, form=form)
        return encounter

    async def find(self, tx: Transaction, actor: Actor, encounter_id: str, *, scope: str) -> Encounter:
        """Return the encounter that `actor` may read with its identity. The caller writes the audit entry (`record`)
        before the record leaves the cloud. Raises `NotFound` and `EncounterUnknown` as `admit` does."""
        if scope not in await self._apps.entitled(tx, actor.tenant_id):
            raise NotFound
        encounter = await self._encounters.find(tx, actor, encounter_id)
        if encounter is None:
            raise EncounterUnknown
        return encounter

    async def record(
        self, tx: Transaction, actor: Actor, encounter_id: str, *, purpose: PurposeOfUse, form: str, job_id: str = ""
    ) -> None:
        """Write the audit entry of a reading. `job_id` names the job that read the record, if one did."""
        metadata = {"purpose_of_use": purpose, "form": form, **({"job": job_id} if job_id else {})}
        await self._audit.record(tx, actor, IDENTIFIED_READ, encounter_id, metadata=metadata)
