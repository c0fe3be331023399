"""Uplink: the order of sending, the meaning of the cloud's acknowledgements, and the MQTT session under it.

`uplink` is the loop. The decisions are pure and beside it: `lane_window` (the batches of a lane that are sent, held or
missing), `sharing` (which flow sends next), `pacing` (the bytes that may be in flight). `protocols/uplink/reconnection`
decides when to connect again. `mqtt` is one connection, `batch_source` the part of the buffer that the loop needs.
"""
