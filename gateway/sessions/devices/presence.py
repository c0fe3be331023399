"""Tracks the device on one link, from its identification until it has left, and notifies every part of the gateway.

`claims` decides who holds an id. A present device is on the crew's page, in the roster, in its report and in the event
lane, and once it has left all of these show it as absent. That is the same for every protocol, so it is here and not in
the two kinds of session.

The sessions know how a device identifies itself and what it measures.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from gateway.buffer.errors import StoreFull
from gateway.live import LiveDevice
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.claims import Claimant, Verdict
from gateway.sessions.devices.history_recorder import HistoryRecorder
from gateway.sessions.devices.link_class import stronger
from gateway.sessions.devices.roster import KnownDevice
from gateway.transports.clock import Instant
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.uplink.events import EventField
from protocols.uplink.observations import DeviceRef

NAME_LENGTH_MAX = 100
"""Length of a name: a device may name itself freely, and the record has 512 bytes for a model."""


class DevicePresence:
    """Presence on one link; one device after the other. `recorder` adds to their histories."""

    def __init__(self, context: SessionContext, link: str, claimant: Claimant) -> None:
        self.recorder = HistoryRecorder(context.histories, link)
        self.left = asyncio.Event()
        """Set while no device is present."""
        self.left.set()
        self._context = context
        self._link = link
        self._claimant = claimant
        self.device: LiveDevice | None = None

    @property
    def system_id(self) -> str | None:
        return None if self.device is None else self.device.ref.system_id

    async def claim(self, system_id: str) -> Verdict:
        """Claim the id for this link. Return the verdict."""
        return await self._context.claims.claim(system_id, self._claimant)

    async def record_refusal(self, system_id: str, verdict: Verdict, at_us: int) -> None:
        """Record that the claim was refused and the device rejected. Nothing that it sent is kept."""
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
        """Record that the device is present and its id is claimed; `fields` are added to the event beside the link."""
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
        """Record the identity that the device has reported."""
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

    def update_verification(self) -> None:
        """Apply that an operator has accepted the device, or revoked that: its later values carry the flag or not."""
        if self.device is None:
            return
        known = self._context.roster.device(self.device.ref.system_id)
        self.device = replace(self.device, ref=self._ref(known))
        self._context.live.device(self.device)

    def _with_class(self, known: KnownDevice) -> KnownDevice:
        """Return the device with the class of this link, where that is stronger. An acceptance was given to a link that
        proves nothing, by an operator who knew of no stronger one; it ends when there is one."""
        link_class = stronger(known.link_class, self._claimant.link_class)
        was_weak = known.link_class is not link_class and not known.link_class.proves_device
        accepted_us = None if was_weak and link_class.proves_device else known.accepted_us
        return replace(known, link_class=link_class, accepted_us=accepted_us)

    def _ref(self, known: KnownDevice) -> DeviceRef:
        unverified = self._claimant.link_class.needs_acceptance and known.accepted_us is None
        return DeviceRef(known.system_id, known.model, unverified_link=unverified)

    def mark_active(self, at_s: float) -> LiveDevice | None:
        """Record that the device has just measured something. Return None where it left meanwhile."""
        if self.device is not None:
            self.device = replace(self.device, last_s=at_s)
        return self.device

    async def leave(self, why: str, counts: Mapping[str, int]) -> None:
        """Record once that the device has left, whatever the reason."""
        device = self._end()
        if device is None:
            return
        context, system_id = self._context, device.ref.system_id
        if context.claims.leave(system_id, self._claimant):
            context.live.device(replace(device, connected=False, since_s=context.clock.monotonic_s()))
        await self._remember(replace(context.roster.device(system_id), last_seen_us=context.clock.wall_us()))
        await context.journal.record("device.disconnected", system_id, why=why, link=self._link, **counts)

    def release_id(self) -> LiveDevice | None:
        """Release the id, which another link holds now. Return the device that was here, for `record_takeover` once the
        link is closed."""
        return self._end()

    async def record_takeover(self, device: LiveDevice) -> None:
        why = "another link took its id over"
        await self._context.journal.record("device.disconnected", device.ref.system_id, why=why, link=self._link)

    def _end(self) -> LiveDevice | None:
        device, self.device = self.device, None
        self.recorder.end_association()
        self.left.set()
        return device

    async def _remember(self, device: KnownDevice) -> None:
        """Keep the device in memory at once; on a full disk only there, since a device must be served all the same."""
        if self._context.roster.met(device):
            with suppress(StoreFull):
                await self._context.store.remember_device(
                    device.system_id,
                    device.model,
                    link_class=device.link_class.value,
                    accepted_us=device.accepted_us,
                )
