"""Settings for an `argus-cloud serve` that ingests from a test's MQTT broker."""

from pathlib import Path

from tests.builders.cloud_settings import HOSTS, settings_file
from tests.harness.broker import CLOUD_USER, Broker


def ingesting_settings(folder: Path, database_url: str, broker: Broker, *, log_level: str = "info") -> Path:
    """Write `cloud.toml` with hosts, broker and log level into `folder`; return its path."""
    password = broker.password_file(CLOUD_USER)
    mqtt = f'[mqtt]\nurl = "{broker.url}"\nusername = "{CLOUD_USER}"\npassword_file = "{password}"\n'
    return settings_file(folder, database_url=database_url, more=f'{HOSTS}\n{mqtt}\n[log]\nlevel = "{log_level}"\n')
