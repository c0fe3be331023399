"""The texts of the broker's configuration: mosquitto's settings and the systemd units for it.

The guide, the demo and a test with attacks all use this one configuration, which depends on these decisions:
- The dynamic-security plugin (`broker_rights`) checks what a client publishes, receives and subscribes to, and denies
  what its list does not name. An `acl_file` does not check subscriptions: one client could fill the broker's memory
  with them, or join a shared subscription and thereby take its messages.
- A certificate's common name is the gateway's id, and the list names each gateway with its tenant and exact topics:
  a wildcard after `up/` would let one gateway fill the broker with retained messages.
- The common name is also the client id, so no client can end the session of another gateway.
- No client can guess the name under which ingest processes announce themselves (`ingest_group`); mosquitto does not log
  it.

`broker_directory` and `broker_cli` write the files. `rabbitmq_configuration` is for RabbitMQ.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud.foundation.master_key import MasterKey
from protocols.uplink.limits import PACKET_BYTES_MAX

RIGHTS_FILE = "rights.json"
"""Rights of each client. mosquitto reads the file when it starts; later changes reach it as commands."""
PLUGIN = "mosquitto_dynamic_security.so"
AUTHORITIES_FILE = "authorities.pem"
REVOKED_FILE = "revoked.pem"
RELOAD_FILE = "reload-due"
"""Created after a list of certificates was replaced; the path unit removes the file and reloads mosquitto. The signal
is that the file exists, because systemd misses a change that happens while the unit that it starts still runs."""

DESCRIPTORS = 65_536
"""`LimitNOFILE` of mosquitto: Debian's unit leaves systemd's 1024, which ends at about 1000 vehicles. systemd takes the
machine's hard limit where that is lower."""
VEHICLE_CONNECTIONS_MAX = 60_000
"""Connections on the vehicles' listener: below `DESCRIPTORS`, so that the cloud's listener always has descriptors."""
CLOUD_CONNECTIONS_MAX = 256
"""Connections on the cloud's listener: a few for each process of the cloud, and the take-overs."""
IN_FLIGHT_MESSAGES_MAX = 512
"""Messages that mosquitto sends to one client before the PUBACK of the first, and accepts from it before the PUBACK (in
MQTT 5 its Receive Maximum). Ingest writes the messages that have arrived as one group, so with mosquitto's default of
20 a fleet would cost 25 times as many transactions. A vehicle's limit is its own (`PUBLISH_WINDOW_MAX`)."""
IN_FLIGHT_BYTES_MAX = 32 << 20
"""Bytes of the same messages: 32 of the largest envelopes, or 512 of 64 kB, which is several times an ordinary batch of
waveforms."""
QUEUED_MESSAGES_MAX = 1000
"""Messages queued for one client. A gateway resends those that mosquitto drops beyond it."""
QUEUED_BYTES_MAX = 64 << 20
"""Bytes queued for one client: a thousand of the largest envelopes would be a gigabyte."""
MEMORY_BYTES_MAX = 2 << 30
"""`MemoryMax` of mosquitto's unit. 10,000 vehicles with their rights, TLS, a retained status and a few queued
acknowledgements need less than half of it. mosquitto's own `memory_limit` cannot be used: after each change the plugin
frees the text of its file as if mosquitto had counted it, until the count wraps around and every client is refused."""
KEEPALIVE_S_MAX = 120
"""Longest keep-alive of a client. A gateway uses 20 s; a vanished client keeps its descriptor for 1.5 times as long."""
SESSION_EXPIRY = "1h"
"""Lifetime of a disconnected client's session in mosquitto. Our clients keep none (session expiry 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLayout:
    """The paths of the broker's files on one machine, and the addresses on which mosquitto listens. The cloud writes
    and mosquitto reads the directory `live` while both run. `tls` False is for loopback only: the vehicles' listener
    then uses passwords instead of certificates."""

    live: Path
    plugin: Path
    folder: Path = Path("/etc/mosquitto")
    vehicles_port: int = 8883
    vehicles_address: str | None = None
    cloud_port: int = 8884
    cloud_address: str | None = None
    certificate: Path = Path("/etc/mosquitto/argus-broker.pem")
    key: Path = Path("/etc/mosquitto/argus-broker.key")
    tls: bool = True

    @property
    def passwords(self) -> Path:
        return self.folder / "argus-passwords"


@dataclass(frozen=True, slots=True, order=True)
class AdmittedGateway:
    """A gateway that may use the broker, and the tenant whose topics it may use."""

    gateway_id: str
    tenant_id: str


def find_plugin(libraries: Path = Path("/usr/lib")) -> Path:
    """Return the path of mosquitto's dynamic-security plugin on this machine; where mosquitto is not installed, the
    path in Debian's package for this architecture."""
    installed = sorted((*libraries.glob(f"*-linux-gnu*/{PLUGIN}"), *libraries.glob(PLUGIN)))
    return installed[0] if installed else libraries / f"{platform.machine()}-linux-gnu" / PLUGIN


def ingest_group(master: MasterKey) -> str:
    """Return the name under which ingest processes announce themselves: 128 bits that are never sent to a vehicle."""
    return master.derive("mqtt ingest group")[:16].hex()


def mosquitto_settings(layout: BrokerLayout) -> str:
    """Return the text of the product's file in mosquitto's `conf.d`."""
    common = (*_limits(), "", *_security(layout))
    return "\n".join((*common, "", *_vehicles_listener(layout), "", *_cloud_listener(layout), ""))


def _limits() -> tuple[str, ...]:
    return (
        "# Written by `argus-cloud broker config`. Run the command again instead of editing this file.",
        "# The broker may lose everything and nothing is lost: a gateway keeps each batch until the cloud has it.",
        "persistence false",
        f"max_packet_size {PACKET_BYTES_MAX}",
        f"max_inflight_messages {IN_FLIGHT_MESSAGES_MAX}",
        f"max_inflight_bytes {IN_FLIGHT_BYTES_MAX}",
        f"max_queued_messages {QUEUED_MESSAGES_MAX}",
        f"max_queued_bytes {QUEUED_BYTES_MAX}",
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


def _security(layout: BrokerLayout) -> tuple[str, ...]:
    passwords = () if layout.tls else (f"password_file {layout.passwords}",)
    return (
        "# One list of rights for both listeners, which the cloud changes while mosquitto runs. mosquitto cannot write",
        "# the file, and logs that as an error after each change.",
        "per_listener_settings false",
        f"plugin {layout.plugin}",
        f"plugin_opt_config_file {layout.live / RIGHTS_FILE}",
        *passwords,
        "allow_anonymous false",
        "allow_zero_length_clientid false",
    )


def _vehicles_listener(layout: BrokerLayout) -> tuple[str, ...]:
    identity = (
        *_server_tls(layout),
        f"crlfile {layout.live / REVOKED_FILE}",
        "require_certificate true",
        "use_identity_as_username true",
    )
    return (
        "# Vehicles",
        _listener(layout.vehicles_port, layout.vehicles_address),
        f"max_connections {VEHICLE_CONNECTIONS_MAX}",
        *(identity if layout.tls else ()),
        "# One session for each identity: no client ends or inherits the session of another.",
        "use_username_as_clientid true",
        "max_qos 1",
        "max_topic_alias 0",
    )


def _cloud_listener(layout: BrokerLayout) -> tuple[str, ...]:
    return (
        "# The cloud. Let only its machines reach this port.",
        _listener(layout.cloud_port, layout.cloud_address),
        f"max_connections {CLOUD_CONNECTIONS_MAX}",
        *(_server_tls(layout) if layout.tls else ()),
    )


def _listener(port: int, address: str | None) -> str:
    return f"listener {port}" if address is None else f"listener {port} {address}"


def _server_tls(layout: BrokerLayout) -> tuple[str, ...]:
    return (f"cafile {layout.live / AUTHORITIES_FILE}", f"certfile {layout.certificate}", f"keyfile {layout.key}")


def system_files(layout: BrokerLayout) -> Mapping[Path, str]:
    """Return the files to install on the broker's machine beside Debian's mosquitto, as a mapping from path to text."""
    units = Path("/etc/systemd/system")
    return {
        layout.folder / "conf.d" / "argus.conf": mosquitto_settings(layout),
        units / "mosquitto.service.d" / "argus.conf": _DROP_IN,
        units / "argus-broker-reload.path": _PATH_UNIT.format(due=layout.live / RELOAD_FILE),
        units / "argus-broker-reload.service": _RELOAD_UNIT.format(due=layout.live / RELOAD_FILE),
        Path("/etc/tmpfiles.d/argus-broker.conf"): _TMPFILES.format(live=layout.live, key=layout.key),
    }


_DROP_IN = f"""\
# Written by `argus-cloud broker config`: limits of mosquitto for a fleet.
[Unit]
# However often mosquitto exits, the fleet gets its broker again.
StartLimitIntervalSec=0

[Service]
# systemd lowers it to the machine's hard limit where that is less.
LimitNOFILE={DESCRIPTORS}
MemoryMax={MEMORY_BYTES_MAX}
Restart=on-failure
RestartSec=1
"""

_PATH_UNIT = """\
# Written by `argus-cloud broker config`: mosquitto reads its certificate lists again when the cloud has replaced them.
[Unit]
Description=Watch for new certificate lists of the Argus broker

[Path]
PathExists={due}

[Install]
WantedBy=multi-user.target
"""

_RELOAD_UNIT = """\
# Written by `argus-cloud broker config`. The mark is removed first: a change that comes meanwhile starts this again.
[Unit]
Description=Let mosquitto read the certificate lists of the Argus broker again
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
