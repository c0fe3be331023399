"""Archives that are written in parts are read by another implementation, also beyond the limits before ZIP64."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from cloud.work.exports.zip_archive import Member, directory_of, member_of


def archive_of(files: dict[str, bytes]) -> bytes:
    members: list[Member] = []
    data = b""
    for name, content in files.items():
        member, text = member_of(name, content, len(data))
        members.append(member)
        data += text
    return data + directory_of(members, len(data))


@pytest.mark.parametrize("files", [{}, {"a.txt": b""}, {"reports/org/a.xml": b"<a/>" * 1_000, "żółć.json": b"{}"}])
def test_archive_is_read_with_its_names_and_contents(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(archive_of(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {info.date_time for info in archive.infolist()} <= {(1980, 1, 1, 0, 0, 0)}
        assert {stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()} <= {0o600}


def test_archive_with_more_members_than_the_old_format_has_is_read() -> None:
    member, text = member_of("x", b"1", 0)
    members = [Member(f"{number}", member.crc32, 1, 0) for number in range(0x10000)]
    with zipfile.ZipFile(io.BytesIO(text + directory_of(members, len(text)))) as archive:
        assert len(archive.infolist()) == 0x10000


def test_members_beyond_four_gibibytes_are_read(tmp_path: Path) -> None:
    near, first = member_of("near", b"one", 0)
    far, second = member_of("far", b"two", (4 << 30) + 5)
    end_at = far.offset + len(second)
    with (tmp_path / "sparse.zip").open("wb") as file:
        for at, data in ((0, first), (far.offset, second), (end_at, directory_of([near, far], end_at))):
            file.seek(at)
            file.write(data)
    with zipfile.ZipFile(tmp_path / "sparse.zip") as archive:
        assert [archive.read(name) for name in ("near", "far")] == [b"one", b"two"]
