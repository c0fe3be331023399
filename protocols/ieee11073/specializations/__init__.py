"""The standard configurations that a manager may take for granted: `standard_configuration(config_id)`.

Only the six that public sources confirm object by object (reference 20601 §10). Any other id below 0x4000 is asked for,
like an extended one: taking a wrong object list for granted would put a wrong name on a value.
"""

from collections.abc import Mapping

from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.specializations.standard import STANDARD_CONFIGURATIONS

_BY_ID: Mapping[int, Configuration] = {item.config_id: item for item in STANDARD_CONFIGURATIONS}


def standard_configuration(config_id: int) -> Configuration | None:
    """The objects of a confirmed standard configuration, None for any other id."""
    return _BY_ID.get(config_id)


def standard_bytes(config_id: int) -> bytes | None:
    """The same as it goes over the wire in a ConfigReport's list of objects (MDER)."""
    configuration = standard_configuration(config_id)
    return None if configuration is None else configuration.octets


__all__ = ["STANDARD_CONFIGURATIONS", "standard_bytes", "standard_configuration"]
