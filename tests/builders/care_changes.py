"""Field changes of care records, with defaults for what a test does not examine."""

from itertools import count

from protocols.epcr.change import Action, FieldChange

NOW_US = 1_800_000_000_000_000
ENCOUNTER = "enc_test"
ANNA, JAN = "usr_anna", "usr_jan"
_NUMBERS = count(1)


def change(
    key: str = "vitals.spo2",
    value: str | None = "97",
    *,
    id: str | None = None,
    entry: str | None = None,
    action: Action = Action.SET,
    negative: str | None = None,
    not_recorded: str | None = None,
    author: str = ANNA,
    encounter: str = ENCOUNTER,
    replaces: tuple[str, ...] = (),
    gateway_time_us: int = NOW_US,
    device_time_us: int | None = None,
) -> FieldChange:
    """Return a change. Without `id` it has an id of its own. A change of a set of vital signs is in the entry "v1"."""
    if entry is None and key.startswith("vitals."):
        entry = "v1"
    return FieldChange(
        id=id or f"change-{next(_NUMBERS)}",
        encounter=encounter,
        key=key,
        author=author,
        gateway_time_us=gateway_time_us,
        action=action,
        entry=entry,
        value=value,
        negative=negative,
        not_recorded=not_recorded,
        device_time_us=device_time_us,
        replaces=replaces,
    )
