"""Report to the cloud how devices describe themselves, and their power supply.

A description or a power supply is reported when it is new in this run of the gateway, and when it has changed. A device
decides what it sends, so reports of one device have a minimum interval: a value that changes more often is reported
with its latest state when the interval is over. Reports are events of the journal, which also bounds their number for
each link. A report that the store or the journal refuses is repeated after the interval.

The state is in memory. After a restart, each device is reported again at its next association, and the cloud stores
only changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.sessions.journal import Journal
from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.device_description import NO_DESCRIPTION, NO_POWER
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.description import description_of, power_of
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.uplink.device_events import (
    DEVICE_DESCRIBED,
    DEVICE_POWERED,
    UNVERIFIED,
    description_fields,
    power_fields,
)
from protocols.uplink.events import EventField

INTERVAL_S = 300.0
"""Minimum interval between two reports of one kind on one device: at most 12 events an hour from a device whose battery
level flickers. The crew page shows each change at once."""
DEVICES_MAX = 256
"""Devices whose latest reports are in memory: the size of the roster. Invented ids replace each other."""
TURN_S = 5.0

DESCRIBING = frozenset(
    {
        Attribute.SYSTEM_MODEL,
        Attribute.PRODUCTION_SPECIFICATION,
        Attribute.SYSTEM_TYPE_SPEC_LIST,
        Attribute.REG_CERT_DATA_LIST,
        Attribute.MDS_TIME_INFO,
        Attribute.BATTERY_LEVEL,
        Attribute.POWER_STATUS,
        Attribute.REMAINING_BATTERY_TIME,
    }
)
"""The attributes of an MDS from which reports are made."""

Fields = Mapping[str, EventField]


@dataclass(slots=True)
class _Report:
    """The latest state of one kind of report on one device. `written` is the state that is durable, None before the
    first; `tried_s` is the time of the last attempt to write one."""

    latest: Fields
    link: str
    written: Fields | None = None
    tried_s: float | None = None

    def is_due(self, now_s: float) -> bool:
        return self.latest != self.written and (self.tried_s is None or now_s - self.tried_s >= INTERVAL_S)


class DescriptionReporter:
    """Reporter of the devices of all links."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._reports: BoundedMap[tuple[str, str], _Report] = BoundedMap(2 * DEVICES_MAX)

    async def report(self, identity: DeviceIdentity, *, link: str, unverified: bool) -> None:
        """Report a device with these attributes, if they differ from the reported ones. Return when the report is
        durable, or postponed."""
        device, description, power = identity.system_id.hex(), description_of(identity), power_of(identity)
        if description != NO_DESCRIPTION:
            await self._update(
                DEVICE_DESCRIBED, device, {**description_fields(description), UNVERIFIED: unverified}, link
            )
        if power != NO_POWER:
            await self._update(DEVICE_POWERED, device, {**power_fields(power), UNVERIFIED: unverified}, link)

    def set_unverified(self, device: str, unverified: bool) -> None:
        """Change the flag of later reports on a device after an acceptance or its revocation, and report its
        description again."""
        for name in (DEVICE_DESCRIBED, DEVICE_POWERED):
            report = self._reports.get((name, device))
            if report is not None:
                report.latest = {**report.latest, UNVERIFIED: unverified}

    async def run(self) -> None:
        """Write postponed reports when they are due. Never returns."""
        while True:
            await self.write_due()
            await self._clock.sleep_until(self._clock.monotonic_s() + TURN_S)

    async def write_due(self) -> None:
        now_s = self._clock.monotonic_s()
        for (name, device), report in list(self._reports.items()):
            if report.is_due(now_s):
                await self._write(name, device, report)

    async def _update(self, name: str, device: str, fields: Fields, link: str) -> None:
        report = self._reports.use((name, device), lambda: _Report(fields, link))
        report.latest, report.link = fields, link
        if report.is_due(self._clock.monotonic_s()):
            await self._write(name, device, report)

    async def _write(self, name: str, device: str, report: _Report) -> None:
        report.tried_s = self._clock.monotonic_s()
        fields = report.latest
        if await self._journal.record(name, device, link=report.link, **fields):
            report.written = fields
