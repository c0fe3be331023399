"""Settings of ingest: what one gateway may add."""

from pydantic import Field

from cloud.foundation.settings import Section


class IngestSection(Section):
    """`[ingest]`: what one gateway may add, at once (`burst`) and for ever (`per_hour`).

    A normal vehicle brings 270,000 observations and 100 MB an hour (sent and unpacked). What is over a quota is parked
    and readable later."""

    rows_burst: int = Field(default=28_000_000, ge=100_000)
    """Observations and events of 72 h offline, and half as many more."""
    rows_per_hour: int = Field(default=1_080_000, ge=1_000)
    """Four normal vehicles."""
    bytes_burst: int = Field(default=12 << 30, ge=64 << 20)
    """A gateway's whole store, unpacked."""
    bytes_per_hour: int = Field(default=471_859_200, ge=1 << 20)
    """Four normal vehicles and some."""
    devices_burst: int = Field(default=256, ge=1)
    """Quota of new devices."""
    devices_per_hour: int = Field(default=32, ge=1)
    """A vehicle meets some a day."""
    epochs_burst: int = Field(default=16, ge=1)
    """Epochs (stores) that a gateway may begin at once."""
    epochs_per_hour: int = Field(default=1, ge=1)
    """A store is created a few times in the life of a box."""
    parked_bytes_max: int = Field(default=256 << 20, ge=0)
    """Batches that are parked for one gateway; beyond it the gateway keeps them itself."""
