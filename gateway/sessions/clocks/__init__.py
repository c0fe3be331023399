"""The gateway's own time, and the relation of each device's clock to it."""
