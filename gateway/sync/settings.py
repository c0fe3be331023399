"""Settings of the uplink: the broker's address, the gateway's credentials, intervals and limits."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.security.identity import TlsFiles
from gateway.security.secret_store import SecretDamaged
from gateway.security.tls_key import load_client_certificate
from gateway.sync.lane_window import WindowSettings
from gateway.sync.mqtt import BrokerAddress, MqttUnavailable
from gateway.sync.pacing import PacingSettings
from gateway.sync.tls import CertificateClock, date_peers
from gateway.sync.unconfirmed import PubackSettings
from protocols.uplink.broker import parse_broker_url
from protocols.uplink.reconnection import ReconnectSettings

PASSWORD_NAME = "mqtt-password"  # noqa: S105  the name of its sealed file
KEY_NAME = "mqtt-client.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkSettings:
    """`mqtt_url` is `mqtt://HOST[:PORT]` or, with TLS, `mqtts://HOST[:PORT]`.

    `username` None: the broker takes the identity from the client certificate. `password_file`: its first line. It and
    `key_file` are read at each attempt, so that a changed secret needs no restart, by `read_secret`, which is given the
    path and the secret's name and may keep secrets elsewhere than in the file. `ca_file` None: the system's
    authorities. `cert_file` and `key_file` together; None: the certificate beside the identity's keys, if any.
    """

    mqtt_url: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    read_secret: Callable[[Path, str], bytes] = lambda path, _name: path.read_bytes()
    status_every_s: float = 60.0
    """The retained status with the marks; the cloud's response repairs what either side may have missed."""
    ask_again_s: float = 5.0
    """A status without a response at the beginning of a connection is repeated, each time after twice as long."""
    fork_patience_s: float = 180.0
    """Time to stay connected and wait for a rival when the cloud holds another history of this epoch: three times the
    longest wait between two attempts of a gateway that was taken over (`reconnect`)."""
    read_batches_max: int = 16
    """Batches of a flow that are read from the buffer at once, and kept until their turn."""
    read_bytes_max: int = 128 * 1024
    pubacks: PubackSettings = field(default_factory=PubackSettings)
    reconnect: ReconnectSettings = field(default_factory=ReconnectSettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    pacing: PacingSettings = field(default_factory=PacingSettings)

    def __post_init__(self) -> None:
        """Raises ValueError for an address that is none."""
        parse_broker_url(self.mqtt_url)


def broker_address(settings: UplinkSettings, tls: TlsFiles | None, clock: CertificateClock) -> BrokerAddress:
    """Read the secrets and return the address with them. `clock` judges the dates of the broker's certificate. Raises
    MqttUnavailable when a file cannot be read; the message names it."""
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
