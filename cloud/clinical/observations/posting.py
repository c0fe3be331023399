"""Take in one observation that an application posts for an enrolled device (A-105, A-106).

The order of refusals: what the body says of itself (code, unit, time), then the device, then its state and class, then
the encounter. A posted observation emits no domain event, as one from a vehicle emits none: an ambulance gives some
hundred a second, and the contract's catalogue of events has no such type.
"""

from collections.abc import Sequence
from dataclasses import replace

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
    REMEMBERED_MAX,
    Carried,
    Place,
    PostedObservations,
    RememberedDevices,
)
from cloud.clinical.observations.vocabulary import BATTERY, Measured, understood
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.suggestions import quoted
from cloud.foundation.viewer import Viewer

PAST_US_MAX = 30 * 86_400 * 1_000_000
FUTURE_US_MAX = 5 * 60 * 1_000_000
SEQUENCE_TRIES = 3
_PERCENT = range(101)


class ObservationDesk:
    """The use case. One a process: it remembers devices."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._devices = Devices(ids)
        self._encounters = Encounters()
        self._posted = PostedObservations()
        self._remembered = RememberedDevices()
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
        """What the body says, as far as it can be judged alone. `observed_at_us` None: now.

        Raises `ValueNotFinite`, `ObservedAtOutOfRange` and the errors of `understood`.
        """
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

    async def post(self, viewer: Viewer, draft: PostedObservation) -> PostedObservation:
        """Take it in, as `post_in`; durable when this returns."""
        async with self._database.transaction() as tx:
            return await self.post_in(tx, viewer, draft)

    async def post_in(self, tx: Transaction, viewer: Viewer, draft: PostedObservation) -> PostedObservation:
        """Take it in, within the caller's transaction; the draft, perhaps at another sequence.

        Raises `DeviceUnknown` (also for another organisation's), `DeviceNotActive`, `DeviceClassMismatch`,
        `EncounterNotLinkable`.
        """
        place = self.as_remembered(viewer, draft)
        posted = draft
        if place is None or not await self.write(tx, [place]):
            posted = await self._write_slowly(tx, viewer, draft)
            await self._note(tx, viewer, posted)
        return posted

    def as_remembered(self, viewer: Viewer, draft: PostedObservation) -> Place | None:
        """The row as it will be if the device is still what this process remembers of it; None when it knows nothing
        that fits, which does not mean that nothing does."""
        carried = self._remembered.get(viewer.tenant_id, draft.device_id)
        if carried is None or carried.organization_id != viewer.organization_id:
            return None
        return Place(viewer, carried, draft) if draft.measured.fits(carried.device_class) else None

    async def write(self, tx: Transaction, places: Sequence[Place]) -> set[int]:
        """Write those that are as remembered; their sequences."""
        written = await self._posted.write(tx, places)
        for place in sorted(places, key=_lock_order):
            if place.posted.sequence in written:
                await self._note(tx, place.viewer, place.posted)
        return written

    async def _write_slowly(self, tx: Transaction, viewer: Viewer, posted: PostedObservation) -> PostedObservation:
        """The device is new to this process, has changed or is not there: look at everything, say what is wrong."""
        device = await self._active(tx, viewer, posted.device_id, posted.measured)
        if posted.encounter_id is not None:
            encounter = await self._encounters.find(tx, viewer, posted.encounter_id)
            if encounter is None or encounter.organization_id != device.organization_id:
                text = f"There is no encounter {quoted(posted.encounter_id)}."
                raise EncounterNotLinkable(mistakes=[Mistake(text, "/encounter_id")])
        carried = Carried.of(device)
        owner = Viewer(viewer.tenant_id, device.organization_id, viewer.clearance)
        await self._posted.prepare(tx, carried, posted.measured)
        for _ in range(SEQUENCE_TRIES):
            posted = replace(posted, sequence=new_sequence(self._ids))  # the first may be what was in the way
            if await self._posted.write(tx, [Place(owner, carried, posted)]):
                self._remembered.learn(carried)
                return posted
        raise ConstraintViolated

    async def _active(self, tx: Transaction, viewer: Viewer, device_id: str, measured: Measured) -> Device:
        device = await self._devices.find(tx, viewer, device_id, lock=True)
        if device is None:
            raise DeviceUnknown
        if device.status is not DeviceStatus.ACTIVE:
            raise DeviceNotActive
        assert device.device_class is not None, "an enrolled device has a class"
        if not measured.fits(device.device_class):
            text = f"{measured.mdc_code} from a device of class {device.device_class}."
            raise DeviceClassMismatch(text, mistakes=[Mistake(text, "/mdc_code")])
        return device

    async def _note(self, tx: Transaction, viewer: Viewer, posted: PostedObservation) -> None:
        """When the device was last heard, seldom enough not to be a stream of its own; and its battery."""
        device, seen_us = (viewer.tenant_id, posted.device_id), posted.seen_us
        heard_us = self._heard_us.get(device)
        if heard_us is None or seen_us >= heard_us + LAST_SEEN_GRAIN_US:
            await self._devices.heard(tx, viewer.tenant_id, posted.device_id, seen_us)
            if len(self._heard_us) >= REMEMBERED_MAX:
                self._heard_us.clear()
            self._heard_us[device] = seen_us
        if posted.measured.type == BATTERY and posted.measured.unit_code == "%":
            percent = round(posted.value)
            if percent in _PERCENT:
                await self._devices.battery(
                    tx, viewer.tenant_id, posted.device_id, percent=percent, said_us=posted.observed_at_us
                )


def _lock_order(place: Place) -> tuple[str, str, str, str]:
    """The order in which every transaction updates device rows, ingest's (`ingest/group.py`) too.

    Two transactions that update the same devices in different orders can each wait for the other, and PostgreSQL then
    ends one of them with all its posts.
    """
    device = place.carried
    return device.tenant_id, device.system_id or "", device.organization_id, device.device_id
