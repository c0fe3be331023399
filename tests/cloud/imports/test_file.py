"""Lines and rows of a file are found whatever the borders of its pieces are."""

import pytest

from cloud.clinical.devices import DeviceEnrolment
from cloud.clinical.profiles import ProfileLine
from cloud.work.imports import file as file_module
from cloud.work.imports.file import LineMalformed, measure, read_header, read_row, whole_lines
from cloud.work.imports.schemas import ImportFormat
from cloud.work.jobs import JobFailure
from protocols.sanctions.formats import FORMATS

TEXTS = (b"a\nbb\n\nccc", b"\n", b"x", b"a\r\n", b"\n\n\nend\n")


@pytest.mark.parametrize("text", TEXTS)
def test_lines_are_counted_alike_for_each_division_into_pieces(text: bytes) -> None:
    expected = len(text.splitlines())
    for border in range(1, len(text)):
        lines, open_bytes = measure(text[:border], 0, 0)
        assert measure(text[border:], open_bytes, lines)[0] == expected
    assert measure(text, 0, 0)[0] == expected


def test_line_over_two_pieces_that_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "LINE_BYTES_MAX", 5)
    lines, open_bytes = measure(b"a\nxxx", 0, 0)
    with pytest.raises(JobFailure, match="Line 2 has more than 5 bytes"):
        measure(b"xxx\n", open_bytes, lines)


def test_file_with_too_many_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "LINES_MAX", 3)
    assert measure(b"a\nb\nc\n", 0, 0) == (3, 0)
    with pytest.raises(JobFailure, match="more than 3 lines"):
        measure(b"d", 0, 3)
    with pytest.raises(JobFailure, match="more than 3 lines"):
        measure(b"\n\n\n\n", 0, 0)


def test_unfinished_line_of_a_window_is_read_with_the_next_one() -> None:
    assert whole_lines(b"a\r\nb\nc", is_end=False, count=9) == ([b"a", b"b"], 5)
    assert whole_lines(b"a\r\nb\nc", is_end=True, count=9) == ([b"a", b"b", b"c"], 6)
    assert whole_lines(b"a\nb\n", is_end=True, count=1) == ([b"a"], 2)


@pytest.mark.parametrize("line", [b"", b"serial_number,serial_number", b"serial_number,url", b'"serial', b"\xff"])
def test_header_of_csv_must_name_known_columns_once(line: bytes) -> None:
    with pytest.raises(JobFailure) as refused:
        read_header(line, DeviceEnrolment)
    assert refused.value.error.code == "csv_header_unknown"


@pytest.mark.parametrize("line", [b"a", b"a,b,c", b'"a,b', b"\xff,b", b"a\x00,b", b"a\rb,c"])
def test_line_that_is_no_record_of_csv_is_malformed(line: bytes) -> None:
    with pytest.raises(LineMalformed):
        read_row(line, ("reference", "kind"), ProfileLine)


def test_formats_are_those_of_rows_and_those_of_lists() -> None:
    assert {one.value for one in ImportFormat if not one.is_of_rows} == set(FORMATS)
