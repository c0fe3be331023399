"""Track the device on one link, from its identification until it has left, for every protocol.

A present device is shown on the crew page, in the roster, in its history and in events; after it has left, all of these
show it as absent. `claims` decides which link may use a system id. The sessions implement how a device identifies
itself and what it measures.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from gateway.buffer.errors import StoreFull
from gateway.live import LiveDevice
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.claims import Claimant, Verdict
from gateway.sessions.devices.description_reporter import DESCRIBING
from gateway.sessions.devices.history_recorder import HistoryRecorder
from gateway.sessions.devices.link_class import stronger
from gateway.sessions.devices.roster import KnownDevice
from gateway.transports.clock import Instant
from protocols.ieee11073.dim.identity import DeviceIdentity, changed
from protocols.uplink.events import EventField
from protocols.uplink.observations import DeviceRef

NAME_LENGTH_MAX = 100
"""Maximum length of a name: a device may choose its name freely, and the record has 512 bytes for a model."""


class DevicePresence:
    """Presence of the device on one link; several devices may follow each other. `recorder` adds events to the history
    of the present device."""

    def __init__(self, context: SessionContext, link: str, claimant: Claimant) -> None:
        self.recorder = HistoryRecorder(context.histories, link)
        self.left = asyncio.Event()
        """Set while no device is present."""
        self.left.set()
        self._context = context
        self._link = link
        self._claimant = claimant
        self.device: LiveDevice | None = None
        self._identity: DeviceIdentity | None = None

    @property
    def system_id(self) -> str | None:
        return None if self.device is None else self.device.ref.system_id

    async def claim(self, system_id: str) -> Verdict:
        return await self._context.claims.claim(system_id, self._claimant)

    async def record_refusal(self, system_id: str, verdict: Verdict, at_us: int) -> None:
        """Record that the claim of `system_id` was refused. Nothing that the device sent is kept."""
        known = self._context.roster.device(system_id)
        history = self._context.histories.of(system_id, at_us)
        if verdict is Verdict.WEAKER_LINK:
            history.add_refused_claim("unverified link", self._link, at_us)
            await self._context.journal.record(
                "device.refused_unverified_link", system_id, link=self._link, belongs_to=known.link_class.value
            )
        else:
            history.add_refused_claim("connected elsewhere", self._link, at_us)
            await self._context.journal.record("device.refused_duplicate_id", system_id, link=self._link)

    async def arrive(self, system_id: str, instant: Instant, **fields: EventField) -> None:
        """Record that the device is present, after its claim of the system id was granted. `fields` are added to the
        event `device.connected`."""
        context = self._context
        before = context.roster.device(system_id)
        known = self._with_class(before)
        self.recorder.begin_association(system_id, instant.wall_us)
        self.left.clear()
        self.device = LiveDevice(
            ref=self._ref(known),
            manufacturer=known.manufacturer,
            link=self._link,
            connected=True,
            since_s=instant.monotonic_s,
        )
        context.live.device(self.device)
        await self._remember(replace(known, last_seen_us=instant.wall_us))
        if before.accepted_us is not None and known.accepted_us is None:
            await context.journal.record("device.acceptance_ended", system_id, link=self._link)
        unverified = self.device.ref.unverified_link if self.device is not None else False
        await context.journal.record("device.connected", system_id, link=self._link, unverified=unverified, **fields)

    async def identify(self, identity: DeviceIdentity, instant: Instant) -> None:
        """Record the identity that the device has reported. Do nothing where no device is present."""
        if self.device is None:
            return
        context, system_id = self._context, self.device.ref.system_id
        known = replace(
            context.roster.device(system_id),
            model=identity.model[:NAME_LENGTH_MAX],
            manufacturer=identity.manufacturer[:NAME_LENGTH_MAX],
            serial_number=identity.serial_number[:NAME_LENGTH_MAX],
            last_seen_us=instant.wall_us,
        )
        self.device = replace(self.device, ref=self._ref(known), manufacturer=known.manufacturer)
        context.live.device(self.device)
        await self._remember(known)
        await context.journal.record("device.identified", system_id, model=known.model, manufacturer=known.manufacturer)
        self._identity = identity
        await self._report(identity)

    async def update_attributes(self, attributes: Iterable[tuple[int, bytes]]) -> None:
        """Report changed attributes of the device's MDS. Other attributes than those that describe the device, such as
        its clock, are left out."""
        describing = tuple(each for each in attributes if each[0] in DESCRIBING)
        if self.device is None or not describing:
            return
        before = self._identity or DeviceIdentity(system_id=bytes.fromhex(self.device.ref.system_id))
        self._identity = changed(before, describing)
        await self._report(self._identity)

    async def _report(self, identity: DeviceIdentity) -> None:
        if self.device is not None:
            unverified = self.device.ref.unverified_link
            await self._context.descriptions.report(identity, link=self._link, unverified=unverified)

    def update_verification(self) -> None:
        """Update the flag `unverified_link` of later values, after an acceptance or its revocation."""
        if self.device is None:
            return
        known = self._context.roster.device(self.device.ref.system_id)
        self.device = replace(self.device, ref=self._ref(known))
        self._context.live.device(self.device)
        self._context.descriptions.set_unverified(known.system_id, self.device.ref.unverified_link)

    def _with_class(self, known: KnownDevice) -> KnownDevice:
        """Return `known` with the class of this link, if this class is stronger. The acceptance of the device ends with
        the first link that proves the device's identity, because the operator accepted a device whose links proved
        nothing."""
        link_class = stronger(known.link_class, self._claimant.link_class)
        was_weak = known.link_class is not link_class and not known.link_class.proves_device
        accepted_us = None if was_weak and link_class.proves_device else known.accepted_us
        return replace(known, link_class=link_class, accepted_us=accepted_us)

    def _ref(self, known: KnownDevice) -> DeviceRef:
        unverified = self._claimant.link_class.needs_acceptance and known.accepted_us is None
        return DeviceRef(known.system_id, known.model, unverified_link=unverified)

    def mark_active(self, at_s: float) -> LiveDevice | None:
        """Record the time of the device's latest measurement. Return the device, or None if the device has left
        already."""
        if self.device is not None:
            self.device = replace(self.device, last_s=at_s)
        return self.device

    async def leave(self, why: str, counts: Mapping[str, int]) -> None:
        """Record once that the device has left. `counts` are added to the event `device.disconnected`."""
        device = self._end()
        if device is None:
            return
        context, system_id = self._context, device.ref.system_id
        if context.claims.leave(system_id, self._claimant):
            context.live.device(replace(device, connected=False, since_s=context.clock.monotonic_s()))
        await self._remember(replace(context.roster.device(system_id), last_seen_us=context.clock.wall_us()))
        await context.journal.record("device.disconnected", system_id, why=why, link=self._link, **counts)

    def release_id(self) -> LiveDevice | None:
        """Release the system id, so that another link can use it. Return the device that was present; the caller passes
        it to `record_takeover` after closing the link."""
        return self._end()

    async def record_takeover(self, device: LiveDevice) -> None:
        why = "another link took its id over"
        await self._context.journal.record("device.disconnected", device.ref.system_id, why=why, link=self._link)

    def _end(self) -> LiveDevice | None:
        device, self.device = self.device, None
        self._identity = None
        self.recorder.end_association()
        self.left.set()
        return device

    async def _remember(self, device: KnownDevice) -> None:
        """Add the device to the roster, and store the device where the roster requires it. If the store is full, the
        device is used all the same."""
        if self._context.roster.met(device):
            with suppress(StoreFull):
                await self._context.store.remember_device(
                    device.system_id,
                    device.model,
                    link_class=device.link_class.value,
                    accepted_us=device.accepted_us,
                )
