"""Sizes that gateway and cloud agree on: a larger message is refused before it is decoded.

They are no settings: a gateway that sent more than the cloud accepts would never deliver its batch. The limits of a
block are at least twice what any released gateway builds (4 096 observations, 256 KiB of samples, 256 devices in its
roster), so blocks of older gateways are accepted too. `encode_block` and `decode_block` enforce the same limits.
"""

from protocols.errors import LocalProtocolError, RemoteProtocolError

ENVELOPE_BYTES_MAX = 1 << 20
"""One message on the wire. The broker's own limit (`message_size_limit`, MQTT's Maximum Packet Size) must not be lower
than this plus a topic; set it to `PACKET_BYTES_MAX`."""

PACKET_BYTES_MAX = ENVELOPE_BYTES_MAX + 4096
"""Limit of an MQTT packet: the envelope, a topic of at most 160 bytes, and the properties."""

PAYLOAD_BYTES_MAX = ENVELOPE_BYTES_MAX - 4096
"""A batch's payload: the envelope less its header, signature and trace context, which stay far below 4 KiB."""

BATCH_COUNT_MAX = 65_536
"""Largest number of observations or events that an envelope may announce. Above the limit of a block on purpose: a
batch between the two is authentic and too large, so it is quarantined and acknowledged, instead of refused forever."""

BLOCK_BYTES_MAX = 2 << 20
"""An observation block after decompression. Zeros shrink more than a thousandfold, so this and not the payload bounds
memory. 4 096 observations take about 100 bytes each, samples below half a MiB more."""

BLOCK_OBSERVATIONS_MAX = 8_192
"""Observations in one block; a gateway commits a few hundred to a few thousand at a time, 4 096 at most. Decoding and
writing that many takes some tenths of a second, which delays other gateways' batches."""

BLOCK_DEVICES_MAX = 256
"""Devices in one block: the size of a gateway's roster. A vehicle has about twenty."""

BLOCK_CHANNELS_MAX = 4_096
"""Channels in one block: one for each observation of the largest block that a gateway builds."""

BLOCK_CODES_MAX = 32_768
"""Components and supplemental types of all channels in one block: eight for each of the most channels. In all known
specializations a channel has at most three."""

BLOCK_SCALARS_MAX = 65_536
"""Components of all compound values in one block: eight for each of the most observations. A blood pressure has
three."""

BLOCK_SAMPLES_BYTES_MAX = 512 * 1024
"""Sample bytes in one block. A gateway closes a block at 256 KiB, and one observation is at most one APDU (64 KiB)."""

MESSAGE_BYTES_MAX = 16_384
"""A status, an acknowledgement, an event or a gap record: small JSON, so that a person with a subscriber can
read it."""

IDENTIFIER_LENGTH_MAX = 64
"""Tenants, gateways, epochs and boots are named by 1 to 64 of `A-Z a-z 0-9 _ -`, which have no meaning in a topic
filter."""

INTEGER_MAX = (1 << 63) - 1
"""Sequences and microseconds are signed 64-bit everywhere: on the wire, in SQLite and in PostgreSQL."""
SEQUENCE_MAX = INTEGER_MAX - 1
"""The next number must fit as well: a database is searched for the neighbours of each batch."""


class LimitExceeded(RemoteProtocolError):
    """The peer's message is larger than this side takes. It may be well-formed otherwise."""


class BlockTooLarge(LocalProtocolError):
    """Our own side put more into one block than a block may hold; in several blocks it fits."""
