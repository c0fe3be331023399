"""The gateway's own time, and how each device's clock relates to it."""
