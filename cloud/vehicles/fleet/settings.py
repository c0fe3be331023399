"""Settings of the MQTT broker: the cloud's connection to it, and the files that the cloud writes for mosquitto."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from cloud.foundation.settings import FilePath, Section, Settings, read_password
from cloud.vehicles.fleet.broker_rights import CloudLogin, cloud_username


def _broker_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    wrong = parts is None or parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname
    if wrong or parts is None or parts.username or parts.path:
        raise ValueError('write "mqtt://HOST:PORT" or, with TLS, "mqtts://HOST:PORT"; the user has a key of its own')
    return parts.geturl()


class MqttSection(Section):
    """`[mqtt]`: the broker that the gateways send to. Without this section nothing is ingested."""

    url: Annotated[str, BeforeValidator(_broker_url)]
    """`mqtt://HOST:PORT` (1883 when no port is given) or `mqtts://HOST:PORT` (8883)."""
    username: str | None = Field(default=None, min_length=1, max_length=256)
    """Broker user of the cloud, only for a broker that `argus-cloud broker config` did not set up. With `[broker]` the
    name is derived from the password."""
    password_file: FilePath | None = None
    """File whose first line is the broker password."""
    ca_file: FilePath | None = None
    """PEM of the authority that signed the broker's certificate. None: the system's authorities. Only with `mqtts`."""

    @model_validator(mode="after")
    def _consistent(self) -> "MqttSection":
        if not self.url.startswith("mqtts:") and self.ca_file:
            raise ValueError('ca_file needs TLS: write url = "mqtts://HOST:PORT"')
        return self

    def login(self) -> CloudLogin | None:
        """Return the cloud's user name and password; None without a password. Raises `SettingsUnusable`."""
        if self.password_file is None:
            return None
        password = read_password(self.password_file)
        return CloudLogin(self.username or cloud_username(password), password)

    def check_with(self, settings: Settings) -> None:
        if settings.find(BrokerSection) is not None:
            if self.username is not None:
                raise ValueError("with [broker], leave [mqtt] username out: the name is derived from the password")
            if self.password_file is None:
                raise ValueError("with [broker], [mqtt] password_file is required")


class BrokerSection(Section):
    """`[broker]`: the files that the cloud writes for a mosquitto that `argus-cloud broker config` set up. Without this
    section, the cloud refuses a suspended or revoked gateway, but the broker still admits it."""

    directory: FilePath
    """Folder of the rights, the authorities and the revocation list that mosquitto reads."""
