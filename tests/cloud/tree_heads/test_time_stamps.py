"""Time stamps of a real service (RFC 3161) are verified before they are accepted."""

from pathlib import Path

import pytest

from cloud.foundation.settings import SettingsUnusable
from cloud.work.tree_heads.errors import TimeStampRefused
from cloud.work.tree_heads.settings import ProvenanceSection
from cloud.work.tree_heads.time_stamps import RESPONSE_BYTES_MAX, TimeStampService, read_certificates, verified
from tests.harness.time_stamp_service import time_stamp_service, write_authority

MESSAGE = b'{"tree_size":1}'


async def test_time_stamp_of_a_service_is_verified_and_its_faults_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    write_authority(foreign)
    async with time_stamp_service(tmp_path) as responder:
        section = ProvenanceSection(time_stamp_url=responder.url, time_stamp_certificates=responder.root)
        service = TimeStampService(section)
        found = await service.stamp(MESSAGE)
        certificates = read_certificates(responder.root)
        assert verified(found.response, MESSAGE, certificates).at_us == found.at_us > 1_700_000_000_000_000
        with pytest.raises(TimeStampRefused):
            verified(found.response, MESSAGE + b" ", certificates)
        with pytest.raises(TimeStampRefused):
            verified(found.response, MESSAGE, read_certificates(foreign / "root.pem"))
        for broken in (b"", found.response[:-1], found.response[:-8] + bytes(8), b"\x30\x03\x02\x01\x00"):
            with pytest.raises(TimeStampRefused):
                verified(broken, MESSAGE, certificates)
        responder.replayed = found.response  # it has the number of the first request
        with pytest.raises(TimeStampRefused):
            await service.stamp(MESSAGE)
        responder.replayed = bytes(RESPONSE_BYTES_MAX + 1)
        with pytest.raises(TimeStampRefused, match="status 200"):
            await service.stamp(MESSAGE)
        responder.status = 503
        with pytest.raises(TimeStampRefused, match="status 503"):
            await service.stamp(MESSAGE)
    with pytest.raises(TimeStampRefused, match="connect"):
        await service.stamp(MESSAGE)
    await service.close()


def test_settings_of_a_time_stamping_service_are_checked(tmp_path: Path) -> None:
    write_authority(tmp_path)
    with pytest.raises(SettingsUnusable, match="root certificate"):
        read_certificates(tmp_path / "service.pem")
    with pytest.raises(SettingsUnusable, match="PEM"):
        read_certificates(tmp_path / "serial")
    with pytest.raises(SettingsUnusable, match="time_stamp_url"):
        TimeStampService(
            ProvenanceSection(time_stamp_url="https://a b/", time_stamp_certificates=tmp_path / "root.pem")
        )
