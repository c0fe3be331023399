"""The address of the broker, ingest's login at the broker, and the errors of the connection."""

import secrets
import ssl
from dataclasses import dataclass, field

from cloud.vehicles.fleet import ClusterUrl, MqttSection, RabbitmqSection
from protocols.uplink.broker import BrokerUrl, parse_broker_url


class BrokerUnavailable(Exception):
    """There is no connection to the broker, or no longer; the text has the reason, for an operator, and no secret."""


class SubscriptionRefused(Exception):
    """The broker does not let ingest read the batches or statuses; the text has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """The address of an MQTT broker, the login, and the group of the ingest processes.

    `url` is `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`. `ca_file` None: the system's certificate authorities are
    trusted. `group` is the name under which the ingest processes of one cloud announce themselves (`shares`), the same
    for all of them. It is a secret (`ingest_group`): on a broker that does not restrict what a client publishes, a
    client that knows the name could announce processes that do not exist. A process with a random group receives every
    batch, so other processes find duplicates, and no batch is lost.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    group: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def parts(self) -> BrokerUrl:
        """Return host, port, and whether TLS is used. Raises ValueError if `url` is neither `mqtt://HOST[:PORT]` nor
        `mqtts://HOST[:PORT]`."""
        return parse_broker_url(self.url)

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context; None for an address without TLS. Raises OSError when `ca_file` cannot be read."""
        return ssl.create_default_context(cafile=self.ca_file) if self.parts()[2] else None


def broker_address(mqtt: MqttSection) -> BrokerAddress:
    """Return the broker address from the settings, with the password read from its file. Raises `SettingsUnusable`."""
    login = mqtt.login()
    return BrokerAddress(
        url=mqtt.url,
        username=mqtt.username if login is None else login.username,
        password=None if login is None else login.password,
        ca_file=None if mqtt.ca_file is None else str(mqtt.ca_file),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """The nodes of a RabbitMQ cluster, the login, and the number of queues that ingest receives from. `ca_file` None:
    the system's certificate authorities are trusted."""

    nodes: ClusterUrl
    username: str
    password: str = field(repr=False)
    ca_file: str | None = None
    queues: int

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context; None for addresses without TLS. Raises OSError when `ca_file` cannot be read."""
        return ssl.create_default_context(cafile=self.ca_file) if self.nodes.secure else None


def cluster_address(mqtt: MqttSection, rabbitmq: RabbitmqSection) -> ClusterAddress:
    """Return the address of the cluster from the settings, with the password read from its file. Raises
    `SettingsUnusable`."""
    login = mqtt.login()
    assert login is not None, "the settings require a password file"
    return ClusterAddress(
        nodes=mqtt.nodes(),
        username=login.username,
        password=login.password,
        ca_file=None if mqtt.ca_file is None else str(mqtt.ca_file),
        queues=rabbitmq.queues,
    )
