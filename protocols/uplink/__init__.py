"""Messages between gateway and cloud: versioned, since a gateway in a vehicle may be months older than the cloud.

`topics` and `lanes` define the destination of a message; `envelope` carries one signed batch; `observations`, `events`
and `gaps` are the contents of batches; with `acks` and `status` the two sides agree on the batches that have arrived.
Every message begins with its version. Every decoder limits every length and count, and raises only
`RemoteProtocolError`, whatever bytes it receives.

An epoch is one life of a gateway's store, and a lane is one of its queues. Sequences begin at 1 in each lane of each
epoch: 0 means "nothing yet" wherever a sequence is named.
"""
