"""Decoded tables of channels are kept for further blocks."""

from protocols.uplink import channel_table
from protocols.uplink.channel_table import read_channels, write_channels
from protocols.uplink.wire import WireReader, WireWriter
from tests.builders.uplink_blocks import PULSE, SPO2


class InterruptedReader(WireReader):
    """A reader that is interrupted while it compares a table: another thread drops all tables that are kept."""

    def skip(self, expected: bytes) -> bool:
        channel_table._tables._known.clear()
        return super().skip(expected)


def test_table_that_another_thread_drops_while_it_is_compared_is_read() -> None:
    writer = WireWriter()
    write_channels(writer, [SPO2, PULSE, SPO2], sized=False)
    data = writer.take()
    first = read_channels(WireReader(data, clause="test"), 3, sized=False)
    assert read_channels(InterruptedReader(data, clause="test"), 3, sized=False) == first
