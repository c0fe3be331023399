"""List of vehicles and their gateways: a CSV file for `argus-cloud gateways import`."""

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from cloud.foundation.errors import PrivateError

COLUMNS = ("vehicle", "name", "gateway", "public_key")
ROWS_MAX = 10_000
"""Limit of rows. The import is one transaction, and writes a thousand gateways in about a second."""
BYTES_MAX = 4 << 20
"""Limit of the file: four times what `ROWS_MAX` rows with ids and names of the usual length have."""


class FleetListUnusable(PrivateError, code="fleet_list_unusable", status=422):
    """The list of gateways cannot be used. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGateway:
    """A gateway of the list, in line `line` of the file. An empty `name` of the vehicle stands for its id."""

    line: int
    vehicle_id: str
    name: str
    gateway_id: str
    public_key: str


def read_list(path: Path) -> list[ListedGateway]:
    """Read the list. Raises `FleetListUnusable`."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        text = content.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except OSError as error:
        raise FleetListUnusable(f"({path}: {error.strerror})") from None
    except UnicodeDecodeError:
        raise FleetListUnusable(f"({path} is not UTF-8 text.)") from None
    if len(content) > BYTES_MAX:
        raise FleetListUnusable(f"({path} has more than {BYTES_MAX} bytes: split it.)")
    try:
        return _parse(text)
    except csv.Error as error:
        raise FleetListUnusable(f"({path} is not CSV: {error}.)") from None


def _parse(text: str) -> list[ListedGateway]:
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
        raise FleetListUnusable(f"(The first line must name the columns: {','.join(COLUMNS)}.)")
    found: list[ListedGateway] = []
    for row in reader:
        if None in row or None in row.values():
            raise FleetListUnusable(f"(Line {reader.line_num} does not have {len(COLUMNS)} columns.)")
        if len(found) == ROWS_MAX:
            raise FleetListUnusable(f"(It has more than {ROWS_MAX} gateways: split it.)")
        listed = ListedGateway(
            line=reader.line_num,
            vehicle_id=row["vehicle"].strip(),
            name=row["name"].strip() or row["vehicle"].strip(),
            gateway_id=row["gateway"].strip(),
            public_key=row["public_key"].strip(),
        )
        found.append(listed)
    return found
