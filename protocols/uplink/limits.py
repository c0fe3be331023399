"""The sizes that both ends of the link agree on: what is larger is refused before it is read.

They belong to the contract, not to a setting: a gateway that may send more than the cloud takes would never get its
batch through, and its lane would stand still behind it.
"""

ENVELOPE_BYTES_MAX = 1 << 20
"""One message on the wire. The broker's own limit (`message_size_limit`, MQTT's Maximum Packet Size) must not be lower
than this plus a topic; `PACKET_BYTES_MAX` is the number to give it."""

PACKET_BYTES_MAX = ENVELOPE_BYTES_MAX + 4096
"""What an MQTT packet may measure: the envelope, a topic of at most 160 octets, and the properties."""

PAYLOAD_BYTES_MAX = ENVELOPE_BYTES_MAX - 4096
"""A batch's payload: the envelope less its header, signature and trace context, which stay far below 4 KiB."""

BLOCK_BYTES_MAX = 8 << 20
"""An observation block after decompression. zlib can shrink zeros a thousandfold, so this and not the payload
bounds memory."""

BLOCK_OBSERVATIONS_MAX = 65_536
"""Observations in one block; a gateway commits some hundred to some thousand at a time."""

MESSAGE_BYTES_MAX = 16_384
"""A status, an acknowledgement, an event or a gap record: small JSON, so that a person with a subscriber can read
it."""

IDENTIFIER_LENGTH_MAX = 64
"""Tenants, gateways, epochs and boots are named by 1 to 64 of `A-Z a-z 0-9 _ -`, which no topic filter can mistake."""

SEQUENCE_MAX = (1 << 63) - 1
"""Sequences and microseconds are signed 64-bit everywhere: on the wire, in SQLite and in PostgreSQL."""
