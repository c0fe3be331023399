"""The columns of the flat formats, CSV and Parquet.

Observations have the columns that `cloud.clinical.encounter_data` makes. The rows of other data are few, and their
columns are the fields of their JSON lines. So what a partner may see is decided in one place for all formats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import orjson

from cloud.clinical.encounter_data import OBSERVATION_COLUMNS
from cloud.foundation.moments import read_moment
from cloud.work.exports.schemas import ExportData


class Kind(Enum):
    """The type of a column."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"
    TEXTS = "texts"
    WHOLES = "wholes"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    kind: Kind


Table = Sequence[Sequence[Any]]
"""The values of each column of some rows."""

_KINDS = MappingProxyType(
    {
        **dict.fromkeys(("handle", "person", "uncertainty_ms", "sequence", "index"), Kind.WHOLE),
        **dict.fromkeys(("supplemental_types", "status", "flags"), Kind.TEXTS),
        **dict.fromkeys(("value", "sample_period_s", "slope", "offset"), Kind.NUMBER),
        **dict.fromkeys(("observed_at", "received_at", "created_at"), Kind.MOMENT),
        **dict.fromkeys(("from_memory", "wall_synchronised", "follows"), Kind.FLAG),
        "samples": Kind.WHOLES,
    }
)
"""Columns that are not texts. Only the status of an encounter is a text, that of a measurement a list."""
_CHANNEL = ("encounter_id", "device_id", "mdc_code", "unit_code", "handle", "person", "supplemental_types")
_ENCOUNTER = ("id", "organization_id", "care_model", "status", "vehicle_id", "created_at")
_SAMPLES = (
    "observed_at",
    "uncertainty_ms",
    "sample_period_s",
    "slope",
    "offset",
    "follows",
    "status",
    "flags",
    "samples",
)


def _columns(names: Sequence[str], **kinds: Kind) -> tuple[Column, ...]:
    return tuple(Column(name, kinds.get(name) or _KINDS.get(name, Kind.TEXT)) for name in names)


COLUMNS: Mapping[ExportData, Sequence[Column]] = MappingProxyType(
    {
        ExportData.ENCOUNTERS: _columns(_ENCOUNTER, status=Kind.TEXT),
        ExportData.OBSERVATIONS: _columns(("encounter_id", *OBSERVATION_COLUMNS)),
        ExportData.WAVEFORMS: _columns((*_CHANNEL, *_SAMPLES)),
    }
)
"""The columns of each table. The value of a time is µs since 1970 UTC."""


def columns_of_lines(lines: Sequence[str], data: ExportData) -> Table:
    """Return the columns of JSON lines."""
    rows = orjson.loads(f"[{','.join(lines)}]")
    return [
        [None if (value := row[column.name]) is None else read_moment(value) for row in rows]
        if column.kind is Kind.MOMENT
        else [row[column.name] for row in rows]
        for column in COLUMNS[data]
    ]
