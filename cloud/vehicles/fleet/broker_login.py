"""The cloud's own login at the broker, from its settings."""

from cloud.foundation.settings import read_password
from cloud.vehicles.fleet.broker_rights import CloudLogin, cloud_username
from cloud.vehicles.fleet.settings import MqttSection


def cloud_login(mqtt: MqttSection) -> CloudLogin | None:
    """Return user name and password; None for a broker without a password. Raises `SettingsUnusable`."""
    if mqtt.password_file is None:
        return None
    password = read_password(mqtt.password_file)
    return CloudLogin(mqtt.username or cloud_username(password), password)
