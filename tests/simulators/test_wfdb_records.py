"""The reader of WFDB records: formats 16 and 212, the whole header, any frame, and errors with their reason."""

from fractions import Fraction
from pathlib import Path

import pytest

from simulators.replay.wfdb import GAP, Record
from simulators.replay.wfdb_header import RecordUnusable, parse_header
from tests.builders.sim_wfdb import bytes_16, bytes_212, write_record
from tests.harness.shared import shared_path


def damaged_signals(record: Record) -> list[str]:
    """Return the descriptions of the signals whose samples do not match the checksum in the header."""
    sums = [0] * len(record.signals)
    for frame in range(0, record.frames, 4096):
        for index, samples in enumerate(record.read(frame, min(4096, record.frames - frame))):
            # In format 212 the checksum includes the value -2048, which is written for a gap.
            written = 0 if record.signals[index].format == 16 else (-2048 - GAP) * samples.count(GAP)
            sums[index] += sum(samples) + written
    return [
        signal.description
        for signal, total in zip(record.signals, sums, strict=True)
        if signal.checksum is not None and (total - signal.checksum) & 0xFFFF
    ]


def columns(record: Record, frame: int, count: int) -> list[list[int]]:
    return [list(samples) for samples in record.read(frame, count)]


def test_samples_in_format_16_are_read_from_any_frame(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r 2 100 4\nx.dat 16\nx.dat 16\n", x_dat=bytes_16([1, -1, 2, -2, 300, -300, 4, -4]))
    with Record(path) as record:
        assert record.frames == 4
        assert columns(record, 0, 4) == [[1, 2, 300, 4], [-1, -2, -300, -4]]
        assert columns(record, 2, 1) == [[300], [-300]]


@pytest.mark.parametrize("start", range(5))
def test_samples_in_format_212_are_read_from_any_frame(tmp_path: Path, start: int) -> None:
    samples = [0, 1, -1, 2047, -2047, 1000, -1000, 5, 7, -7, 11, -13, 17, 19, -23]
    header = "r 3 100\n" + "x.dat 212\n" * 3
    with Record(write_record(tmp_path, header, x_dat=bytes_212(samples))) as record:
        assert record.frames == 5
        frames = [samples[3 * n : 3 * n + 3] for n in range(start, 5)]
        assert columns(record, start, 5 - start) == [list(column) for column in zip(*frames, strict=True)]


def test_invalid_sample_value_is_read_as_a_gap_in_formats_16_and_212(tmp_path: Path) -> None:
    header = "r 2 100\nx.dat 16\ny.dat 212\n"
    path = write_record(tmp_path, header, x_dat=bytes_16([5, -32768]), y_dat=bytes_212([-2048, 6]))
    with Record(path) as record:
        assert columns(record, 0, 2) == [[5, GAP], [GAP, 6]]


def test_signals_in_several_files_with_several_samples_per_frame_are_read(tmp_path: Path) -> None:
    header = "r 3 50 2\nx.dat 16x2\nx.dat 16\ny.dat 212x3\n"
    path = write_record(
        tmp_path, header, x_dat=bytes_16([1, 2, 10, 3, 4, 20]), y_dat=bytes_212([100, 101, 102, 103, 104, 105])
    )
    with Record(path) as record:
        assert columns(record, 0, 2) == [[1, 2, 3, 4], [10, 20], [100, 101, 102, 103, 104, 105]]
        assert [signal.samples_per_frame for signal in record.signals] == [2, 1, 3]


def test_samples_are_read_from_the_byte_offset_in_the_header(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r 1 100 2\nx.dat 16+5\n", x_dat=b"hello" + bytes_16([8, 9]))
    with Record(path) as record:
        assert columns(record, 0, 2) == [[8, 9]]


def test_signal_with_a_skew_is_aligned_and_ends_with_gaps(tmp_path: Path) -> None:
    header = "r 2 100 4\nx.dat 16\nx.dat 16:1\n"
    path = write_record(tmp_path, header, x_dat=bytes_16([1, 0, 2, 1, 3, 2, 4, 3]))
    with Record(path) as record:
        assert columns(record, 0, 4) == [[1, 2, 3, 4], [1, 2, 3, GAP]]
        assert columns(record, 1, 2) == [[2, 3], [2, 3]]


def test_record_header_is_read_with_its_optional_fields() -> None:
    header = parse_header(
        "# taken in an ambulance\nrec.1 2 360/8(-100.5) 7200 12:30:05.5 01/02/2026\n"
        "rec.dat 212x4:3+512 200.5(-12)/mmHg 11 1024 995 -22131 512 arterial pressure, left\n"
        "rec.dat 212+512\n\n#one comment more\n",
        "rec.1.hea",
    )
    assert (header.name, header.frame_hz, header.frames) == ("rec.1", 360, 7200)
    first, second = header.signals
    assert (first.format, first.samples_per_frame, first.skew_frames, first.byte_offset) == (212, 4, 3, 512)
    assert (first.gain, first.baseline, first.units) == (Fraction("200.5"), -12, "mmHg")
    assert (first.first_value, first.checksum) == (995, -22131)
    assert first.description == "arterial pressure, left"
    assert (second.gain, second.units, second.checksum) == (200, "mV", None)
    assert second.description == "record rec.1, signal 1"


def test_baseline_defaults_to_the_adc_zero_of_the_header() -> None:
    (signal,) = parse_header("r 1\nr.dat 16 100/mV 12 7\n", "r.hea").signals
    assert (signal.baseline, signal.first_value) == (7, 7)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("", "holds no record line"),
        ("r/3 2 100\n", "made of 3 segments"),
        ("r x\n", "how many signals"),
        ("r 2 100\nx.dat 16\n", "announces 2 signals and describes 1"),
        ("r 1 -5\nx.dat 16\n", "no sampling frequency"),
        ("r 1 100 many\nx.dat 16\n", "no number of samples"),
        ("r 1\nx.dat 80\n", "signal format 80 is not read here"),
        ("r 1\nx.dat 16y\n", "no signal format"),
        ("r 1\n../x.dat 16\n", "not the name of a file beside the header"),
        ("r 1\nx.dat 16 -3\n", "gain is not negative"),
        ("r 1\nx.dat 16 200 twelve\n", "no whole number"),
        ("r 2\nx.dat 16\nx.dat 212\n", "differ in format or byte offset"),
        ("r 3\nx.dat 16\ny.dat 16\nx.dat 16\n", "do not stand together"),
    ],
)
def test_invalid_record_header_is_rejected_with_the_reason(header: str, sentence: str) -> None:
    with pytest.raises(RecordUnusable, match=sentence):
        parse_header(header, "r.hea")


def test_record_with_fewer_frames_than_its_header_announces_is_rejected(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r 1 100 9\nx.dat 16\n", x_dat=bytes_16([1, 2, 3]))
    with pytest.raises(RecordUnusable, match="announces 9 frames, the files hold 3"):
        Record(path)


def test_record_without_its_data_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RecordUnusable, match=r"x\.dat cannot be read"):
        Record(write_record(tmp_path, "r 1 100\nx.dat 16\n"))


def test_signal_with_a_wrong_checksum_is_reported_as_damaged(tmp_path: Path) -> None:
    header = "r 1 100 3\nx.dat 16 200 12 0 1 6 0 lead\n"
    path = write_record(tmp_path, header, x_dat=bytes_16([1, 2, 3]))
    with Record(path) as record:
        assert damaged_signals(record) == []
    (tmp_path / "x.dat").write_bytes(bytes_16([1, 2, 4]))
    with Record(path) as record:
        assert damaged_signals(record) == ["lead"]


@pytest.mark.parametrize(
    ("name", "frames", "signals"),
    [("s0010_re", 38_400, 15), ("v102s", 75_000, 4), ("s00001-2896-10-10-00-31n", 1936, 10)],
)
def test_samples_of_real_records_match_their_checksums(name: str, frames: int, signals: int) -> None:
    header = shared_path(f"data/physionet/{name}.hea")
    with Record(header) as record:
        assert (record.frames, len(record.signals)) == (frames, signals)
        first = [samples[0] for samples in record.read(0, 1)]
        assert first == [signal.first_value for signal in record.signals]
        assert damaged_signals(record) == []
