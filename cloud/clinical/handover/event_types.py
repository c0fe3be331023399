"""Event of share links. Keyed by encounter, as the events of encounters are."""

from cloud.foundation.events import EventType, moment, text

HANDOVER_READY = "epcr.handover.ready"

EVENTS = (
    EventType(
        name=HANDOVER_READY,
        description="The crew shared the hand-over with a hospital for the first time. Once for each encounter.",
        fields={
            "encounter_id": text("The encounter, enc_…."),
            "vehicle_id": text("The vehicle that shared it."),
            "link_id": text("The share link, by which the audit trail names it. It opens nothing."),
            "shared_at": moment("The time at which the cloud received the link."),
            "expires_at": moment("The latest time at which the link expires."),
        },
        sample={
            "encounter_id": "enc_123",
            "vehicle_id": "AMB-42",
            "link_id": "share-5b1f0c9a7e3d",
            "shared_at": "2026-03-23T11:48:09.000000Z",
            "expires_at": "2026-03-26T11:48:09.000000Z",
        },
        scope="argus:epcr:read",
    ),
)
