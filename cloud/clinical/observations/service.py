"""Store observations that applications post for enrolled devices (contract A-105, A-106).

The checks run in this order: the body itself (code, unit, time), the device, its state and class, the encounter. No
observation emits a domain event: an ambulance sends some hundred a second, and the contract has no such event type.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cloud.access.audit import Audit
from cloud.clinical.devices import LAST_SEEN_GRAIN_US, Device, DeviceNotActive, Devices, DeviceStatus, DeviceUnknown
from cloud.clinical.epcr import Encounters
from cloud.clinical.observations.errors import (
    DeviceClassMismatch,
    EncounterNotLinkable,
    ObservedAtOutOfRange,
    ValueNotFinite,
)
from cloud.clinical.observations.posted import PostedObservation, new_sequence
from cloud.clinical.observations.posted_store import (
    SNAPSHOTS_MAX,
    DeviceSnapshot,
    DeviceSnapshots,
    PendingRow,
    PostedObservations,
)
from cloud.clinical.observations.posting_group import AUDIT_ACTION, PostingGroup
from cloud.clinical.observations.vocabulary import BATTERY, Measured, understood
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.http import IdempotentReply, Response
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Actor

PAST_US_MAX = 30 * 86_400 * 1_000_000
FUTURE_US_MAX = 5 * 60 * 1_000_000
SEQUENCE_TRIES = 3
_PERCENT = range(101)


class ObservationService:
    """Checks and stores posted observations. A process has one instance, which caches device snapshots."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._devices = Devices(ids)
        self._encounters = Encounters()
        self._posted = PostedObservations()
        self._snapshots = DeviceSnapshots()
        self._audit = Audit(clock)
        self._group = PostingGroup(database, self.write, self._audit)
        self._heard_us: dict[tuple[str, str], int] = {}

    def draft(
        self,
        device_id: str,
        *,
        mdc_code: str,
        value: float,
        unit_code: str,
        observed_at_us: int | None = None,
        encounter_id: str | None = None,
    ) -> PostedObservation:
        """Check a request body's values without the database, and build the observation (`observed_at_us` None: now).
        Raises `ValueNotFinite`, `ObservedAtOutOfRange`, `MdcCodeMalformed`, `MdcCodeNotMeasured`, `UnitCodeMalformed`,
        `UnitCodeMismatch`."""
        if value - value != 0:
            raise ValueNotFinite(mistakes=[Mistake("not a finite number", "/value")])
        measured = understood(mdc_code, unit_code)
        now_us = self._clock.now_us()
        at_us = now_us if observed_at_us is None else observed_at_us
        if not now_us - PAST_US_MAX <= at_us <= now_us + FUTURE_US_MAX:
            text = f"{write_moment(at_us)} is out of range at {write_moment(now_us)}."
            raise ObservedAtOutOfRange(text, mistakes=[Mistake(text, "/observed_at")])
        return PostedObservation(
            sequence=new_sequence(self._ids),
            device_id=device_id,
            measured=measured,
            value=value,
            observed_at_us=at_us,
            received_at_us=now_us,
            encounter_id=encounter_id,
        )

    async def post(self, actor: Actor, draft: PostedObservation) -> PostedObservation:
        """Store an observation and return it once it is durable. The returned observation may have a new sequence.
        Raises `DeviceUnknown` (also for another organisation's device), `DeviceNotActive`, `DeviceClassMismatch`,
        `EncounterNotLinkable`."""
        row = self.expected_row(actor, draft)
        if row is not None and await self._group.post(row):
            return draft
        async with self._database.transaction() as tx:
            return await self._post_alone(tx, actor, draft)

    async def post_once(
        self,
        actor: Actor,
        draft: PostedObservation,
        once: IdempotentReply,
        respond: Callable[[PostedObservation], Response],
    ) -> Response:
        """Return the response that is stored for the idempotency key, or else post the observation and store the
        response that `respond` makes. Raises `DeviceUnknown`, `DeviceNotActive`, `DeviceClassMismatch`,
        `EncounterNotLinkable`, `IdempotencyKeyReused`, `IdempotencyKeyInFlight`."""
        async with self._database.transaction() as tx:
            replay = await once.replay(tx)
            if replay is not None:
                return replay
            return await once.store(tx, respond(await self._post_alone(tx, actor, draft)))

    async def _post_alone(self, tx: Transaction, actor: Actor, draft: PostedObservation) -> PostedObservation:
        """Post an observation in the transaction `tx`, which contains no other post. This is for a post with an
        idempotency key, and for a post that could not be written together with others."""
        row, posted = self.expected_row(actor, draft), draft
        if row is None or not await self.write(tx, [row]):
            posted = await self._write_slowly(tx, actor, draft)
            await self._record_device_state(tx, actor.tenant_id, posted)
        await self._audit.record(tx, actor, AUDIT_ACTION, posted.id)
        return posted

    def expected_row(self, actor: Actor, draft: PostedObservation) -> PendingRow | None:
        """Return the row for a post that is expected to succeed, to be written together with other posts. Return None
        if this process has no snapshot of the device, if the device is of another organisation, or if its class does
        not fit the code."""
        device = self._snapshots.get(actor.tenant_id, draft.device_id)
        if device is None or device.organization_id != actor.organization_id:
            return None
        return PendingRow(actor, device, draft) if draft.measured.fits(device.device_class) else None

    async def write(self, tx: Transaction, rows: Sequence[PendingRow]) -> set[int]:
        """Write the rows whose devices still equal their snapshots, and update these devices' state. Return the
        sequences of the written rows."""
        written = await self._posted.write(tx, rows)
        for row in sorted(rows, key=_lock_order):
            if row.posted.sequence in written:
                await self._record_device_state(tx, row.actor.tenant_id, row.posted)
        return written

    async def _write_slowly(self, tx: Transaction, actor: Actor, posted: PostedObservation) -> PostedObservation:
        """Read the device, check everything and write the observation. Raises `DeviceUnknown`, `DeviceNotActive`,
        `DeviceClassMismatch`, `EncounterNotLinkable`."""
        device = await self._active(tx, actor, posted.device_id, posted.measured)
        if posted.encounter_id is not None:
            encounter = await self._encounters.find(tx, actor, posted.encounter_id)
            if encounter is None or encounter.organization_id != device.organization_id:
                raise EncounterNotLinkable(mistakes=[Mistake("not in this organisation", "/encounter_id")])
        snapshot = DeviceSnapshot.of(device)
        owner = replace(actor, organization_id=device.organization_id)
        await self._posted.prepare(tx, snapshot, posted.measured)
        for _ in range(SEQUENCE_TRIES):
            posted = replace(posted, sequence=new_sequence(self._ids))  # the first sequence may have been taken
            if await self._posted.write(tx, [PendingRow(owner, snapshot, posted)]):
                self._snapshots.add(snapshot)
                return posted
        raise ConstraintViolated

    async def _active(self, tx: Transaction, actor: Actor, device_id: str, measured: Measured) -> Device:
        device = await self._devices.find(tx, actor, device_id, lock=True)
        if device is None:
            raise DeviceUnknown
        if device.status is not DeviceStatus.ACTIVE:
            raise DeviceNotActive
        assert device.device_class is not None, "an enrolled device has a class"
        if not measured.fits(device.device_class):
            text = f"{measured.mdc_code} from a device of class {device.device_class}."
            raise DeviceClassMismatch(text, mistakes=[Mistake(text, "/mdc_code")])
        return device

    async def _record_device_state(self, tx: Transaction, tenant_id: str, posted: PostedObservation) -> None:
        """Update the device's battery charge and, at most once in `LAST_SEEN_GRAIN_US`, its last-seen time."""
        key, seen_us = (tenant_id, posted.device_id), posted.seen_us
        heard_us = self._heard_us.get(key)
        if heard_us is None or seen_us >= heard_us + LAST_SEEN_GRAIN_US:
            await self._devices.heard(tx, tenant_id, posted.device_id, seen_us)
            if len(self._heard_us) >= SNAPSHOTS_MAX:
                self._heard_us.clear()
            self._heard_us[key] = seen_us
        if posted.measured.type == BATTERY and posted.measured.unit_code == "%":
            percent = round(posted.value)
            if percent in _PERCENT:
                await self._devices.battery(
                    tx, tenant_id, posted.device_id, percent=percent, measured_at_us=posted.observed_at_us
                )


def _lock_order(row: PendingRow) -> tuple[str, str]:
    """Return the sort key of a transaction's device updates. Ingest locks devices in the same order. In different
    orders two transactions could block each other, and PostgreSQL would abort one with all its posts."""
    return row.device.tenant_id, row.device.device_id
