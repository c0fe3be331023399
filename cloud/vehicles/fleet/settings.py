"""Settings of the broker: the cloud's connection to it, the files for mosquitto, and the management of RabbitMQ."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from cloud.foundation.settings import FilePath, Section, Settings, read_password
from cloud.vehicles.fleet.broker_rights import CloudLogin, cloud_username
from cloud.vehicles.fleet.cluster_url import ClusterUrl, parse_cluster_url


def _broker_url(value: object) -> str:
    if isinstance(value, str) and value.startswith(("amqp:", "amqps:")):
        return parse_cluster_url(value, "amqp").text
    parts = urlsplit(value) if isinstance(value, str) else None
    wrong = parts is None or parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname
    if wrong or parts is None or parts.username or parts.path:
        raise ValueError(
            'write "mqtt://HOST:PORT" or, with TLS, "mqtts://HOST:PORT"; for RabbitMQ "amqps://HOST:PORT,HOST:PORT"; '
            "the user has a key of its own"
        )
    return parts.geturl()


def _management_url(value: object) -> str:
    return parse_cluster_url(value, "http").text


class MqttSection(Section):
    """`[mqtt]`: the broker that the gateways send to. Without this section nothing is ingested.

    The scheme of `url` chooses the broker: `mqtt` and `mqtts` mosquitto, `amqp` and `amqps` RabbitMQ. The gateways use
    MQTT with both."""

    url: Annotated[str, BeforeValidator(_broker_url)]
    """`mqtt://HOST:PORT` (1883 when no port is given), `mqtts://HOST:PORT` (8883), or the nodes of a RabbitMQ cluster:
    `amqp://HOST:PORT,HOST:PORT,…` (5672) or `amqps://…` (5671)."""
    username: str | None = Field(default=None, min_length=1, max_length=256)
    """Broker user of the cloud, only for a broker that `argus-cloud broker config` did not set up. With `[broker]` or
    `[rabbitmq]` the name is derived from the password."""
    password_file: FilePath | None = None
    """File whose first line is the broker password."""
    ca_file: FilePath | None = None
    """PEM of the authority that signed the broker's certificate. None: the system's authorities. Only with `mqtts` and
    `amqps`."""

    @property
    def is_rabbitmq(self) -> bool:
        return self.url.startswith("amqp")

    def nodes(self) -> ClusterUrl:
        """Return the addresses of the nodes of a RabbitMQ cluster. Only if `is_rabbitmq`."""
        return parse_cluster_url(self.url, "amqp")

    @model_validator(mode="after")
    def _consistent(self) -> "MqttSection":
        if not self.url.startswith(("mqtts:", "amqps:")) and self.ca_file:
            raise ValueError('ca_file needs TLS: write url = "mqtts://HOST:PORT" or "amqps://HOST:PORT"')
        return self

    def login(self) -> CloudLogin | None:
        """Return the cloud's user name and password; None without a password. Raises `SettingsUnusable`."""
        if self.password_file is None:
            return None
        password = read_password(self.password_file)
        return CloudLogin(self.username or cloud_username(password), password)

    def check_with(self, settings: Settings) -> None:
        section = "[rabbitmq]" if self.is_rabbitmq else "[broker]"
        if self.is_rabbitmq and settings.find(RabbitmqSection) is None:
            raise ValueError("with [mqtt] url = amqp…, [rabbitmq] management_url is required")
        if self.is_rabbitmq and settings.find(BrokerSection) is not None:
            raise ValueError("[broker] is for mosquitto: leave it out with [mqtt] url = amqp…")
        if self.is_rabbitmq or settings.find(BrokerSection) is not None:
            if self.username is not None:
                raise ValueError(f"with {section}, leave [mqtt] username out: the name is derived from the password")
            if self.password_file is None:
                raise ValueError(f"with {section}, [mqtt] password_file is required")


class BrokerSection(Section):
    """`[broker]`: the files that the cloud writes for a mosquitto that `argus-cloud broker config` set up. Without this
    section, the cloud refuses a suspended or revoked gateway, but the broker still admits it."""

    directory: FilePath
    """Folder of the rights, the authorities and the revocation list that mosquitto reads."""


class RabbitmqSection(Section):
    """`[rabbitmq]`: the RabbitMQ cluster that `argus-cloud broker config` set up and `argus-cloud broker declare` gave
    its queues. Only with `[mqtt] url = "amqp…"`."""

    management_url: Annotated[str, BeforeValidator(_management_url)]
    """The management listeners of the nodes: `https://HOST:PORT,HOST:PORT,…` (15671 when no port is given) or
    `http://…` (15672). The cloud uses the first one that responds."""
    queues: int = Field(default=16, ge=1, le=64)
    """Queues among which the gateways' lanes are divided, two to four for each ingest process. After a change run
    `argus-cloud broker declare`, and restart ingest."""

    def check_with(self, settings: Settings) -> None:
        mqtt = settings.find(MqttSection)
        if mqtt is None or not mqtt.is_rabbitmq:
            raise ValueError('[rabbitmq] needs [mqtt] url = "amqps://HOST:PORT,HOST:PORT"')

    def management(self) -> ClusterUrl:
        """Return the addresses of the management listeners."""
        return parse_cluster_url(self.management_url, "http")
