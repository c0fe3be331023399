"""The texts of RabbitMQ's configuration: the settings and plugins of each node.

The guide and the test of the cluster use this one configuration, which depends on these decisions:
- Each listener has TLS. Vehicles sign in with certificates, the cloud with its password.
- The common name of a vehicle's certificate is its user name, and the alternative name in the certificate must equal
  the client id, so no vehicle can end the session of another one.
- No session outlives its connection, and no message is retained: the vehicles are the queue, and a gateway publishes
  its status every minute.
- A node without a majority pauses (`pause_minority`), so that two halves of a cluster cannot both confirm batches.

`rabbitmq_cli` writes the files, and `rabbitmq_topology` has the queues and the rights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocols.uplink.limits import PACKET_BYTES_MAX

PLUGINS = ("rabbitmq_consistent_hash_exchange", "rabbitmq_management", "rabbitmq_mqtt")


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitmqLayout:
    """Names, ports and files of one node. `nodes` are the names of all nodes, `rabbit@HOST`; `address` None listens on
    all addresses. The files are in `folder`."""

    nodes: Sequence[str]
    folder: Path = Path("/etc/rabbitmq")
    address: str | None = None
    vehicles_port: int = 8883
    cloud_port: int = 5671
    management_port: int = 15671

    @property
    def certificate(self) -> Path:
        return self.folder / "argus-broker.pem"

    @property
    def key(self) -> Path:
        return self.folder / "argus-broker.key"

    @property
    def authorities(self) -> Path:
        return self.folder / "argus-ca.pem"

    @property
    def definitions(self) -> Path:
        return self.folder / "argus-definitions.json"


def rabbitmq_files(layout: RabbitmqLayout) -> Mapping[Path, str]:
    """Return the texts to install on each node beside Debian's rabbitmq-server, as a mapping from path to text."""
    return {
        layout.folder / "conf.d" / "50-argus.conf": rabbitmq_settings(layout),
        layout.folder / "enabled_plugins": f"[{','.join(PLUGINS)}].\n",
    }


def rabbitmq_settings(layout: RabbitmqLayout) -> str:
    """Return the text of the product's file in RabbitMQ's `conf.d`."""
    parts = (_cluster(layout), _tls(layout), _cloud(layout), _vehicles(layout))
    return "\n".join(line for part in parts for line in (*part, ""))


def _cluster(layout: RabbitmqLayout) -> tuple[str, ...]:
    return (
        "# Written by `argus-cloud broker config-rabbitmq`. Run the command again instead of editing this file.",
        "cluster_formation.peer_discovery_backend = classic_config",
        *(
            f"cluster_formation.classic_config.nodes.{number} = {node}"
            for number, node in enumerate(layout.nodes, start=1)
        ),
        "cluster_partition_handling = pause_minority",
        "queue_leader_locator = balanced",
        "# The cloud's user. `argus-cloud broker declare` adds the queues, and the worker the vehicles.",
        f"load_definitions = {layout.definitions}",
    )


def _tls(layout: RabbitmqLayout) -> tuple[str, ...]:
    return (
        f"ssl_options.cacertfile = {layout.authorities}",
        f"ssl_options.certfile = {layout.certificate}",
        f"ssl_options.keyfile = {layout.key}",
        "ssl_options.versions.1 = tlsv1.3",
        "ssl_options.versions.2 = tlsv1.2",
        "# A certificate is verified where the client has one. Without one a client needs a password, which only the",
        "# cloud has.",
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = false",
    )


def _cloud(layout: RabbitmqLayout) -> tuple[str, ...]:
    return (
        "# The cloud. Let only its machines reach these ports.",
        "listeners.tcp = none",
        f"listeners.ssl.default = {_address(layout, layout.cloud_port)}",
        f"management.ssl.port = {layout.management_port}",
        *(() if layout.address is None else (f"management.ssl.ip = {layout.address}",)),
        f"management.ssl.cacertfile = {layout.authorities}",
        f"management.ssl.certfile = {layout.certificate}",
        f"management.ssl.keyfile = {layout.key}",
    )


def _vehicles(layout: RabbitmqLayout) -> tuple[str, ...]:
    return (
        "# Vehicles",
        "mqtt.listeners.tcp = none",
        f"mqtt.listeners.ssl.default = {_address(layout, layout.vehicles_port)}",
        "mqtt.allow_anonymous = false",
        "mqtt.ssl_cert_login = true",
        "ssl_cert_login_from = common_name",
        "# One session for each identity: no client ends the session of another.",
        "mqtt.ssl_cert_client_id_from = subject_alternative_name",
        "mqtt.ssl_cert_login_san_type = dns",
        "mqtt.ssl_cert_login_san_index = 0",
        f"mqtt.max_packet_size_authenticated = {PACKET_BYTES_MAX}",
        "mqtt.max_session_expiry_interval_seconds = 0",
        "mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop",
    )


def _address(layout: RabbitmqLayout, port: int) -> str:
    return str(port) if layout.address is None else f"{layout.address}:{port}"
