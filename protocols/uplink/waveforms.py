"""Sample columns of a waveform block: samples as the differences of neighbouring samples.

The samples of a channel follow one another through the whole block, since a monitor reports each lead in several short
observations a second. The samples of all channels with equally wide samples are one sequence: the samples are sorted by
channel number, and those of a channel keep the order of its observations. So the differences of all leads share one
entropy code.

The differences of a sequence are computed at once. Its bytes, as devices send them, are the digits of one large number
in base B = 2⁸ʷ, where w is the width of a sample in bytes. The first sample is the most significant digit. Stored is

    number × (B − 1) + bias     whose digits are: first sample, second − first, third − second, …, − last sample,

with a borrow between digits as in any subtraction. The bias is 128 in each digit except the first, so that the upper
bytes of differences from −128 to 127, as nearly all of an ECG are, are zero. The 8-bit samples 5, 6, 9 are stored as 5,
129, 131, 119. Division by B − 1 restores the samples: it is one pass over the digits in C, several times as fast as
sums of Python integers, and bytes that no samples can produce leave a remainder and are refused.

The columns: bytes of samples in each observation · bytes behind the last whole sample of each observation · upper bytes
of the differences, width by width and byte plane by byte plane · low bytes of the differences, width by width. Widths
ascend.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from protocols.errors import LocalProtocolError
from protocols.observation import Channel, Observation
from protocols.uplink.limits import BLOCK_SAMPLES_BYTES_MAX, BlockTooLarge
from protocols.uplink.wire import WireReader, WireWriter

_BIAS = 128
_CLAUSE = "uplink samples"
_NO_ARRAY = "samples on a channel without an array"


def check_waveforms(observations: Sequence[Observation]) -> None:
    """Raise the error that `write_waveforms` would raise for `observations`, which all have samples."""
    _check_samples_bytes(sum([len(observation.samples or b"") for observation in observations]))
    has_arrays = [observation.channel.array is not None for observation in observations]
    if not all(has_arrays):
        raise LocalProtocolError(_NO_ARRAY)


def _check_samples_bytes(samples_bytes: int) -> None:
    if samples_bytes > BLOCK_SAMPLES_BYTES_MAX:
        raise BlockTooLarge(f"{samples_bytes} bytes of samples in one block; {BLOCK_SAMPLES_BYTES_MAX} are allowed")


def write_waveforms(writer: WireWriter, numbers: Sequence[int], observations: Sequence[Observation]) -> bytes:
    """Write the samples of `observations`, which all have samples, except the low bytes of the differences, and return
    these, since they are the end of the block. `numbers` are the channel numbers of the observations."""
    samples = [observation.samples or b"" for observation in observations]
    lengths = array("I", map(len, samples))
    _check_samples_bytes(sum(lengths))
    width_of = {
        number: _width(observation.channel)
        for number, observation in dict(zip(numbers, observations, strict=True)).items()
    }
    order = _order(numbers)
    ordered = [samples[place] for place in order]
    widths = [width_of[numbers[place]] for place in order]
    writer.column(lengths)
    surplus = [len(each) % width for each, width in zip(ordered, widths, strict=True)]
    if any(surplus):  # hardly ever
        writer.raw(b"".join([each[len(each) - rest :] for each, rest in zip(ordered, surplus, strict=True)]))
        ordered = [each[: len(each) - rest] for each, rest in zip(ordered, surplus, strict=True)]
    low_bytes: list[bytes] = []
    for width in sorted(set(widths)):
        sequence = b"".join([each for each, its_width in zip(ordered, widths, strict=True) if its_width == width])
        differences = _differences(sequence, width)
        for plane in range(width - 1):
            writer.raw(differences[plane::width])
        low_bytes.append(differences[width - 1 :: width])
    return b"".join(low_bytes)


def read_waveforms(reader: WireReader, numbers: Sequence[int], channels: Sequence[Channel]) -> list[bytes]:
    """Return the samples of each observation. `numbers` and `channels` are the observations' channel numbers and
    channels."""
    lengths = reader.column("I", len(numbers)).tolist()
    total_bytes = sum(lengths)
    if total_bytes > BLOCK_SAMPLES_BYTES_MAX:
        raise reader.over_limit("bytes of samples in one block", BLOCK_SAMPLES_BYTES_MAX)
    width_of = _widths(reader, numbers, channels)
    places = _order(numbers)
    places_of = dict.fromkeys(width_of.values(), places)
    if len(places_of) > 1:
        places_of = {
            width: [place for place in places if width_of[numbers[place]] == width] for width in sorted(places_of)
        }
    ends_of = {
        width: list(accumulate([lengths[place] // width * width for place in own])) for width, own in places_of.items()
    }
    counts = {width: ends[-1] // width for width, ends in ends_of.items()}
    surplus_bytes = total_bytes - sum([ends[-1] for ends in ends_of.values()])
    remainders = WireReader(reader.take(surplus_bytes), clause=_CLAUSE)
    upper_bytes = {width: reader.take((width - 1) * _digits(count)) for width, count in counts.items()}
    samples = [b""] * len(numbers)
    for width, count in counts.items():
        sequence = _samples(reader, upper_bytes[width] + reader.take(_digits(count)), width, count)
        begin = 0
        for place, end in zip(places_of[width], ends_of[width], strict=True):
            samples[place] = sequence[begin:end]
            begin = end
    if surplus_bytes:
        for place in places:
            samples[place] += remainders.take(lengths[place] % width_of[numbers[place]])
    return samples


def _width(channel: Channel) -> int:
    """Return the width of a sample of `channel` in bytes. Raises `LocalProtocolError`."""
    if channel.array is None:
        raise LocalProtocolError(_NO_ARRAY)
    return channel.array.format.width_bytes


def _order(numbers: Sequence[int]) -> list[int]:
    """Return the places of observations in the order in which their samples follow one another."""
    return sorted(range(len(numbers)), key=numbers.__getitem__)


def _widths(reader: WireReader, numbers: Sequence[int], channels: Sequence[Channel]) -> dict[int, int]:
    """Return the width of a sample in bytes, for each channel number."""
    widths: dict[int, int] = {}
    for number, channel in dict(zip(numbers, channels, strict=True)).items():
        if channel.array is None:
            raise reader.wrong("samples on a channel without an array")
        widths[number] = channel.array.format.width_bytes
    return widths


def _differences(samples: bytes, width: int) -> bytes:
    """Return the differences of samples of `width` bytes each: one more than there are samples, if there are any."""
    count = len(samples) // width
    number = int.from_bytes(samples, "big")
    differences = (number << 8 * width) - number + _bias(count, width)
    return differences.to_bytes(_digits(count) * width, "big")


def _samples(reader: WireReader, planes: bytes, width: int, count: int) -> bytes:
    """Return the `count` samples of `width` bytes each whose differences have these byte planes."""
    differences = bytearray(len(planes))
    for plane in range(width):
        differences[plane::width] = planes[plane * _digits(count) : (plane + 1) * _digits(count)]
    number, remainder = divmod(int.from_bytes(differences, "big") - _bias(count, width), (1 << 8 * width) - 1)
    if remainder or number < 0 or number >> 8 * width * count:
        raise reader.wrong("the differences are not those of any samples")
    return number.to_bytes(width * count, "big")


def _digits(count: int) -> int:
    """Return the number of differences of `count` samples."""
    return count + 1 if count else 0


@lru_cache(maxsize=64)
def _bias(count: int, width: int) -> int:
    """Return the bias of the differences of `count` samples. The batches of a vehicle have the same few counts, and
    making a bias takes as long as a subtraction of it; one of a second has 15 kB."""
    return int.from_bytes(_BIAS.to_bytes(width, "big") * count, "big")
