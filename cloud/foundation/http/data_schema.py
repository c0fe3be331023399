"""Data schemas: the JSON Schemas of the objects that the interface returns, under ids that never change their meaning.

A slice declares the schemas of its objects (`Slice.data_schemas`). The discovery slice publishes them.
"""

import re
from dataclasses import dataclass
from typing import Any

from cloud.foundation.viewer import SecrecyLevel

_ID = re.compile(r"argus(\.[a-z][a-z0-9-]*)+\.v[1-9][0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSchema:
    """The JSON Schema of one kind of object. A change that breaks readers needs a new id, with the next version."""

    id: str
    """For instance `argus.profile.v1`."""
    title: str
    model: Any
    """The pydantic model of the object, or a union of models."""
    operations: tuple[str, ...]
    """The names of the routes that return or change such an object, for instance `GET /v1/profiles/{id}`."""
    secrecy_level: SecrecyLevel = SecrecyLevel.STANDARD
    """The clearance that a reader of the schema needs. A standard schema is public."""

    def __post_init__(self) -> None:
        if _ID.fullmatch(self.id) is None:
            raise ValueError(f"{self.id!r} is not an id such as argus.profile.v1")
