"""The events that tell of assignments. Keyed by device, so that its moves are heard in order. They stay inside."""

from cloud.foundation.events import EventType
from cloud.foundation.events.event_type import count, text

ASSIGNMENT_ADDED = "assignment.added"
ASSIGNMENT_CLOSED = "assignment.closed"
ASSIGNMENT_MOVED = "assignment.moved"

_FIELDS = {
    "assignment_id": text("The assignment that counts now, asg_…."),
    "device_id": text("The device, dev_…."),
    "from_us": count("Since when the device measures for the encounter, in µs since 1970."),
    "by": text("Who said so."),
}
_SAMPLE = {"assignment_id": "asg_1", "device_id": "dev_1", "from_us": 1_774_353_600_000_000, "by": "usr_1"}

EVENTS = (
    EventType(
        name=ASSIGNMENT_ADDED,
        description="What a device measures belongs to an encounter from now on.",
        fields={**_FIELDS, "encounter_id": text("The encounter, enc_….")},
        sample={**_SAMPLE, "encounter_id": "enc_123"},
    ),
    EventType(
        name=ASSIGNMENT_CLOSED,
        description="What a device measures does not belong to the encounter any more.",
        fields={**_FIELDS, "until_us": count("Since when.")},
        sample={**_SAMPLE, "until_us": 1_774_357_200_000_000},
    ),
    EventType(
        name=ASSIGNMENT_MOVED,
        description="What a device measured belongs to another encounter after all.",
        fields={
            **_FIELDS,
            "from_encounter_id": text("Where it was believed to belong."),
            "to_encounter_id": text("Where it belongs."),
            "replaces": text("The assignment that counts no more."),
        },
        sample={**_SAMPLE, "from_encounter_id": "enc_122", "to_encounter_id": "enc_123", "replaces": "asg_0"},
    ),
)
