"""The summary has the least and greatest sample of each second and minute, within bounds of work and size."""

import random
import struct
from collections.abc import Sequence
from dataclasses import replace

from cloud.clinical.waveforms.summarising import SAMPLES_BYTES_MAX, ChannelKey, SampleBlocks, Summary, summarise
from cloud.clinical.waveforms.summary import BUCKETS_MAX, CHANNELS_MAX, ChannelSummary, read_summaries
from protocols.observation import Channel, SampleArray, SampleFormat
from protocols.observation_record import integers_of
from protocols.uplink.wire import WireReader, WireWriter
from tests.builders.ingest_gateway import OXIMETER, PLETH

KEY = ChannelKey("gw_1", OXIMETER, PLETH)
SECOND_US = 1_000_000


def scaled(form: SampleFormat = SampleFormat.I16, period_s: float = 0.25) -> ChannelKey:
    array = SampleArray(format=form, period_s=period_s, slope=1.0, offset=0.0)
    return ChannelKey("gw_1", OXIMETER, replace(PLETH, array=array))


def of(blocks: Sequence[tuple[ChannelKey, int, bytes]]) -> Summary:
    return summarise([columns(blocks)])


def columns(blocks: Sequence[tuple[ChannelKey, int, bytes]]) -> SampleBlocks:
    keys, times_us, samples = zip(*blocks, strict=True)
    return SampleBlocks(keys, range(len(keys)), times_us, samples)


def only(key: ChannelKey, at_us: int, samples: bytes) -> ChannelSummary:
    summary = of([(key, at_us, samples)])
    assert summary.complete
    (one,) = summary.channels()
    return one


def test_samples_belong_to_the_second_in_which_they_were_taken() -> None:
    one = only(scaled(), 59_500_000, struct.pack(">8h", 1, 2, -3, 4, 5, -6, 7, 8))
    assert one.seconds.numbers == [59, 60, 61]
    assert one.seconds.least == [1, -6, 7]
    assert one.seconds.greatest == [2, 5, 8]
    assert (one.minutes.numbers, one.minutes.least, one.minutes.greatest) == ([0, 1], [1, -6], [2, 8])


def test_blocks_of_one_second_are_joined() -> None:
    blocks = [(KEY, 5 * SECOND_US, struct.pack(">h", value)) for value in (4, -9, 6)]
    (one,) = of(blocks).channels()
    assert (one.seconds.numbers, one.seconds.least, one.seconds.greatest) == ([5], [-9], [6])


def test_samples_of_every_form_are_compared_as_numbers() -> None:
    for form, code, values in (
        (SampleFormat.I8, ">2b", (-128, 127)),
        (SampleFormat.U8, ">2B", (0, 255)),
        (SampleFormat.I16, ">2h", (-32768, 32767)),
        (SampleFormat.U16, ">2H", (0, 65535)),
        (SampleFormat.I32, ">2i", (-(1 << 31), (1 << 31) - 1)),
        (SampleFormat.U32, ">2I", (0, (1 << 32) - 1)),
    ):
        one = only(scaled(form, 0.001), 0, struct.pack(code, *values))
        assert (one.seconds.least, one.seconds.greatest) == ([values[0]], [values[1]])


def test_samples_before_1970_and_without_a_period_have_a_second() -> None:
    assert only(scaled(period_s=0.0), -1, struct.pack(">3h", 1, 2, 3)).seconds.numbers == [-1]


def test_small_block_with_samples_far_apart_stops_at_the_limit() -> None:
    summary = of([(scaled(SampleFormat.I8, 1000.0), 0, bytes(500_000))])
    assert not summary.complete
    (one,) = summary.channels()
    assert len(one.seconds.numbers) == BUCKETS_MAX // 2


def test_times_beyond_64_bits_and_too_many_channels_are_left_out() -> None:
    assert not of([(scaled(period_s=1e300), 0, bytes(4))]).complete
    channels = [
        (ChannelKey("gw_1", OXIMETER, Channel(handle=number, type=PLETH.type, array=PLETH.array)), 0, bytes(2))
        for number in range(CHANNELS_MAX + 1)
    ]
    summary = of(channels)
    assert (summary.complete, len(summary.channels())) == (False, CHANNELS_MAX)


def test_block_that_is_left_out_gives_no_samples_to_the_one_before_it() -> None:
    far = (KEY, (1 << 63) - 1, struct.pack(">2h", 900, -900))
    summary = of([(KEY, 0, struct.pack(">h", 1)), far, (KEY, SECOND_US, struct.pack(">h", 2))])
    (one,) = summary.channels()
    assert (summary.complete, one.seconds.least, one.seconds.greatest) == (False, [1, 2], [1, 2])


def test_batch_that_was_not_decoded_makes_a_summary_incomplete() -> None:
    assert not summarise([None, columns([(KEY, 0, bytes(2))])]).complete
    assert summarise([]).complete


def test_samples_beyond_the_limit_of_one_comparison_are_joined_with_those_before() -> None:
    key = scaled(SampleFormat.I8, 0.0)
    blocks = [(key, 0, bytes(SAMPLES_BYTES_MAX)), (key, 0, struct.pack(">2b", -5, 7)), (key, SECOND_US, bytes(1))]
    (one,) = of(blocks).channels()
    assert (one.seconds.numbers, one.seconds.least, one.seconds.greatest) == ([0, 1], [-5, 0], [7, 0])


def test_extremes_are_those_of_a_loop_over_the_samples() -> None:
    chance = random.Random(6)
    blocks: list[tuple[ChannelKey, int, bytes]] = []
    expected: dict[tuple[ChannelKey, int], tuple[int, int]] = {}
    keys = [scaled(form, period_s) for form in SampleFormat for period_s in (0.002, 0.3, 1.0, 2.5)]
    for key in chance.choices(keys, k=200):
        scale = key.channel.array
        assert scale is not None
        samples = chance.randbytes(scale.format.width_bytes * chance.randrange(1, 40) + chance.randrange(2))
        at_us = chance.randrange(-3 * SECOND_US, 90 * SECOND_US)
        blocks.append((key, at_us, samples))
        for number, value in enumerate(integers_of(samples, scale.format)):
            bucket = key, (at_us + round(number * scale.period_s * SECOND_US)) // SECOND_US
            least, greatest = expected.get(bucket, (value, value))
            expected[bucket] = min(least, value), max(greatest, value)
    summary = of(blocks)
    found = {
        (key, number): (least, greatest)
        for key, one in zip(summary.keys, summary.channels(), strict=True)
        for number, least, greatest in zip(one.seconds.numbers, one.seconds.least, one.seconds.greatest, strict=True)
    }
    assert found == expected


def test_summary_is_read_as_it_was_written() -> None:
    summary = of([(KEY, 7 * SECOND_US, bytes(4)), (scaled(), 0, bytes(60)), (scaled(SampleFormat.U8), 0, b"")])
    writer = WireWriter()
    summary.write(writer)
    assert read_summaries(WireReader(writer.take(), clause="test")) == summary.channels()
