"""Settings of the uplink: the broker's address, the gateway's credentials, intervals and limits."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.security.identity import TlsFiles
from gateway.security.secret_store import SecretDamaged
from gateway.security.tls_key import load_client_certificate
from gateway.sync.lane_window import WindowSettings
from gateway.sync.mqtt import BrokerAddress
from gateway.sync.mqtt_errors import MqttUnavailable
from gateway.sync.pacing import PacingSettings
from gateway.sync.tls import CertificateClock, date_peers
from gateway.sync.unconfirmed import PubackSettings
from protocols.uplink.broker import parse_broker_url
from protocols.uplink.reconnection import ReconnectSettings

PASSWORD_NAME = "mqtt-password"  # noqa: S105  the name of its sealed file
KEY_NAME = "mqtt-client.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkSettings:
    """Settings of the uplink. `mqtt_url` is `mqtt://HOST[:PORT]` or, with TLS, `mqtts://HOST[:PORT]`.

    `username` None: the broker takes the identity from the client certificate. The password is the first line of
    `password_file`. `read_secret` is called with the path of `password_file` or `key_file` and the secret's name at
    each connection attempt, so that a changed secret needs no restart. The function may move the secret to a safer
    place. `ca_file` None: the system's authorities. `cert_file` and `key_file` are set together; None: the certificate
    beside the identity's keys, if there is one.
    """

    mqtt_url: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    read_secret: Callable[[Path, str], bytes] = lambda path, _name: path.read_bytes()
    status_every_s: float = 60.0
    """Interval of the retained status with the marks of each lane. The cloud's response to it corrects what either side
    missed."""
    ask_again_s: float = 5.0
    """Wait before the status is repeated while the cloud has not acknowledged every lane on a connection. Doubled each
    time, up to `status_every_s`."""
    fork_patience_s: float = 180.0
    """Time to stay connected and wait for a second gateway when the cloud holds another history of this epoch: three
    times the longest wait between two connection attempts of such a gateway (`reconnect`)."""
    read_batches_max: int = 16
    """Maximum number of batches of a flow that are read from the buffer at once, and kept until they are sent."""
    read_bytes_max: int = 128 * 1024
    pubacks: PubackSettings = field(default_factory=PubackSettings)
    reconnect: ReconnectSettings = field(default_factory=ReconnectSettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    pacing: PacingSettings = field(default_factory=PacingSettings)

    def __post_init__(self) -> None:
        """Raise ValueError if `mqtt_url` is not the URL of a broker."""
        parse_broker_url(self.mqtt_url)


def broker_address(settings: UplinkSettings, tls: TlsFiles | None, clock: CertificateClock) -> BrokerAddress:
    """Read the secrets and return the address with them. `clock` checks the dates of the broker's certificate. Raises
    MqttUnavailable if a file cannot be used; the message names it where the system does."""
    host, port, secure = parse_broker_url(settings.mqtt_url)
    try:
        password = None
        if settings.password_file is not None:
            secret = settings.read_secret(settings.password_file, PASSWORD_NAME)
            password = secret.decode().split("\n", 1)[0].rstrip("\r")
        return BrokerAddress(
            host=host,
            port=port,
            username=settings.username,
            password=password,
            tls=_tls_context(settings, tls, clock) if secure else None,
        )
    except (OSError, UnicodeDecodeError) as error:
        # ssl.SSLError is an OSError; load_cert_chain names no file.
        named = getattr(error, "filename", None) or "a certificate, key or password file"
        why = getattr(error, "strerror", None) or type(error).__name__
        raise MqttUnavailable(f"{named} cannot be used: {why}") from error
    except SecretDamaged as error:
        raise MqttUnavailable(
            f"{error.path} is damaged, or was sealed under another key; put the secret's file there again"
        ) from error


def _tls_context(settings: UplinkSettings, tls: TlsFiles | None, clock: CertificateClock) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    date_peers(context, clock)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file is not None and settings.key_file is not None:
        load_client_certificate(context, settings.cert_file, settings.read_secret(settings.key_file, KEY_NAME))
    elif tls is not None:
        load_client_certificate(context, tls.certificate, tls.key)
    return context
