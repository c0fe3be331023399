"""Stories (test cases) about an installation, from its first command to a power cut, run in order on one machine.

Each story starts in the state in which the previous story ended. A story prints its observations, and fails by an
assertion.

From `reach_readiness` on, a system call that a unit forbids ends the process (`SystemCallErrorNumber=kill`) instead of
failing. Otherwise the product would continue without the call, and the fault would only appear in the field.
"""

import json
import re
from collections.abc import Awaitable, Callable

import pytest

from tests.systemd.stage import BROKER, CLOUD, CREW_PAGE, GATEWAY, OURS, SERIAL_LINE, Stage

Story = Callable[[Stage], Awaitable[None]]

EXPOSURE_MAX = {GATEWAY: 1.9, CLOUD: 1.3}
"""Limit of the exposure that `systemd-analyze security` reports, from 0 to 10. The gateway cannot use ProtectClock,
which costs 0.2."""
BROKER_DESCRIPTORS = 65_536
SHORT_WATCHDOG_S = 4
"""Watchdog timeout that replaces the shipped one while a process is frozen."""
WATCHDOG_S_MAX = 120
READ_CLOCK = "import ctypes; print(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))"
GATEWAY_ALONE = """
from importlib.util import find_spec
import gateway.app, gateway.cli.ble, gateway.cli.doctor, gateway.cli.provision, simulators.cli
assert [name for name in ("numpy", "pyarrow", "sqlalchemy") if find_spec(name)] == []
"""
SET_CLOCK = """
import time
try:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
except OSError as error:
    print(error.strerror)
"""


async def install_by_the_guide(stage: Stage) -> None:
    """The guide's commands install gateway and cloud; systemd accepts the units, and their documentation exists.

    The gateway comes first: with its packages alone, its commands load, and the large packages of the cloud are absent.
    """
    on_both, of_cloud, of_vehicle = range(3)
    for block in (on_both, of_vehicle):
        await stage.follow_guide("1. Install", block)
    await stage.box.run("/opt/argus/bin/python", "-c", GATEWAY_ALONE)
    stage.observed(f"the gateway's packages: {await stage.installed_mb()} MB")
    await stage.follow_guide("1. Install", of_cloud)
    stage.observed(f"with the cloud's packages: {await stage.installed_mb()} MB")
    files = [f"/etc/systemd/system/{unit}.service" for unit in OURS]
    verified = await stage.box.run("systemd-analyze", "verify", *files)
    assert verified.out + verified.err == ""
    for unit in OURS:
        documents = (await stage.property_of(unit, "Documentation")).split()
        assert documents
        for document in documents:
            assert stage.box.path(document.removeprefix("file://")).is_file(), f"{unit}: {document}"
        stage.observed(f"{unit}: verified in silence; its documentation is {documents[0]}")


async def expose_little(stage: Stage) -> None:
    """`systemd-analyze security` rates the exposure of each unit at most as high as `EXPOSURE_MAX`."""
    for unit, exposure_max in EXPOSURE_MAX.items():
        analysed = await stage.box.run("systemd-analyze", "security", "--no-pager", f"{unit}.service", any_code=True)
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", analysed.out)
        assert found is not None, analysed.out + analysed.err
        stage.observed(f"{unit}: {found[1]}")
        assert float(found[1]) <= exposure_max


@pytest.mark.finding("fleet-3")
async def hold_the_fleets_connections(stage: Stage) -> None:
    """The broker starts with the generated settings, and may open a descriptor for each vehicle of a large fleet."""
    await stage.follow_guide("3. The cloud")
    await stage.follow_guide("2. The broker")
    limits = (await stage.box.run("cat", f"/proc/{await stage.active(BROKER)}/limits")).out
    (soft,) = re.findall(r"Max open files\s+(\d+)", limits)
    machine_max = int((await stage.box.run("sh", "-c", "ulimit -Hn")).out)
    stage.observed(f"{BROKER}: {soft} descriptors; the machine's hard limit is {machine_max}")
    assert int(soft) >= min(BROKER_DESCRIPTORS, machine_max)


async def reach_readiness(stage: Stage) -> None:
    """Both units report READY: the cloud with the database that a command created, the gateway with its keys."""
    # numpy calls mbind when it is loaded, and works without: production refuses the call, so it must not end this run.
    besides = {CLOUD: ["SystemCallFilter=mbind"]}
    for unit in OURS:
        await stage.drop_in(unit, "strict", "SystemCallErrorNumber=kill", *besides.get(unit, ()))
    await stage.start(CLOUD)
    stage.change_settings("gateway.toml", [('[crew]\nlisten = "127.0.0.1:8080"', f'[crew]\nlisten = "{CREW_PAGE}"')])
    await stage.follow_guide("5. A vehicle")
    await stage.admit_vehicle()
    await stage.start(GATEWAY)
    for unit in OURS:
        assert await stage.property_of(unit, "NRestarts") == "0"
        assert int(await stage.property_of(unit, "LimitNOFILE")) == int(
            await stage.property_of(unit, "LimitNOFILESoft")
        )
        stage.observed(f"{unit}: {await stage.property_of(unit, 'StatusText') or 'active'}")


@pytest.mark.finding("fleet-1")
async def read_the_clock(stage: Stage) -> None:
    """The unit allows the gateway to read the state of the kernel's clock, but not to set the clock."""
    inside = await confined(stage, READ_CLOCK)
    kernel = (await stage.box.run("python3", "-c", READ_CLOCK)).out.strip()
    assert kernel != "-1", "the container may not ask, so nothing would be proved"
    assert inside == kernel
    assert await confined(stage, SET_CLOCK) == "Operation not permitted"
    synchronised = (await stage.status())["clock"]["synchronised"]
    assert synchronised is (kernel != "5")
    stage.observed(f"adjtimex returns {inside}, so the gateway's status says synchronised {synchronised}")


async def record_what_devices_send(stage: Stage) -> None:
    """With its unit's filter, the gateway records serial and TCP devices, shows the crew page, and sends over TLS.

    It also writes and replays a capture.
    """
    await stage.plug_in_devices()
    await stage.reach_cloud("numeric", "waveform", "event")
    status = await stage.status()
    links = sorted(session["link"] for session in status["sessions"])
    assert len(links) == 2, links
    stage.observed(f"acknowledged by the cloud, from {' and '.join(links)}")
    jar = "/srv/crew.cookies"
    await stage.box.run(
        *("curl", "-sS", "--fail", "-L", "-c", jar, "-b", jar, "-o", "/srv/page.html"),
        *("--data", f"pin={stage.provisioned['crew_pin']}", f"http://{CREW_PAGE}/sign-in"),
    )
    page = (await stage.box.run("curl", "-sS", "--fail", "-b", jar, f"http://{CREW_PAGE}/")).out
    assert "/sign-out" in page, "the crew is signed in"
    stream = await stage.box.run(
        *("timeout", "3", "curl", "-sSN", "-b", jar, f"http://{CREW_PAGE}/live"), any_code=True
    )
    assert "data:" in stream.out
    stage.observed("the crew's page shows live values after the PIN")
    capture = "/var/lib/argus/story.capture"
    await stage.gateway("capture", capture, "--for", "2")
    assert (await stage.gateway("replay", capture, "--json", any_code=True)).code in {0, 1}
    assert SERIAL_LINE in (await stage.gateway("ports", "--json")).out
    assert len((await stage.gateway("devices", "--json")).out.splitlines()) >= 2
    doctor = await stage.gateway("doctor", "--json", any_code=True)
    wrong = [finding for finding in map(json.loads, doctor.out.splitlines()) if finding["grade"] == "wrong"]
    assert [finding["subject"] for finding in wrong] == ["bluetooth"], "the machine lacks Bluetooth and nothing else"
    stage.observed(f"doctor: {wrong[0]['sentence']}")


async def restart_after_kill(stage: Stage) -> None:
    """systemd restarts gateway and cloud after SIGKILL, and the cloud acknowledges further batches."""
    marks = await stage.reach_cloud()
    for unit in OURS:
        await stage.active(unit, other_than=await stage.signal(unit, "KILL"))
    after = await stage.reach_cloud("numeric", "waveform", more_than=marks)
    stage.observed(f"numeric batches acknowledged: {marks['numeric']}, then {after['numeric']}")


async def restart_what_is_frozen(stage: Stage) -> None:
    """The watchdog ends a process whose event loop hangs; its stack is in the log, and systemd restarts it."""
    marks = await stage.reach_cloud()
    for unit in OURS:
        shipped = await stage.property_of(unit, "WatchdogUSec")
        assert 0 < seconds(shipped) <= WATCHDOG_S_MAX
        await stage.drop_in(unit, "short", f"WatchdogSec={SHORT_WATCHDOG_S}")
        await stage.box.run("systemctl", "restart", unit)
    frozen = {unit: await stage.signal(unit, "STOP") for unit in OURS}
    for unit, pid in frozen.items():
        await stage.active(unit, other_than=pid)
        reason = await stage.log_holds(unit, "Failed with result 'watchdog'")
        await stage.log_holds(unit, "most recent call first")
        stage.observed(reason)
        await stage.drop_in(unit, "short")
        await stage.box.run("systemctl", "restart", unit)
    await stage.reach_cloud("numeric", more_than=marks)


async def shut_a_gateway_out(stage: Stage) -> None:
    """The broker refuses a suspended gateway once the broker has reloaded its lists, and admits a resumed gateway."""
    marks = await stage.reach_cloud()
    pid = await stage.active(BROKER)
    names = ("gw_example", "--tenant", "tnt_example")
    await stage.cloud("gateways", "suspend", *names, "--reason", "a story")
    await stage.connected_to_broker(yes=False)
    await stage.log_holds(BROKER, "Reloaded mosquitto.service")
    stage.observed(f"suspended: {(await stage.status())['uplink']['last_error']}")
    await stage.cloud("gateways", "resume", *names)
    await stage.connected_to_broker()
    await stage.reach_cloud("numeric", more_than=marks)
    assert await stage.active(BROKER) == pid
    stage.observed("resumed: batches go on, through the same process of the broker")


async def seal_the_store_key(stage: Stage) -> None:
    """The guide's commands make the store's key an encrypted credential; the gateway works without the key's file."""
    for block in range(3):
        # The second block runs `doctor`, which exits with 1, because this machine has no Bluetooth.
        out = await stage.follow_guide("The store's key", block, any_code=block == 1)
        if block == 1:
            (said,) = re.findall(r"The store's key comes from a systemd credential", out)
            stage.observed(f"doctor: {said}")
    assert not stage.box.path("/var/lib/argus/identity/store.key").exists()
    marks = await stage.reach_cloud()
    await stage.reach_cloud("numeric", more_than=marks)
    stage.observed("the key's file is removed, and batches still arrive")


async def live_without_dbus(stage: Stage) -> None:
    """Without D-Bus the gateway starts, records its wired devices, and reports what Bluetooth lacks."""
    await stage.box.run("systemctl", "stop", "dbus.socket", "dbus.service")
    marks = await stage.reach_cloud()
    await stage.active(GATEWAY, other_than=await stage.signal(GATEWAY, "KILL"))
    await stage.reach_cloud("numeric", more_than=marks)
    stage.observed(f"Bluetooth: {(await stage.status())['bluetooth']['trouble']}")
    await stage.box.run("systemctl", "start", "dbus.socket")


async def stop_in_order(stage: Stage) -> None:
    """`systemctl stop` ends both units with success before systemd's stop timeout, and both can be started again."""
    for unit in OURS:
        await stage.box.run("systemctl", "stop", unit)
        assert await stage.property_of(unit, "Result") == "success"
        assert await stage.property_of(unit, "ExecMainStatus") == "0"
    await stage.log_holds(GATEWAY, "gateway.stopped")
    await stage.log_holds(CLOUD, "cloud.stopped")
    for unit in OURS:
        await stage.start(unit)


async def refuse_a_lost_database(stage: Stage) -> None:
    """A cloud whose database file is missing does not start, and does not create an empty one."""
    await stage.box.run("systemctl", "stop", CLOUD)
    database, away = "/var/lib/argus-cloud/cloud.db", "/var/lib/argus-cloud/away"
    await stage.box.run("sh", "-ec", f"mkdir {away}; mv {database}* {away}")
    try:
        await stage.box.run("systemctl", "start", CLOUD, any_code=True)
        assert not stage.box.path(database).exists(), "an empty database took the place of the lost one"
        stage.observed((await stage.log_holds(CLOUD, "cloud.db")).strip())
    finally:
        await stage.box.run("sh", "-ec", f"systemctl stop {CLOUD}; rm -f {database}*; mv {away}/* /var/lib/argus-cloud")
        await stage.box.run("systemctl", "start", CLOUD)
    await stage.active(CLOUD)


async def return_after_a_power_cut(stage: Stage) -> None:
    """After a power cut, all units start by themselves, and every acknowledged batch is in the cloud."""
    marks = await stage.reach_cloud()
    await stage.box.cut_power()
    stage.observed(f"booted again, systemd says {await stage.box.boot()}")
    for unit in (BROKER, *OURS):
        await stage.active(unit)
    await stage.plug_in_devices()
    await stage.reach_cloud("numeric", "waveform", more_than=marks)
    checked = json.loads((await stage.cloud("custody", "check", "--json")).out)
    for lane in checked["lanes"]:
        assert lane["intact"], lane
        assert lane["through"] >= marks[lane["lane"]], "every acknowledged batch is in the cloud"
    stage.observed(f"{sum(lane['batches'] for lane in checked['lanes'])} batches, every signature and link intact")


async def leave_a_clean_log(stage: Stage) -> None:
    """The log of the run has no traceback and no forbidden system call, and no unit has failed."""
    log = (await stage.box.run("journalctl", "--no-pager", "-o", "cat", "--merge")).out
    for unwanted in ("Traceback (most recent call last)", "status=31/SYS", "never awaited"):
        assert unwanted not in log, log[max(0, log.index(unwanted) - 2000) :][:4000]
    failed = await stage.box.run("systemctl", "--failed", "--plain", "--no-legend")
    assert failed.out == ""
    stage.observed(f"{len(log.splitlines())} lines of both boots")


async def confined(stage: Stage, program: str) -> str:
    """Run a Python program with the rights and filters of the gateway's unit, in a copy of that unit; return its
    output."""
    stage.box.write("/usr/local/lib/argus-probe.py", program)
    unit = stage.box.path(f"/etc/systemd/system/{GATEWAY}.service").read_text()
    out = "/srv/argus-probe.out"
    for setting, value in (
        ("Type", "oneshot"),
        ("ExecStart", f"/opt/argus/bin/python /usr/local/lib/argus-probe.py\nStandardOutput=truncate:{out}"),
        ("Restart", "no"),
    ):
        unit, replaced = re.subn(rf"^{setting}=.*$", f"{setting}={value}", unit, flags=re.MULTILINE)
        assert replaced == 1, f"{setting}= is in the unit {replaced} times"
    stage.box.write("/etc/systemd/system/argus-probe.service", unit)
    await stage.box.run("systemctl", "daemon-reload")
    await stage.box.run("systemctl", "start", "argus-probe")
    return stage.box.path(out).read_text().strip()


def seconds(shown: str) -> float:
    """Return a duration in seconds, given the text that `systemctl show` writes, such as "1min 30s"."""
    units = {"min": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(min|ms|s)\b", shown))


STORIES: tuple[Story, ...] = (
    install_by_the_guide,
    expose_little,
    hold_the_fleets_connections,
    reach_readiness,
    read_the_clock,
    record_what_devices_send,
    restart_after_kill,
    restart_what_is_frozen,
    shut_a_gateway_out,
    seal_the_store_key,
    live_without_dbus,
    stop_in_order,
    refuse_a_lost_database,
    return_after_a_power_cut,
    leave_a_clean_log,
)
