"""Settings of ingest: the quotas of one gateway, and the time for which rows may wait."""

from pydantic import Field

from cloud.foundation.settings import Section
from protocols.uplink.limits import BLOCK_DEVICES_MAX


class IngestSection(Section):
    """`[ingest]`: the quotas of one gateway: at once (`burst`), and as a permanent rate (`per_hour`). Also the time for
    which the rows of live batches may wait.

    A normal vehicle sends 270,000 observations and 100 MB an hour (envelopes and unpacked content together). Batches
    over a quota are parked and readable later; batches of an epoch over the quota stay with the gateway."""

    # A normal vehicle sends 75 observations and 11.5 kB a second. After 72 h offline these are 19.4 million
    # observations and 3.0 GB on the wire, which unpack to about 4.5 GB; a gateway's store holds 4 GiB at most. The
    # buckets hold all of that at once, because a restored cloud requests it again; the rates are four times those of a
    # normal vehicle. Epochs: a store is created at provisioning, after damage, and after a restore from a copy. A
    # gateway that begins new epochs all the time adds 24 a day, until an operator reacts to the event.

    rows_burst: int = Field(default=28_000_000, ge=100_000)
    """Observations and events: those of 72 h offline, and almost half as many more."""
    rows_per_hour: int = Field(default=1_080_000, ge=1_000)
    """The rate of four normal vehicles."""
    bytes_burst: int = Field(default=12 << 30, ge=64 << 20)
    """A gateway's whole store: its envelopes and their unpacked content."""
    bytes_per_hour: int = Field(default=471_859_200, ge=1 << 20)
    """The rate of four normal vehicles, and some more."""
    devices_burst: int = Field(default=BLOCK_DEVICES_MAX, ge=1)
    """New devices: the size of a gateway's roster, so that the first hour of any vehicle fits."""
    devices_per_hour: int = Field(default=32, ge=1)
    """New devices. A vehicle meets a few a day."""
    epochs_burst: int = Field(default=16, ge=1)
    """Epochs (stores) that a gateway may begin at once."""
    epochs_per_hour: int = Field(default=1, ge=1)
    """New epochs. A store is created a few times in the life of a gateway."""
    parked_bytes_max: int = Field(default=256 << 20, ge=0)
    """Bytes of the batches that are parked for one gateway. Beyond this limit the gateway keeps further batches."""
    stage_s: float = Field(default=120.0, ge=0.0, le=600.0)
    """Seconds after which the rows of acknowledged live batches are written, if no reader needs them before. Until then
    the batches are in the object store. 0: the rows are written before the acknowledgement. The last page of each table
    and index is then written again for each commit: four times as many bytes as with two minutes (measured)."""
