"""Named SQL statements from the `.sql` files of this folder, read once at import. Each follows a line `-- name --` and
comments about its purpose. A name that occurs twice in a file fails an assertion.
"""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- ([a-z0-9_]+) --$", re.MULTILINE)


def _read(file_name: str) -> dict[str, str]:
    text = files(__package__).joinpath(file_name).read_text(encoding="utf-8")
    parts = _NAME.split(text)
    names, bodies = parts[1::2], parts[2::2]
    assert len(names) == len(set(names)), f"a name occurs twice in {file_name}"
    # Comments are removed: SQLite parses a statement each time its cache has dropped it.
    return {name: re.sub(r"\s*--[^\n]*", "", body).strip() for name, body in zip(names, bodies, strict=True)}


SCHEMA = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
OUTBOX = _read("outbox.sql")
RETENTION = _read("retention.sql")
SPARE = _read("spare.sql")
RECOVERY = _read("recovery.sql")
DEVICES = _read("devices.sql")
BLE_DEVICES = _read("ble_devices.sql")
CARE_CHANGES = _read("care_changes.sql")
CARE_LOGS = _read("care_logs.sql")
