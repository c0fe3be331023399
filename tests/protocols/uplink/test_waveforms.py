"""A waveform block is decoded to the samples that were encoded, byte for byte, and is small."""

import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from protocols.uplink.block_body import MIXED, WAVEFORMS
from protocols.uplink.channels import CACHED_CHANNEL_BYTES_MAX, channel_bytes
from protocols.uplink.limits import BLOCK_BYTES_MAX, BLOCK_SAMPLES_BYTES_MAX, LimitExceeded
from protocols.uplink.observations import DeviceObservations, body_bytes, decode_block, encode_block
from tests.builders.monitor_waveforms import bytes_per_sample, reports, sent_batches
from tests.builders.uplink_blocks import (
    BYTES,
    ECG_SCANNED,
    PLETH,
    SPO2,
    WIDE,
    flattened,
    observation,
    section,
    signal,
    waveform,
)
from tests.builders.uplink_bombs import body_of, sealed

LEADS = [
    Channel(
        handle=handle,
        type=Code(2, 256 + handle),
        unit=Code(4, 4274),
        array=SampleArray(format=SampleFormat.I16, period_s=0.002, slope=0.005, offset=0.0),
    )
    for handle in range(1, 13)
]

scaled_channels = st.builds(
    Channel,
    handle=st.integers(1, 4),
    type=st.just(Code(2, 258)),
    array=st.builds(
        SampleArray,
        format=st.sampled_from(SampleFormat),
        period_s=st.sampled_from([0.002, 0.008]),
        slope=st.sampled_from([0.005, -1.0, 1e-9]),
        offset=st.sampled_from([0.0, -0.0, 2000.0]),
    ),
)
EDGES = (0, 1, -1, 127, -128, 128, 255, -32_768, 32_767, 65_535, -(1 << 31), (1 << 31) - 1, (1 << 32) - 1)


def edge_signal(form: str, chosen: bytes) -> bytes:
    """Return one sample for each byte of `chosen`: an edge value within the range of the format."""
    bits = 8 * len(signal(0, form=form))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if form.islower() else (0, (1 << bits) - 1)
    return signal(*[min(max(EDGES[byte % len(EDGES)], low), high) for byte in chosen], form=form)


def signals(form: str) -> st.SearchStrategy[bytes]:
    """Return samples of one format: noise, which may end within a sample, steps between edge values, or a constant
    signal."""
    steps = st.binary(max_size=24).map(lambda chosen: edge_signal(form, chosen))
    constant = st.builds(lambda byte, count: edge_signal(form, byte * count), st.binary(min_size=1, max_size=1), counts)
    return st.binary(max_size=48) | steps | constant


counts = st.integers(0, 40)
arrays_of_samples = scaled_channels.flatmap(
    lambda channel: st.builds(
        waveform,
        signals(channel.array.format.value if channel.array else ""),
        channel=st.just(channel),
        device_time=st.sampled_from([None, DeviceTime(TimeKind.RELATIVE, b"\x00\x00\x1f\x40")]),
    )
)


@settings(max_examples=100)
@given(observations=st.lists(arrays_of_samples, min_size=1, max_size=8))
def test_every_encoded_sample_is_decoded_to_the_same_bytes(observations: list[Observation]):
    sections = [section(*observations[:3], stored=True), section(*observations[3:], uncertainty_us=9)]
    block = encode_block(sections)
    assert block[0] == WAVEFORMS
    assert flattened(decode_block(block)) == flattened(sections)


def test_waveform_block_with_other_values_has_the_version_that_every_cloud_decodes():
    samples = waveform(signal(1, 2))
    assert encode_block([section(samples)])[0] == WAVEFORMS
    assert encode_block([section(samples, observation(97.0))])[0] == MIXED
    assert encode_block([section(observation(97.0))])[0] == MIXED
    assert encode_block([])[0] == MIXED


def test_observation_without_samples_keeps_its_place_between_observations_with_samples():
    """A gap in a signal: the device reported the channel and had no sample of it."""
    sections = [section(waveform(signal(1, 2)), waveform(b""), waveform(signal(3)), waveform(b"\x01", channel=WIDE))]
    assert decode_block(encode_block(sections)) == sections


def test_samples_of_a_channel_continue_in_its_next_observation():
    """A signal that is cut into many observations costs little more than in one observation."""
    chance = random.Random(7)
    values = [chance.randrange(-20, 20) + 12_000 for _ in range(800)]
    whole = encode_block([section(waveform(signal(*values)))])
    other = [waveform(signal(chance.randrange(100)), channel=ECG_SCANNED) for _ in range(100)]
    cut = [waveform(signal(*values[at : at + 8])) for at in range(0, 800, 8)]
    alternating = [one for pair in zip(cut, other, strict=True) for one in pair]
    together = encode_block([section(*alternating)])
    assert len(together) < len(whole) + len(encode_block([section(*other)]))


def ecg(count: int, *, first: int = 0) -> list[Observation]:
    """Return `count` reports of twelve leads: a quarter of a second with noise as an amplifier has it, and a spike."""
    chance = random.Random(first)
    return [
        waveform(
            signal(*[round(chance.gauss(50, 1.5)) + (200 - 5 * at if at < 40 else 0) for at in range(125)]),
            channel=lead,
            received_s=10 + report / 4,
        )
        for report in range(first, first + count)
        for lead in LEADS
    ]


@pytest.mark.parametrize(("reports", "bytes_a_sample"), [(1, 0.7), (4, 0.55)])
def test_batch_of_a_twelve_lead_ecg_takes_little_more_than_the_entropy_of_its_noise(
    reports: int, bytes_a_sample: float
):
    block = encode_block([section(*ecg(reports))])
    assert len(block) / (reports * 12 * 125) < bytes_a_sample


def test_body_of_a_waveform_block_is_as_long_as_its_samples_and_columns():
    """Quotas are computed from the announced length, so it must not hide samples."""
    block = encode_block([section(*[waveform(bytes(BLOCK_SAMPLES_BYTES_MAX // 8), channel=WIDE)] * 8)])
    assert len(block) < 300
    assert BLOCK_SAMPLES_BYTES_MAX < body_bytes(block) < BLOCK_SAMPLES_BYTES_MAX + 300


@pytest.mark.parametrize("channel", [BYTES, PLETH, WIDE], ids=["8 bits", "16 bits", "32 bits"])
def test_largest_block_of_noise_is_encoded_and_decoded_in_memory_in_proportion_to_its_samples(channel: Channel):
    noise = random.Random(1).randbytes(BLOCK_SAMPLES_BYTES_MAX)
    sections = [section(waveform(noise, channel=channel))]
    block = encode_block(sections)
    assert len(block) < BLOCK_SAMPLES_BYTES_MAX * 1.01
    tracemalloc.start()
    try:
        decoded = decode_block(block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoded == sections
    assert peak < 10 * BLOCK_SAMPLES_BYTES_MAX


def test_channel_with_a_long_encoding_is_decoded():
    components = tuple(Code(2, 20_000 + number) for number in range(200))
    long = Channel(handle=1, type=PLETH.type, components=components, array=PLETH.array)
    assert len(channel_bytes(long)) > CACHED_CHANNEL_BYTES_MAX
    sections = [section(waveform(signal(1), channel=long))]
    assert decode_block(encode_block(sections)) == sections


def test_decoded_channel_of_two_blocks_is_one_object():
    block = encode_block([section(waveform(signal(1)))])
    channels = {id(one.channel) for _ in range(2) for each in decode_block(block) for one in each.observations}
    assert len(channels) == 1


def test_more_samples_than_a_block_allows_are_refused_by_the_decoder():
    body = body_of(encode_block([section(waveform(bytes(BLOCK_SAMPLES_BYTES_MAX)))]))
    length, longer = [size.to_bytes(4, "little") for size in (BLOCK_SAMPLES_BYTES_MAX, BLOCK_SAMPLES_BYTES_MAX + 2)]
    assert body.count(length) == 1
    with pytest.raises(LimitExceeded, match="bytes of samples"):
        decode_block(sealed(body.replace(length, longer), version=WAVEFORMS))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (waveform(signal(1), channel=SPO2), "without an array"),
        (observation(None, channel=PLETH), "neither"),
    ],
)
def test_waveform_that_cannot_be_encoded_is_a_local_protocol_error(value: Observation, reason: str):
    with pytest.raises(LocalProtocolError, match=reason):
        encode_block([section(value)])


def refused(block: bytes) -> str:
    """Return the reason for which the decoder refuses this block."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_block(block)
    assert not isinstance(caught.value, LimitExceeded)
    return str(caught.value)


def test_body_that_is_not_one_zstd_frame_of_the_announced_length_is_refused():
    good = encode_block([section(waveform(signal(1, 2, 3)))])
    head, frame = good[:5], good[5:]
    body = body_of(good)
    without_size = zstandard.ZstdCompressor(write_content_size=False).compress(body)
    assert "not one zstd frame" in refused(head + b"not compressed")
    assert "not one zstd frame" in refused(head)
    assert "at least five bytes" in refused(head[:4])
    assert "not one zstd frame" in refused(good[:-1])
    assert "not one zstd frame" in refused(good + b"\x00")
    assert "not one zstd frame" in refused(head + frame + frame)
    assert "not as long as announced" in refused(sealed(body, announced_bytes=len(body) - 1, version=WAVEFORMS))
    assert "not as long as announced" in refused(sealed(body, announced_bytes=len(body) + 1, version=WAVEFORMS))
    assert "not as long as announced" in refused(head + without_size)
    skippable = b"\x50\x2a\x4d\x18" + len(body).to_bytes(4, "little") + body
    assert "not as long as announced" in refused(head + skippable)


def test_frame_that_holds_more_than_it_states_is_refused():
    """The decompressor allocates what the frame states and stops there."""
    frame = bytearray(zstandard.compress(bytes(1 << 20), 9))
    at = frame.index((1 << 20).to_bytes(4, "little"))
    frame[at : at + 4] = (1000).to_bytes(4, "little")
    assert "not one zstd frame" in refused(bytes((WAVEFORMS,)) + (1000).to_bytes(4, "little") + bytes(frame))


def test_differences_that_no_samples_have_are_refused():
    samples = waveform(bytes((5, 6, 9)), channel=BYTES)
    body = body_of(encode_block([section(samples)]))
    assert body.endswith(bytes((5, 128 + 6 - 5, 128 + 9 - 6, 128 - 9)))
    for differences in ((0, 0, 0, 0), (5, 129, 131, 120), (255, 255, 255, 255), (0, 128, 128, 127)):
        forged = sealed(body[:-4] + bytes(differences), version=WAVEFORMS)
        assert "not those of any samples" in refused(forged)


def test_channel_without_array_and_channel_of_another_length_are_refused():
    block = encode_block([section(waveform(signal(1, 2), channel=PLETH))])
    body = body_of(block)
    encoded = channel_bytes(PLETH)
    plain = channel_bytes(Channel(handle=20, type=PLETH.type, unit=PLETH.unit))
    at = body.index(encoded)
    assert body[at - 2 : at] == len(encoded).to_bytes(2, "little")
    shorter = body[: at - 2] + len(plain).to_bytes(2, "little") + plain + body[at + len(encoded) :]
    assert "without an array" in refused(sealed(shorter, version=WAVEFORMS))
    for length in (len(encoded) - 1, len(encoded) + 1):
        moved = body[: at - 2] + length.to_bytes(2, "little") + body[at:]
        assert "uplink" in refused(sealed(moved, version=WAVEFORMS))


def test_body_with_trailing_bytes_is_refused():
    body = body_of(encode_block([section(waveform(signal(1, 2)))]))
    assert "bytes follow the end" in refused(sealed(body + b"\x00", version=WAVEFORMS))


def test_announced_length_above_the_limit_is_refused_before_decompression():
    with pytest.raises(LimitExceeded, match="are allowed"):
        decode_block(sealed(b"", announced_bytes=BLOCK_BYTES_MAX + 1, version=WAVEFORMS))


def test_another_number_of_observations_than_announced_is_refused():
    block = encode_block([section(waveform(signal(1)), waveform(signal(2)))])
    assert decode_block(block, announced_count=2)
    with pytest.raises(RemoteProtocolError, match="another number"):
        decode_block(block, announced_count=3)


def test_empty_waveform_block_is_decoded_to_no_sections():
    assert decode_block(sealed(bytes(5), version=WAVEFORMS)) == []


def test_any_division_of_the_same_observations_into_sections_is_decoded_to_the_same_observations():
    observations = ecg(2)
    one: list[DeviceObservations] = [section(*observations)]
    two = [section(*observations[:7]), section(*observations[7:])]
    assert decode_block(encode_block(two)) == decode_block(encode_block(one)) == one


@pytest.mark.parametrize(("reports_each", "bytes_at_most"), [(1, 1.2), (4, 0.9)])
def test_waveform_batches_of_the_demo_take_few_bytes_a_sample_with_their_envelopes(
    reports_each: int, bytes_at_most: float
):
    """One report a batch is what a gateway sends while little is queued; four are a second."""
    batches = sent_batches(reports(3.0), reports_each=reports_each)
    assert sum(one.samples for one in batches) == 12 * (12 * 125 + 3 * 25)
    assert bytes_per_sample(batches) < bytes_at_most
    assert all(decode_block(one.payload) == one.sections for one in batches if reports_each == 1)
