"""Source of hand-overs: the gateway's open buffer, or a store that is read beside a running gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from gateway.buffer import Buffer
from gateway.buffer.care_logs import CareLog
from gateway.buffer.reading import CareRecordSpan, care_changes, care_records, device_decisions, records_between
from gateway.buffer.store_reader import StoreReader
from protocols.clock_anchor import Anchors
from protocols.epcr.change import FieldChange
from protocols.epcr.device_holding import DeviceDecision, moment_of
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane


class HandoverSource(Protocol):
    """Care records and observations of one vehicle."""

    async def care_changes(self, encounter: str) -> Sequence[FieldChange]:
        """Return the field changes of an encounter in their stored order; none for an unknown encounter."""

    async def care_log(self, encounter: str) -> CareLog | None:
        """Return what the store knows of the log of an encounter; None for an unknown one."""

    async def care_records(self) -> Sequence[CareRecordSpan]:
        """Return the encounters with a care record, the one that was changed last at the end."""

    async def device_decisions(self) -> Sequence[DeviceDecision]:
        """Return the decisions about which encounter the devices measure for, in the order of storing."""

    def moment_us(self, decision: DeviceDecision) -> int:
        """Return the time of a decision in µs since 1970, corrected like the times of observations."""

    def records(self, lane: Lane, since_us: int, until_us: int) -> AsyncIterator[ObservationRecord]:
        """Yield the observations of a lane in an interval of wall time, in the order of their sequence."""


class BufferSource:
    """The open buffer of a running gateway. `anchors` returns those of the machine's boots at the time of the call."""

    def __init__(self, buffer: Buffer, anchors: Callable[[], Anchors]) -> None:
        self._buffer = buffer
        self._anchors = anchors

    async def care_changes(self, encounter: str) -> Sequence[FieldChange]:
        return await self._buffer.care_changes(encounter)

    async def care_log(self, encounter: str) -> CareLog | None:
        return (await self._buffer.care_logs([encounter])).get(encounter)

    async def care_records(self) -> Sequence[CareRecordSpan]:
        return await self._buffer.care_records()

    async def device_decisions(self) -> Sequence[DeviceDecision]:
        return await self._buffer.device_decisions()

    def moment_us(self, decision: DeviceDecision) -> int:
        return moment_of(decision, self._anchors())

    def records(self, lane: Lane, since_us: int, until_us: int) -> AsyncIterator[ObservationRecord]:
        return self._buffer.records_between(lane, since_us, until_us, self._anchors())


class StoreSource:
    """A store that is only read, beside the gateway that writes it."""

    def __init__(self, reader: StoreReader, anchors: Anchors) -> None:
        self._reader = reader
        self._anchors = anchors

    async def care_changes(self, encounter: str) -> Sequence[FieldChange]:
        return await care_changes(self._reader, asyncio.to_thread, encounter)

    async def care_log(self, encounter: str) -> CareLog | None:
        return (await asyncio.to_thread(self._reader.care_logs, [encounter])).get(encounter)

    async def care_records(self) -> Sequence[CareRecordSpan]:
        return await care_records(self._reader, asyncio.to_thread)

    async def device_decisions(self) -> Sequence[DeviceDecision]:
        return await device_decisions(self._reader, asyncio.to_thread)

    def moment_us(self, decision: DeviceDecision) -> int:
        return moment_of(decision, self._anchors)

    def records(self, lane: Lane, since_us: int, until_us: int) -> AsyncIterator[ObservationRecord]:
        return records_between(self._reader, asyncio.to_thread, lane, since_us, until_us, self._anchors)
