"""The small facts in the store in use: known devices and their configurations, progress of fetches, and named values.

They are written and read whole, each in a commit of its own, and never sent to the cloud.
"""

from collections.abc import Sequence

from gateway.buffer import ble_devices, device_reports, devices, record_marks, segments
from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.devices import KnownConfiguration, StoredDevice
from gateway.buffer.record_marks import FetchedRecords
from gateway.buffer.segments import FetchedSegment
from gateway.buffer.store_in_use import StoreInUse
from protocols.ieee11073.association.fetched_segments import SegmentKey


class StoredFacts:
    """The small facts of a gateway. Each call raises StoreFull while no store can be used."""

    def __init__(self, store: StoreInUse) -> None:
        self._store = store

    async def devices(self) -> list[StoredDevice]:
        return await self._store.task(lambda store: devices.devices(store.connection))

    async def remember_device(
        self, system_id: str, model: str, *, link_class: str = "unknown", accepted_us: int | None = None
    ) -> None:
        await self._store.task(
            lambda store: devices.remember_device(
                store, system_id, model, link_class=link_class, accepted_us=accepted_us
            )
        )

    async def configurations(self) -> list[KnownConfiguration]:
        return await self._store.task(lambda store: devices.configurations(store.connection))

    async def remember_configuration(self, system_id: bytes, config_id: int, octets: bytes) -> None:
        await self._store.task(lambda store: devices.remember_configuration(store, system_id, config_id, octets))

    async def device_reports(self) -> list[bytes]:
        """Return the stored device histories, the one written longest ago first. A history that cannot be decrypted is
        left out."""
        return await self._store.task(lambda store: device_reports.device_reports(store.connection, store.sealer))

    async def remember_device_reports(self, reports: Sequence[tuple[str, bytes]]) -> None:
        """Store pairs of system id and device history (at most 256 KiB each) in one commit. Raises StoreFull."""
        await self._store.task(lambda store: device_reports.remember_device_reports(store, reports))

    async def fetched_segments(self) -> list[FetchedSegment]:
        """Return how far each PM-store segment was fetched; the segment fetched longest ago comes first."""
        return await self._store.task(lambda store: segments.segments(store.connection))

    async def fetched_records(self) -> list[FetchedRecords]:
        """Return how far each Bluetooth record store was fetched; the store fetched longest ago comes first."""
        return await self._store.task(lambda store: record_marks.records(store.connection))

    async def forget_segments(self, keys: Sequence[SegmentKey]) -> None:
        await self._store.task(lambda store: segments.forget(store, keys))

    async def ble_devices(self) -> list[PairedDevice]:
        """Return the paired Bluetooth devices, the one paired longest ago first."""
        return await self._store.task(lambda store: ble_devices.ble_devices(store.connection))

    async def remember_ble_device(self, device: PairedDevice) -> None:
        """Store `device`, and replace the stored device of the same address. Raises TooManyPaired, StoreFull."""
        await self._store.task(lambda store: ble_devices.remember_ble_device(store, device))

    async def forget_ble_device(self, address: str) -> None:
        await self._store.task(lambda store: ble_devices.forget_ble_device(store, address))

    async def state_get(self, name: str) -> str | None:
        return await self._store.task(lambda store: devices.state(store.connection, name))

    async def state_put(self, name: str, value: str) -> None:
        await self._store.task(lambda store: devices.put_state(store, name, value))
