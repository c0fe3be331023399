"""The JSON responses of the control socket of one running gateway, and the state for the crew's page, from memory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.composition import Parts
from gateway.console.ble_view import bluetooth_json, heard_json, paired_json
from gateway.console.control import ControlServer, Converse
from gateway.console.device_view import report_json
from gateway.console.status import (
    Json,
    base_json,
    devices_json,
    port_json,
    session_json,
    set_aside_json,
    store_json,
    uplink_json,
)
from gateway.crew import CrewStatus
from gateway.crew.pairing import PairingParts, Questioner
from gateway.epcr.record_writer import RecordWriter
from gateway.health import Heartbeat, StoreHealth
from gateway.settings import Settings
from protocols.ieee11073.tolerances import BY_KEY, Outcome

if TYPE_CHECKING:
    from gateway.bluetooth import Bluetooth

NEARBY_MAX = 24
"""Advertising devices that a tablet lists; those that measure come first."""


def departures(parts: Parts) -> dict[str, tuple[int, int]]:
    """Return, for each connected device that deviates from its standard, in how many ways, and in how many of them a
    value could not be used."""
    found: dict[str, tuple[int, int]] = {}
    for session in parts.sessions:
        device = session.device
        history = None if device is None else parts.context.histories.find(device.ref.system_id)
        if history is None or not history.deviations:
            continue
        lost = sum(
            (known := BY_KEY.get(each.key)) is not None and known.outcome is not Outcome.TOLERATED
            for each in history.deviations
        )
        found[history.system_id] = (len(history.deviations) + history.deviations_dropped, lost)
    return found


class Console:
    """Responses of one gateway to requests over the control socket. `began_s`: monotonic time at which the gateway
    started."""

    def __init__(
        self, settings: Settings, parts: Parts, heartbeat: Heartbeat, store_health: StoreHealth, began_s: float
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._heartbeat = heartbeat
        self._store_health = store_health
        self._began_s = began_s

    def server(self) -> ControlServer:
        """Return the server of the control socket with all requests that this gateway supports."""
        conversations: Mapping[str, Converse] = {}
        if (bluetooth := self._parts.bluetooth) is not None:
            # Imported here, like the stack: a vehicle without Bluetooth need not hold it in memory.
            from gateway.console.ble_desk import BleDesk

            conversations = BleDesk(bluetooth.pairings, bluetooth.central, bluetooth.is_healthy).conversations
        return ControlServer(
            self._settings.control_path,
            {"status": self.status, "devices": self.devices, "ports": self.ports, "ble": self.ble},
            self._parts.context.taps,
            about={"device": self.device, "accept": self.accept, "revoke": self.revoke},
            conversations=conversations,
            requests={"epcr append": RecordWriter(self._parts.drafts, self._parts.clock).append},
        )

    def crew_status(self) -> CrewStatus:
        """Return the state of store and uplink for the crew's page."""
        parts = self._parts
        marks = parts.buffer.marks().values()
        return CrewStatus(
            online=parts.uplink is not None and parts.uplink.state.connected,
            backlog=sum(mark.backlog_observations for mark in marks),
            acknowledged=sum(mark.acked for mark in marks),
            store_ok=parts.buffer.store_state == "ok" and not self._store_health.hangs,
            recording=parts.buffer.store_state != "full",
            gaps=parts.follower.gaps,
            set_aside=len(parts.follower.set_aside),
            calls=parts.missions.open_count(),
            calls_changed=parts.missions.received,
            departures=departures(parts),
        )

    def pairing_parts(self) -> PairingParts | None:
        """Return the parts of the tablets' pages that pair a device, None without Bluetooth."""
        bluetooth, clock = self._parts.bluetooth, self._parts.clock
        if bluetooth is None:
            return None

        def nearby() -> Json:
            heard = heard_json(bluetooth.central.heard(), bluetooth.trust.paired, clock.monotonic_s())
            return {"usable": not bluetooth.central.trouble, "heard": heard[:NEARBY_MAX]}

        async def pair(address: str, person: Questioner, who: str) -> str:
            pairings, central = bluetooth.pairings, bluetooth.central
            device = await pairings.pair(central, address, person, well=bluetooth.is_healthy, who=who)
            return device.name or device.address

        return PairingParts(nearby=nearby, pair=pair)

    async def status(self) -> Json:
        parts, now_s = self._parts, self._parts.clock.monotonic_s()
        buffer, follower = parts.buffer, parts.follower
        return {
            **base_json(self._settings, epoch=buffer.epoch, clock=parts.clock, marks=buffer.marks()),
            "running": True,
            "uptime_s": round(now_s - self._began_s, 1),
            "store": store_json(
                buffer,
                gaps=follower.gaps,
                quarantined=follower.quarantined,
                set_aside=[set_aside_json(each) for each in follower.set_aside],
                unsent_stores=follower.unsent_stores,
                silent_s=self._store_health.silent_s,
            ),
            "event_loop": {"longest_stall_s": round(self._heartbeat.longest_stall_s, 3)},
            "uplink": None if parts.uplink is None else uplink_json(parts.uplink.state),
            "captures": parts.context.taps.listeners,
            "bluetooth": self._bluetooth_status(),
            "sessions": [session_json(session, now_s) for session in parts.sessions],
        }

    def _bluetooth_status(self) -> Json | None:
        if (bluetooth := self._parts.bluetooth) is not None:
            return bluetooth_json(bluetooth.adapter, bluetooth.central.trouble, self._paired(bluetooth))
        wanted = self._settings.bluetooth
        return None if wanted is None else bluetooth_json(wanted[1].adapter, self._parts.bluetooth_unusable, [])

    async def ble(self) -> Json:
        bluetooth = self._parts.bluetooth
        if bluetooth is None:
            return {"bluetooth": False, "why": self._parts.bluetooth_unusable or None}
        trust, central = bluetooth.trust, bluetooth.central
        return {
            "bluetooth": True,
            "adapter": bluetooth.adapter,
            "state": central.state,
            "trouble": central.trouble or None,
            "pairing": bluetooth.pairings.under_way,
            "paired": self._paired(bluetooth),
            "heard": heard_json(central.heard(), trust.paired, self._parts.clock.monotonic_s()),
        }

    def _paired(self, bluetooth: "Bluetooth") -> list[Json]:
        served = {session.link.name for session in bluetooth.sessions if session.device is not None}
        roster, listed = self._parts.context.roster, []
        for device in bluetooth.trust.paired:
            connected = f"ble:{device.address}" in served
            seen_us = roster.device(device.system_id).last_seen_us if device.system_id else None
            trouble = None if connected else bluetooth.trouble_of(device.address)
            listed.append(paired_json(device, connected=connected, last_seen_us=seen_us, trouble=trouble))
        return listed

    async def devices(self) -> Json:
        return {"devices": devices_json(self._parts.context.roster.devices(), self._parts.sessions)}

    async def ports(self) -> Json:
        supervisor, now_s = self._parts.supervisor, self._parts.clock.monotonic_s()
        return {
            "ports": [
                port_json(port, supervisor.watch.noise_on(port), supervisor.sessions, now_s)
                for port in supervisor.ports
            ]
        }

    async def device(self, system_id: str) -> Json:
        context = self._parts.context
        report = context.histories.find(system_id)
        if report is None:
            return {"report": None}
        octets = None if report.config_id is None else context.roster.find(bytes.fromhex(system_id), report.config_id)
        return {"report": report_json(report, octets, self._parts.sessions)}

    async def accept(self, system_id: str) -> Json:
        return {"changed": await self._parts.acceptance.accept(system_id)}

    async def revoke(self, system_id: str) -> Json:
        return {"changed": await self._parts.acceptance.revoke(system_id)}
