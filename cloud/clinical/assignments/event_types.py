"""Events of assignments. Keyed by device, so that the events of a device are delivered in order. They
are not public."""

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

EVENTS = (
    EventType(
        name=ASSIGNMENT_ADDED,
        description="A device was assigned to an encounter.",
        fields={**_FIELDS, "encounter_id": text("The encounter, enc_….")},
    ),
    EventType(
        name=ASSIGNMENT_CLOSED,
        description="The assignment of a device ended.",
        fields={**_FIELDS, "until_us": count("End of the assignment, in µs since 1970.")},
    ),
    EventType(
        name=ASSIGNMENT_MOVED,
        description="An assignment was corrected to another encounter.",
        fields={
            **_FIELDS,
            "from_encounter_id": text("The previous encounter."),
            "to_encounter_id": text("The corrected encounter."),
            "replaces": text("The assignment that is replaced."),
            "until_us": {
                **count("End of the moved interval, in µs since 1970; null: none yet."),
                "type": ["integer", "null"],
            },
        },
    ),
)
