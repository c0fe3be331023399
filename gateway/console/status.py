"""Status of the gateway as JSON, the same for the control socket, `status --json` and tables.

The status is made from memory, is cheap enough to be polled every second, and has no patient data. For a stopped
gateway the status is made from the gateway's files, with `running` false and no links.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from gateway.buffer import Buffer
from gateway.buffer.set_aside import SetAsideRecord
from gateway.console.ble_view import bluetooth_json, paired_json
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.roster import KnownDevice
from gateway.sessions.session import Session
from gateway.settings import Settings
from gateway.sync.uplink import UplinkState
from gateway.transports.clock import SystemClock
from gateway.transports.serial_port import SerialPort
from protocols.observation_record import uncertainty_ms, utc_text

Json = dict[str, Any]


def lanes_json(marks: Mapping[Any, Any]) -> Json:
    """Return the `first`, `last` and `acked` sequence numbers and the backlog of each lane (sequence of batches of one
    kind)."""
    return {
        str(lane): {
            "first": mark.first,
            "last": mark.last,
            "acked": mark.acked,
            "backlog_batches": mark.backlog_batches,
            "backlog_observations": mark.backlog_observations,
        }
        for lane, mark in marks.items()
    }


def session_json(session: Session, now_s: float) -> Json:
    """Return the state of one open link as JSON. `silent_s`: seconds since the device last sent anything."""
    device = session.device
    return {
        "link": session.link.name,
        "connection": session.number,
        "state": session.state,
        "device": None if device is None else device.ref.system_id,
        "model": None if device is None else device.ref.model,
        "unverified_link": device is not None and device.ref.unverified_link,
        "open_s": round(now_s - session.opened_s, 1),
        "silent_s": round(now_s - session.last_byte_s, 1),
        "reports": session.counts.reports,
        "observations": session.counts.observations,
        "refused_reports": session.counts.refused,
        "lost_reports": session.counts.lost,
        "deviations": session.counts.deviations,
    }


def port_json(port: SerialPort, noise: str | None, sessions: Sequence[Session], now_s: float) -> Json:
    """Return the state of one serial port as JSON. `silent_s`: seconds since the last byte, null before the first.
    `why`: a sentence about why the port cannot be opened, or about `noise` (undecodable bytes), or null."""
    link = port.link
    session = next((each for each in sessions if each.link.name == port.name), None)
    device = None if session is None else session.device
    last_s = None if link is None else link.last_byte_s
    return {
        "path": port.path,
        "baud": port.baud,
        "framing": port.framing,
        "node": port.node,
        "open": link is not None,
        "open_s": None if link is None else round(now_s - port.opened_at_s, 1),
        "openings": port.openings,
        "silent_s": None if last_s is None else round(now_s - last_s, 1),
        "received_bytes": 0 if link is None else link.received_bytes,
        "frames_dropped": port.frames_dropped,
        "device": None if device is None else device.ref.system_id,
        "model": None if device is None else device.ref.model,
        "why": noise if port.trouble is None else port.trouble.sentence,
    }


def uplink_json(state: UplinkState) -> Json:
    """Return the state of the connection to the cloud as JSON. `contested`: another gateway claims one of this
    gateway's lanes (sequences of batches)."""
    return {
        "connected": state.connected,
        "contested": state.contested,
        "since": utc_text(state.since_us),
        "last_error": state.last_error,
        "attempts": state.attempts,
        "sent_batches": state.sent_batches,
        "sent_bytes": state.sent_bytes,
        "under_way_bytes": state.under_way_bytes,
        "window_bytes": state.window_bytes,
    }


def devices_json(known: Sequence[KnownDevice], sessions: Sequence[Session]) -> list[Json]:
    """Return every known device as JSON. `link_class`: the strongest class of link over which the device was
    identified. `unverified`: only the device's own claim identifies it."""
    links = {session.device.ref.system_id: session.link.name for session in sessions if session.device is not None}
    return [
        {
            "system_id": device.system_id,
            "model": device.model,
            "manufacturer": device.manufacturer,
            "connected": device.system_id in links,
            "link": links.get(device.system_id),
            "last_seen": None if device.last_seen_us is None else utc_text(device.last_seen_us),
            "link_class": device.link_class.value,
            "unverified": not device.is_verified,
            "accepted_at": None if device.accepted_us is None else utc_text(device.accepted_us),
        }
        for device in known
    ]


def base_json(settings: Settings, *, epoch: str, clock: TrustedClock, marks: Mapping[Any, Any]) -> Json:
    """Return the part of the status that is the same for a running and a stopped gateway."""
    return {
        "gateway": settings.gateway.id,
        "tenant": settings.gateway.tenant,
        "vehicle": settings.gateway.vehicle,
        "software": version("argus"),
        "epoch": epoch,
        "clock": {
            "wall": utc_text(clock.wall_us()),
            "synchronised": clock.synchronised,
            "uncertainty_ms": uncertainty_ms(clock.wall_error_us) if clock.synchronised else None,
            "estimated": clock.estimated,
        },
        "lanes": lanes_json(marks),
    }


def store_json(
    buffer: Buffer,
    *,
    gaps: int,
    quarantined: int,
    set_aside: Sequence[Json],
    unsent_stores: int | None,
    silent_s: float | None = None,
) -> Json:
    """Return the state of the store in use.

    - `state`: ok; reserve (the disk is full); full (nothing is recorded, and `why` has the reason);
    - `gaps`: number of periods with lost data; `quarantined`: number of damaged blocks;
    - `set_aside`: stores that were set aside after a failure;
    - `unsent_stores`: number of such stores, and of those recovered from them, with batches that the cloud has not
      acknowledged; null in the first seconds of a gateway;
    - `silent_s`: seconds since the store's writer last responded, null where no gateway runs.
    """
    failure = buffer.failure
    return {
        "state": str(buffer.store_state),
        "why": None if failure is None else str(failure),
        "gaps": gaps,
        "quarantined": quarantined,
        "set_aside": list(set_aside),
        "unsent_stores": unsent_stores,
        "silent_s": None if silent_s is None else round(silent_s, 1),
    }


def set_aside_json(aside: SetAsideRecord) -> Json:
    """Return a store that was set aside after a failure: its file, its size and the record of the failure."""
    return {"file": aside.path.name, "bytes": aside.size_bytes, "record": dict(aside.fields)}


async def stopped_json(settings: Settings, buffer: Buffer) -> Json:
    """Return the status of a gateway that does not run, from its store."""
    clock = TrustedClock(SystemClock())
    gaps = len(await buffer.gaps())
    return {
        **base_json(settings, epoch=buffer.epoch, clock=clock, marks=buffer.marks()),
        "running": False,
        "uptime_s": None,
        "store": store_json(
            buffer,
            gaps=gaps,
            quarantined=await buffer.quarantined(),
            set_aside=[set_aside_json(each) for each in buffer.archive.records()],
            unsent_stores=buffer.archive.unsent(),
        ),
        "event_loop": None,
        "uplink": None,
        "captures": 0,
        "bluetooth": await _stopped_bluetooth(settings, buffer),
        "sessions": [],
    }


async def _stopped_bluetooth(settings: Settings, buffer: Buffer) -> Json | None:
    if settings.bluetooth is None:
        return None
    paired = [paired_json(each) for each in await buffer.ble_devices()]
    return bluetooth_json(settings.bluetooth[1].adapter, None, paired)
