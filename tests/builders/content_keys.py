"""The content key of a record that a test has read, as the cloud makes it from the batch of the record."""

from protocols.content_keys import content_keys
from protocols.observation import Channel
from protocols.observation_record import ObservationRecord
from protocols.uplink.channels import Facts
from protocols.uplink.observations import BlockColumns


def content_key(record: ObservationRecord) -> bytes | None:
    """Return the content key of a measurement; None for one that has none."""
    facts = Facts(
        device=record.device,
        boot_id="boot-1",
        wall_offset_us=0,
        wall_synchronised=True,
        device_offset_us=None,
        uncertainty_us=0,
        stored=record.stored,
    )
    channel = Channel(
        handle=record.handle,
        type=record.type,
        unit=record.unit,
        person=record.person,
        components=record.components,
        supplemental_types=record.supplemental_types,
        array=record.array,
    )
    block = BlockColumns(
        runs=[(facts, 1)],
        channel_table=[channel],
        channel_numbers=[0],
        values=[record.value],
        samples=[record.samples],
        status=[record.status],
        device_times=[record.device_time],
        received_s=[0.0],
    )
    return content_keys(block).get(0)
