"""Events of assignments. Keyed by device, so that its moves are delivered in order. They are not public."""

from cloud.foundation.events import EventType, count, text

ASSIGNMENT_ADDED = "assignment.added"
ASSIGNMENT_CLOSED = "assignment.closed"
ASSIGNMENT_MOVED = "assignment.moved"

_FIELDS = {
    "assignment_id": text("The assignment that is valid now, asg_…."),
    "device_id": text("The device, dev_…."),
    "from_us": count("Start of the assignment, in µs since 1970."),
    "by": text("Author of the change."),
}
_SAMPLE = {"assignment_id": "asg_1", "device_id": "dev_1", "from_us": 1_774_353_600_000_000, "by": "usr_1"}

EVENTS = (
    EventType(
        name=ASSIGNMENT_ADDED,
        description="A device was assigned to an encounter.",
        fields={**_FIELDS, "encounter_id": text("The encounter, enc_….")},
        sample={**_SAMPLE, "encounter_id": "enc_123"},
    ),
    EventType(
        name=ASSIGNMENT_CLOSED,
        description="The assignment of a device ended.",
        fields={**_FIELDS, "until_us": count("End of the assignment, in µs since 1970.")},
        sample={**_SAMPLE, "until_us": 1_774_357_200_000_000},
    ),
    EventType(
        name=ASSIGNMENT_MOVED,
        description="An assignment was corrected to another encounter.",
        fields={
            **_FIELDS,
            "from_encounter_id": text("The previous encounter."),
            "to_encounter_id": text("The corrected encounter."),
            "replaces": text("The assignment that is replaced."),
        },
        sample={**_SAMPLE, "from_encounter_id": "enc_122", "to_encounter_id": "enc_123", "replaces": "asg_0"},
    ),
)
