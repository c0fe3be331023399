"""The link between gateway and cloud, versioned: a gateway in a vehicle may be months older than the cloud.

`topics` and `lanes` define the destination of a message; `envelope` carries one signed batch; `observations`, `events`
and `gaps` are the contents of batches; with `acks` and `status` the two sides agree on the batches that have arrived.
Every form begins with its version. Every decoder has a limit for everything, and raises `RemoteProtocolError` and
nothing else on any bytes.

Sequences begin at 1 in each lane of each epoch: 0 means "nothing yet" wherever a sequence is named.
"""
