"""`argus-cloud doctor` checks the keys, the address of the metrics, the proxy settings and the broker."""

import os
import shutil
from pathlib import Path

import pytest

from cloud.access.retention import Retention
from cloud.access.retention.tables import storage_days
from cloud.access.tenancy import Tenancy
from cloud.access.tokens import SigningKeys
from cloud.doctor import _broker_directory, _mosquitto_limits, examine
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate, open_database
from cloud.foundation.findings import Finding, Level
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey, load_master_key, master_key_path
from cloud.foundation.retention import DAY_US
from cloud.foundation.settings import Settings
from cloud.foundation.viewer import Actor
from cloud.settings import read_settings
from tests.builders.cloud_settings import HOSTS, settings_file


async def found(settings: Settings, part: str) -> Finding:
    findings = await examine(settings, SystemClock(), UlidIds(SystemClock()))
    return next(finding for finding in findings if finding.part == part)


async def test_doctor_command_checks_that_the_master_key_decrypts_the_signing_key(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path))
    await migrate(settings.database_url, create=True)
    path = master_key_path(settings)
    path.unlink(missing_ok=True)
    absent = await found(settings, "signing keys")
    assert absent.level is Level.FAULT
    assert str(path) in absent.sentence
    MasterKey.create(path)
    assert "first start" in (await found(settings, "signing keys")).sentence
    database = await open_database(settings.database_url)
    await SigningKeys(database, SystemClock(), lambda: load_master_key(settings)).ensure()
    await database.close()
    assert (await found(settings, "signing keys")).level is Level.OK
    path.unlink()
    MasterKey.create(path)
    assert (await found(settings, "signing keys")).level is Level.FAULT


async def test_doctor_command_projects_the_growth_and_names_data_that_are_kept_without_end(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path))
    await migrate(settings.database_url, create=True)
    assert "known tomorrow" in (await found(settings, "growth")).sentence
    assert (await found(settings, "retention")).level is Level.OK
    database, clock = await open_database(settings.database_url), SystemClock()
    tenant = await Tenancy(database, clock, UlidIds(clock)).add_tenant("North")
    await Retention(database, clock, UlidIds(clock)).set_period(Actor.operator(tenant.id), "waveforms", None)
    today, free = clock.now_us() // DAY_US, shutil.disk_usage(tmp_path).free
    async with database.transaction() as tx:
        await tx.driver.append(storage_days, ("day", "size_bytes"), [(today - 10, 0), (today, free)])
    await database.close()
    growth, retention = await found(settings, "growth"), await found(settings, "retention")
    assert (growth.level, "full in" in growth.sentence) == (Level.WARNING, True)
    assert (retention.level, "waveforms of 1 tenants" in retention.sentence) == (Level.WARNING, True)


async def test_doctor_command_warns_when_metrics_are_served_on_a_non_loopback_address(tmp_path: Path) -> None:
    for listen, level in (("127.0.0.1:9100", Level.OK), ("[::1]:9100", Level.OK), ("0.0.0.0:9100", Level.WARNING)):
        more = f'{HOSTS}\n[metrics]\nlisten = "{listen}"'
        assert (await found(read_settings(settings_file(tmp_path, more=more)), "metrics")).level is level
    assert (await found(read_settings(settings_file(tmp_path)), "metrics")).level is Level.OK


@pytest.mark.finding("cloud-1")
async def test_doctor_command_warns_when_a_host_behind_a_proxy_has_no_trusted_proxies_setting(tmp_path: Path) -> None:
    def hosts(listen: str, public_url: str) -> str:
        return "\n".join(
            f'[hosts.{name}]\nlisten = "{listen}"\npublic_url = "{public_url.format(name)}"'
            for name in ("auth", "api", "sandbox", "docs")
        )

    behind = hosts("127.0.0.1:8080", "https://{}.example.org")
    for more, level in (
        (behind, Level.WARNING),
        (f'{behind}\n[http]\ntrusted_proxies = ["127.0.0.1"]', Level.OK),
        (hosts("0.0.0.0:8080", "https://{}.example.org"), Level.OK),
        (HOSTS, Level.OK),
    ):
        finding = await found(read_settings(settings_file(tmp_path, more=more)), "proxy")
        assert finding.level is level
        assert level is Level.OK or "trusted_proxies" in finding.sentence


async def test_shipped_example_settings_pass_the_proxy_check_of_the_doctor_command() -> None:
    shipped = read_settings(Path(__file__).parents[3] / "systemd" / "cloud.toml")
    assert (await found(shipped, "proxy")).level is Level.OK


@pytest.mark.parametrize(
    ("soft", "hard", "complains"), [(1024, 524288, True), (65536, 524288, False), (4096, 4096, False)]
)
def test_doctor_command_reports_a_mosquitto_with_a_low_file_descriptor_limit(
    tmp_path: Path, soft: int, hard: int, complains: bool
) -> None:
    for pid, name in (("17", "mosquitto"), ("18", "other")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(name + "\n")
        limits = f"Limit Soft Limit Hard Limit Units\nMax open files            {soft}   {hard}   files\n"
        (tmp_path / pid / "limits").write_text(limits)
    (tmp_path / "19").mkdir()
    (tmp_path / "19" / "comm").write_text("mosquitto\n")
    assert bool(list(_mosquitto_limits(tmp_path))) is complains


async def test_doctor_command_reports_an_absent_broker_rights_file_and_an_overdue_broker_reload(tmp_path: Path) -> None:
    path = settings_file(tmp_path, more=f'[broker]\ndirectory = "{tmp_path}"\n')
    settings = read_settings(path)
    assert (finding := _broker_directory(settings, SystemClock())).level is Level.FAULT
    assert "broker refresh" in finding.sentence
    (tmp_path / "rights.json").touch()
    assert _broker_directory(settings, SystemClock()).level is Level.OK
    mark = tmp_path / "reload-due"
    mark.touch()
    assert _broker_directory(settings, SystemClock()).level is Level.OK
    os.utime(mark, (0, 0))
    assert "argus-broker-reload.path" in _broker_directory(settings, SystemClock()).sentence
