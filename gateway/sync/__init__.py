"""Uplink from the gateway to the cloud: the order of sending, the cloud's acknowledgements, and the MQTT connection.

Events, ePCR, numerics and waveforms have one lane each, with batches numbered from 1. The mark of a lane is the
sequence number through which the cloud holds all batches. The live batches of a lane are one flow, and the backlog of
the lane is another.

`uplink` is the loop. The decisions are pure modules: `lane_window` (which batches of a lane are sent, held by the cloud
or missing), `sharing` (which flow sends next), `pacing` (how many bytes may be in flight).
"""
