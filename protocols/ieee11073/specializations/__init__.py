"""The standard configurations that a manager knows in advance: `standard_configuration(config_id)`.

Only the six that public sources confirm object by object (reference 20601 §10). The manager requests the configuration
of any other id below 0x4000, as for an extended one: a wrong object list would put a wrong name on a value.
"""

from collections.abc import Mapping

from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.specializations.standard import STANDARD_CONFIGURATIONS

_BY_ID: Mapping[int, Configuration] = {item.config_id: item for item in STANDARD_CONFIGURATIONS}


def standard_configuration(config_id: int) -> Configuration | None:
    """Return the objects of a confirmed standard configuration, None for any other id."""
    return _BY_ID.get(config_id)


def standard_bytes(config_id: int) -> bytes | None:
    """Return the same as the MDER list of objects in a ConfigReport."""
    configuration = standard_configuration(config_id)
    return None if configuration is None else configuration.encoded


__all__ = ["STANDARD_CONFIGURATIONS", "standard_bytes", "standard_configuration"]
