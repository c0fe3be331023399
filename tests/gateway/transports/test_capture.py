"""A capture has exactly the bytes of the link, is read back unchanged, and never disturbs the link."""

import json
import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transports.capture import CaptureError, CaptureWriter, Record, read_capture
from tests.harness.shared import shared_path

AARQ = bytes.fromhex("e200000400000000")
AARE = bytes.fromhex("e300000400030000")
META = {"client": "agent", "server": "manager", "note": "a test"}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def line(**changes: object) -> dict[str, object]:
    return {"dir": "agent->manager", "hex": "e2000000", "t": 0.5, "conn": 1} | changes


def test_each_apdu_is_one_capture_line_however_the_bytes_arrive(tmp_path):
    writer = CaptureWriter(tmp_path / "c.jsonl", 10_000, meta=META, started_s=100.0)
    trace = writer.connection("manager")
    for octet in AARQ:
        trace.trace("received", bytes([octet]), 100.25)
    trace.trace("sent", AARE + AARE, 100.5)
    writer.connection("manager").trace("received", AARQ, 101)
    writer.close()
    assert (tmp_path / "c.jsonl").read_text().splitlines() == [
        '{"meta": {"client": "agent", "server": "manager", "note": "a test"}}',
        '{"dir": "agent->manager", "hex": "e200000400000000", "t": 0.25, "conn": 1}',
        '{"dir": "manager->agent", "hex": "e300000400030000", "t": 0.5, "conn": 1}',
        '{"dir": "manager->agent", "hex": "e300000400030000", "t": 0.5, "conn": 1}',
        '{"dir": "agent->manager", "hex": "e200000400000000", "t": 1.0, "conn": 2}',
    ]
    capture = read_capture(tmp_path / "c.jsonl")
    assert capture.meta == META
    assert capture.records[-1] == Record("agent->manager", AARQ, 1.0, 2)
    assert capture.ended is None


def test_sent_apdu_in_a_capture_written_by_an_agent_has_the_direction_agent_to_manager(tmp_path):
    writer = CaptureWriter(tmp_path / "c.jsonl", 10_000, meta=META, started_s=0.0)
    writer.connection("agent").trace("sent", AARQ, 0)
    writer.close()
    assert read_capture(tmp_path / "c.jsonl").records[0].dir == "agent->manager"


def test_bytes_that_are_no_apdu_are_written_unchanged_to_the_capture(tmp_path):
    writer = CaptureWriter(tmp_path / "c.jsonl", 10_000, meta=META, started_s=0.0)
    trace = writer.connection()
    trace.trace("received", b"GET / HTTP/1.1", 0)
    trace.trace("received", AARQ + AARQ[:5], 1)
    trace.trace("sent", b"\xe3", 2)
    trace.end()
    writer.close()
    octets = [record.octets for record in read_capture(tmp_path / "c.jsonl").records]
    assert octets == [b"GET / HTTP/1.1", AARQ, AARQ[:5], b"\xe3"]


@given(st.lists(st.tuples(st.sampled_from(["received", "sent"]), st.binary(min_size=1, max_size=30)), max_size=20))
def test_capture_contains_exactly_the_bytes_of_the_link(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("captures") / "c.jsonl"
    writer = CaptureWriter(path, 1_000_000, meta=META, started_s=0.0)
    trace = writer.connection()
    for direction, data in pieces:
        trace.trace(direction, data, 0)
    writer.close()
    for direction, written in (("received", "agent->manager"), ("sent", "manager->agent")):
        octets = b"".join(record.octets for record in read_capture(path).records if record.dir == written)
        assert octets == b"".join(data for given_direction, data in pieces if given_direction == direction)


def test_capture_is_readable_only_by_its_owner_and_never_overwrites_a_file(tmp_path):
    umask = os.umask(0)
    try:
        CaptureWriter(tmp_path / "c.jsonl", 1000, meta=META, started_s=0.0).close()
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "c.jsonl").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        CaptureWriter(tmp_path / "c.jsonl", 1000, meta=META, started_s=0.0)


def test_capture_stops_at_its_size_limit_and_its_last_line_gives_the_reason(tmp_path):
    writer = CaptureWriter(tmp_path / "c.jsonl", 1000, meta=META, started_s=0.0)
    trace = writer.connection()
    for _ in range(100):
        trace.trace("received", AARQ, 0)
    writer.close()
    assert writer.ended == "size limit"
    assert (tmp_path / "c.jsonl").stat().st_size <= 1000
    assert json.loads((tmp_path / "c.jsonl").read_text().splitlines()[-1]) == {
        "meta": {"ended": "size limit", "limit_bytes": 1000}
    }
    capture = read_capture(tmp_path / "c.jsonl")
    assert capture.ended == "size limit"
    assert len(capture.records) > 5


def test_capture_on_a_full_disk_ends_after_a_complete_line(tmp_path):
    writer = CaptureWriter(tmp_path / "c.jsonl", 1_000_000, meta=META, started_s=0.0)
    trace = writer.connection()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        for _ in range(20):
            trace.trace("received", AARQ, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    trace.trace("received", AARQ, 0)
    writer.close()
    assert writer.ended is not None
    assert writer.ended.startswith("disk: ")
    assert len(read_capture(tmp_path / "c.jsonl").records) == 5


@pytest.mark.parametrize(
    ("lines", "number", "reason"),
    [
        ([], 0, "empty"),
        ([line()], 1, "first line"),
        (["{"], 1, "not JSON"),
        (["[]"], 1, "not a JSON object"),
        ([{"meta": 1}], 1, "meta"),
        ([{"meta": {}}, line(dir="up")], 2, "dir must"),
        ([{"meta": {}}, line(), line(hex="e2z0")], 3, "hex must"),
        ([{"meta": {}}, line(hex=None)], 2, "hex must"),
        ([{"meta": {}}, line(t=-1)], 2, "t must"),
        ([{"meta": {}}, line(t="0")], 2, "t must"),
        ([{"meta": {}}, '{"dir": "agent->manager", "hex": "", "t": NaN, "conn": 1}'], 2, "t must"),
        ([{"meta": {}}, line(conn=True)], 2, "conn must"),
        ([{"meta": {}}, "[" * 100_000], 2, "not JSON"),
        ([{"meta": {}}, "", line(), " " * (1 << 20) + "{}"], 4, "longer than"),
    ],
)
def test_invalid_capture_is_refused_with_the_line_number_and_reason(tmp_path, lines, number, reason):
    path = write(tmp_path / "c.jsonl", *lines)
    with pytest.raises(CaptureError) as refused:
        read_capture(path)
    assert refused.value.line == number
    assert reason in str(refused.value)
    assert str(path) in str(refused.value)


def test_captures_of_an_independent_stack_are_unchanged_after_reading_and_writing(tmp_path):
    for path in sorted(shared_path("data/captures").glob("*.jsonl")):
        capture = read_capture(path)
        again = tmp_path / path.name
        writer = CaptureWriter(again, 1_000_000, meta=capture.meta, started_s=0.0)
        for record in capture.records:
            writer.write(record)
        writer.close()
        assert [json.loads(text) for text in again.read_text().splitlines()] == [
            json.loads(text) for text in path.read_text().splitlines()
        ]
        assert again.read_text() == path.read_text()
