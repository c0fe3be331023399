"""The link between gateway and cloud, versioned: a box in a vehicle may be months older than the cloud.

`topics` and `lanes` say where a message goes; `envelope` carries one signed batch; `observations`, `events` and `gaps`
are what a batch holds; `acks` and `status` are how the two sides agree on what has arrived. Every form begins with its
version, every decoder has a limit for everything, and raises `RemoteProtocolError` and nothing else on any bytes.

Sequences begin at 1 in each lane of each epoch: 0 means "nothing yet" wherever a sequence is named.
"""
