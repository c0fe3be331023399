"""The events that tell of devices."""

DEVICE_ENROLLED = "device.enrolled"
DEVICE_RETIRED = "device.retired"
