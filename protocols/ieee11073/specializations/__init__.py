"""The standard configurations that a manager has in advance: the six that public sources confirm object by object
(reference 20601 §10). For any other id the manager requests the configuration from the device, since a wrong object
list would put a wrong name on a value.
"""

from collections.abc import Mapping

from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.specializations.standard import STANDARD_CONFIGURATIONS

_BY_ID: Mapping[int, Configuration] = {item.config_id: item for item in STANDARD_CONFIGURATIONS}


def standard_configuration(config_id: int) -> Configuration | None:
    """Return the confirmed standard configuration with this id, or None."""
    return _BY_ID.get(config_id)


def standard_bytes(config_id: int) -> bytes | None:
    """Return the confirmed standard configuration with this id as an encoded ConfigObjectList, or None."""
    configuration = standard_configuration(config_id)
    return None if configuration is None else configuration.encoded


__all__ = ["STANDARD_CONFIGURATIONS", "standard_bytes", "standard_configuration"]
