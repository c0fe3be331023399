"""The uplink: what is sent when, what the acknowledgements of the cloud mean, and the MQTT session under it.

`uplink` is the loop. The decisions are pure and beside it: `lane_window` (the batches of a lane that are sent, held or
missing), `sharing` (which flow sends next), `pacing` (the bytes that may be in flight). When to connect again is
`protocols/uplink/reconnection`'s. `mqtt` is one connection, `batch_source` the part of the buffer that the loop needs.
"""
