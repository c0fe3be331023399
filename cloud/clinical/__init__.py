"""The patient record and its sources: devices, observations, assignments, incidents, encounters."""
