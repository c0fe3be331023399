"""Uplink from the gateway to the cloud: the order of sending, the meaning of the cloud's acknowledgements, and the MQTT
connection below.

Batches are sent in lanes: events, ePCR, numerics and waveforms have one lane each. In every lane batches are numbered
from 1; the lane's mark is the sequence number through which the cloud holds all batches. The batches of one lane that
are sent together, the live ones or the backlog, are a flow.

`uplink` is the loop. The decisions are pure modules: `lane_window` (which batches of a lane are sent, held by the cloud
or missing), `sharing` (which flow sends next), `pacing` (how many bytes may be in flight).
`protocols/uplink/reconnection` decides when to connect again. `mqtt` is one connection, `batch_source` the interface to
the buffer.
"""
