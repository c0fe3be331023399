"""Text of the broker's configuration: mosquitto's settings, its access lists, and the systemd units beside it.

This is the only mosquitto configuration of the product: the guide shows the command that writes it, the demo runs it
as far as loopback allows, and a test runs it with TLS against the attacks that it must refuse.

Three decisions carry it:
- `acl_file` does not judge subscriptions, so a client may join any shared subscription and thereby take its messages.
  Therefore the ingest group has a name that no client can guess (`ingest_group`), and mosquitto does not log it.
- A certificate's common name is the gateway's id, and the access list names each gateway with its tenant and the exact
  topics. Patterns with `%u` could not fix the tenant, a certificate that names the tenant would force every enrolled
  box to get another one, and a wildcard behind `up/` would let one gateway fill the broker with retained messages.
- The common name is also the client id, so no client can end the session of another gateway.

Writes no file (`broker_directory`, `broker_cli`) and knows no database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud.foundation.master_key import MasterKey
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import PACKET_BYTES_MAX

CLOUD_USER = "argus-cloud"
"""The user name under which the cloud signs in, on its own listener."""
VEHICLES_FILE = "vehicles.acl"
AUTHORITIES_FILE = "authorities.pem"
REVOKED_FILE = "revoked.pem"
RELOAD_FILE = "reload-due"
"""Created after the other files of the live directory were replaced; the path unit removes it and reloads mosquitto.
A file that is there, and not a change of one that is there, because systemd forgets a change that happens while the
unit that it starts still runs."""

DESCRIPTORS = 65_536
"""`LimitNOFILE` of mosquitto: Debian's unit leaves systemd's 1024, which ends at about 1000 vehicles. systemd takes the
machine's hard limit where that is lower."""
VEHICLE_CONNECTIONS_MAX = 60_000
"""Connections on the vehicles' listener: below `DESCRIPTORS`, so that the cloud's listener always has descriptors."""
CLOUD_CONNECTIONS_MAX = 256
"""Connections on the cloud's listener: a few for each process of the cloud, and the take-overs."""
QUEUED_MESSAGES_MAX = 1000
"""Messages that wait for one client. What mosquitto drops beyond it is sent again by its gateway."""
QUEUED_BYTES_MAX = 64 << 20
"""Bytes that wait for one client: a thousand of the largest envelopes would be a gigabyte."""
MEMORY_BYTES_MAX = 1 << 30
"""Heap of mosquitto. 10,000 vehicles with a retained status and a few queued acknowledgements need about 100 MB."""
KEEPALIVE_S_MAX = 120
"""Longest keep-alive that a client may choose. A gateway uses 20 s; a client that vanished keeps its descriptor for 1.5
times as long."""
SESSION_EXPIRY = "1h"
"""Lifetime of the session of a disconnected client in mosquitto. Ours keep none (session expiry 0), so this bounds
only what others leave behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLayout:
    """Paths of the files of one installation, and the addresses on which mosquitto listens.

    `live` is the directory that the cloud writes and mosquitto reads while both run. `tls` False is for loopback: the
    vehicles' listener then takes passwords instead of certificates, and everything else is the same.
    """

    live: Path
    folder: Path = Path("/etc/mosquitto")
    vehicles_port: int = 8883
    vehicles_address: str | None = None
    cloud_port: int = 8884
    cloud_address: str | None = None
    certificate: Path = Path("/etc/mosquitto/argus-broker.pem")
    key: Path = Path("/etc/mosquitto/argus-broker.key")
    tls: bool = True

    @property
    def cloud_acl(self) -> Path:
        return self.folder / "argus-cloud.acl"

    @property
    def passwords(self) -> Path:
        return self.folder / "argus-passwords"


@dataclass(frozen=True, slots=True, order=True)
class AdmittedGateway:
    """A gateway that may use the broker, and the tenant whose topics it may use."""

    gateway_id: str
    tenant_id: str


def ingest_group(master: MasterKey) -> str:
    """Name of the shared subscription of this installation's ingest: 128 bits that no vehicle ever receives."""
    return master.derive("mqtt ingest group")[:16].hex()


def mosquitto_settings(layout: BrokerLayout) -> str:
    """The file for mosquitto's `conf.d`."""
    return "\n".join((*_limits(), "", *_vehicles_listener(layout), "", *_cloud_listener(layout), ""))


def _limits() -> tuple[str, ...]:
    return (
        "# Written by `argus-cloud broker config`. Run the command again instead of editing this file.",
        "per_listener_settings true",
        "# The broker may lose everything and nothing is lost: a gateway keeps each batch until the cloud has it.",
        "persistence false",
        f"max_packet_size {PACKET_BYTES_MAX}",
        f"max_queued_messages {QUEUED_MESSAGES_MAX}",
        f"max_queued_bytes {QUEUED_BYTES_MAX}",
        f"memory_limit {MEMORY_BYTES_MAX}",
        f"max_keepalive {KEEPALIVE_S_MAX}",
        f"persistent_client_expiration {SESSION_EXPIRY}",
        "# $SYS describes the whole fleet, and no client may read it.",
        "sys_interval 0",
        "set_tcp_nodelay true",
        "connection_messages true",
        "# Never `subscribe` or `all`: the log would show the name of the ingest group.",
        "log_type error",
        "log_type warning",
        "log_type notice",
    )


def _vehicles_listener(layout: BrokerLayout) -> tuple[str, ...]:
    identity = (
        (
            *_server_tls(layout),
            f"crlfile {layout.live / REVOKED_FILE}",
            "require_certificate true",
            "use_identity_as_username true",
        )
        if layout.tls
        else (f"password_file {layout.passwords}",)
    )
    return (
        "# Vehicles",
        _listener(layout.vehicles_port, layout.vehicles_address),
        f"max_connections {VEHICLE_CONNECTIONS_MAX}",
        *identity,
        "allow_anonymous false",
        "# One session for each identity: no client ends or inherits the session of another.",
        "use_username_as_clientid true",
        "max_qos 1",
        "max_topic_alias 0",
        f"acl_file {layout.live / VEHICLES_FILE}",
    )


def _cloud_listener(layout: BrokerLayout) -> tuple[str, ...]:
    return (
        "# The cloud. Let only its machines reach this port.",
        _listener(layout.cloud_port, layout.cloud_address),
        f"max_connections {CLOUD_CONNECTIONS_MAX}",
        *(_server_tls(layout) if layout.tls else ()),
        "allow_anonymous false",
        "allow_zero_length_clientid false",
        f"password_file {layout.passwords}",
        f"acl_file {layout.cloud_acl}",
    )


def _listener(port: int, address: str | None) -> str:
    return f"listener {port}" if address is None else f"listener {port} {address}"


def _server_tls(layout: BrokerLayout) -> tuple[str, ...]:
    return (f"cafile {layout.live / AUTHORITIES_FILE}", f"certfile {layout.certificate}", f"keyfile {layout.key}")


def vehicles_acl(gateways: Iterable[AdmittedGateway]) -> str:
    """The access list of the vehicles' listener: a gateway that it does not name has no rights, whatever it shows."""
    lines = ["# Written by the cloud for each gateway that is registered and neither suspended nor revoked."]
    for gateway in sorted(gateways):
        tenant, name = gateway.tenant_id, gateway.gateway_id
        lines += (
            f"user {name}",
            *(f"topic write {topics.up(tenant, name, lane)}" for lane in Lane),
            f"topic write {topics.status(tenant, name)}",
            f"topic read {topics.ack(tenant, name)}",
            f"topic read {topics.command(tenant, name)}",
        )
    return "\n".join((*lines, ""))


def cloud_acl() -> str:
    """The access list of the cloud's listener."""
    return "\n".join(
        (
            f"user {CLOUD_USER}",
            f"topic read {topics.UP_FILTER}",
            f"topic readwrite {topics.STATUS_FILTER}",
            f"topic write {topics.ROOT}/+/+/down/+",
            "",
        )
    )


def system_files(layout: BrokerLayout) -> Mapping[Path, str]:
    """Each file that a machine with the broker needs beside mosquitto's own, by its path on that machine."""
    units = Path("/etc/systemd/system")
    return {
        layout.folder / "conf.d" / "argus.conf": mosquitto_settings(layout),
        layout.cloud_acl: cloud_acl(),
        units / "mosquitto.service.d" / "argus.conf": _DROP_IN,
        units / "argus-broker-reload.path": _PATH_UNIT.format(due=layout.live / RELOAD_FILE),
        units / "argus-broker-reload.service": _RELOAD_UNIT.format(due=layout.live / RELOAD_FILE),
        Path("/etc/tmpfiles.d/argus-broker.conf"): _TMPFILES.format(live=layout.live, key=layout.key),
    }


_DROP_IN = f"""\
# Written by `argus-cloud broker config`: limits of mosquitto for a fleet.
[Unit]
# mosquitto ends itself at `memory_limit`, and one client can bring it there with subscriptions, which have no limit.
# Five such ends in ten seconds must not leave the fleet without a broker.
StartLimitIntervalSec=0

[Service]
# systemd lowers it to the machine's hard limit where that is less.
LimitNOFILE={DESCRIPTORS}
MemoryMax={2 * MEMORY_BYTES_MAX}
Restart=on-failure
RestartSec=1
"""

_PATH_UNIT = """\
# Written by `argus-cloud broker config`: mosquitto reads its lists of gateways again when the cloud has replaced them.
[Unit]
Description=Watch for new access lists of the Argus broker

[Path]
PathExists={due}

[Install]
WantedBy=multi-user.target
"""

_RELOAD_UNIT = """\
# Written by `argus-cloud broker config`. The mark is removed first: a change that comes meanwhile starts this again.
[Unit]
Description=Let mosquitto read the access lists of the Argus broker again
After=mosquitto.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/rm -f {due}
ExecStart=/bin/systemctl try-reload-or-restart mosquitto.service
"""

_TMPFILES = """\
# Written by `argus-cloud broker config`: the cloud writes here, mosquitto reads. The group is inherited by the files.
d {live} 2750 argus-cloud mosquitto -
z {key} 0640 root mosquitto -
"""
