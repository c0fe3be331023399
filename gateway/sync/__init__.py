"""The way to the cloud: what is sent when, what the cloud's answers mean, and the MQTT session under it.

`uplink` is the loop. The decisions are pure and beside it: `lane_window` (what of a lane is sent, held, missing),
`sharing` (whose turn it is), `pacing` (how much may be under way), `backoff` (when to try again). `mqtt` is one
connection, `outbox` is what the loop needs of the buffer.
"""
