"""The events that tell of encounters. Keyed by encounter, so that its life is heard in order (A-059)."""

ENCOUNTER_CREATED = "epcr.encounter.created"
"""`encounter_id`, `care_model`, `vehicle_id`, `from_cad`."""
