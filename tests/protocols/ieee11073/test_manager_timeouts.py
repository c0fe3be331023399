"""Every time-out of a manager (reference 20601 §9.3) takes effect exactly when it expires, and not before.

If the configuration, the MDS or a release response does not arrive, the association ends. Every other time-out is
reported, and the association continues. Time-outs of segment transfers are in the tests of PM-stores.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from protocols.ieee11073.apdu.association import AbortReason
from protocols.ieee11073.association.clock_setting import WallClock
from protocols.ieee11073.association.events import Aborted
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from tests.builders.ieee11073_apdus import aarq
from tests.builders.ieee11073_devices import OXIMETER, ecg_configuration, manager
from tests.builders.requests_device import CAN_BE_SET, Device, device, time_info

NOT_THE_DEFAULTS = ManagerSettings(
    to_config_s=11.0, to_get_s=5.0, to_set_s=6.0, to_action_s=7.0, to_release_s=4.0, clock_read_every_s=None
)


class Waiting(NamedTuple):
    """A time-out of the manager: its name, its length, and a function that makes a manager whose time-out starts at 0
    s."""

    name: str
    timeout_s: float
    begin: Callable[[ManagerSettings], Device]
    ends: AbortReason | None
    """The reason of the ABRT that ends the association; None: it continues."""


def for_the_configuration(settings: ManagerSettings) -> Device:
    waiting = Device(manager(settings=settings))
    waiting.emit(aarq(OXIMETER.config_id))
    return waiting


def for_the_mds(settings: ManagerSettings) -> Device:
    waiting = Device(manager(known=OXIMETER, settings=settings))
    waiting.emit(aarq(OXIMETER.config_id))
    return waiting


def for_a_scanner(settings: ManagerSettings) -> Device:
    return device(ecg_configuration(), settings=settings)


def for_the_clock(settings: ManagerSettings) -> Device:
    waiting = device(OXIMETER, (time_info(CAN_BE_SET),), settings=settings)
    waiting.manager.clock_setting.set_time(WallClock(0), 0.0)
    return waiting


def for_data(settings: ManagerSettings) -> Device:
    return device(OXIMETER, modes=0x0820, flows=1, settings=settings)


def for_the_release(settings: ManagerSettings) -> Device:
    waiting = device(OXIMETER, settings=settings)
    waiting.manager.release(0.0)
    return waiting


WAITINGS = (
    Waiting("TOconfig", 11.0, for_the_configuration, AbortReason.CONFIGURATION_TIMEOUT),
    Waiting("get of the MDS", 5.0, for_the_mds, AbortReason.RESPONSE_TIMEOUT),
    Waiting("confirmed set", 6.0, for_a_scanner, None),
    Waiting("set-time", 7.0, for_the_clock, None),
    Waiting("data request", 7.0, for_data, None),
    Waiting("TOrelease", 4.0, for_the_release, AbortReason.RESPONSE_TIMEOUT),
)


@pytest.mark.parametrize("waiting", WAITINGS, ids=lambda waiting: waiting.name)
def test_manager_waits_for_each_response_exactly_until_its_configured_timeout(waiting: Waiting) -> None:
    played = waiting.begin(NOT_THE_DEFAULTS)
    before = played.manager.state
    assert played.manager.deadline_s == waiting.timeout_s
    played.manager.to_send()
    played.manager.expire(0.0)
    assert not played.manager.expire(waiting.timeout_s - 0.001)
    assert (played.manager.state, played.manager.to_send()) == (before, b"")
    told = played.manager.expire(waiting.timeout_s)
    ended = [event.reason for event in told if isinstance(event, Aborted)]
    assert told
    if waiting.ends is None:
        assert (played.manager.state, ended) == (State.OPERATING, [])
    else:
        assert (played.manager.state, ended) == (State.UNASSOCIATED, [waiting.ends])


def test_default_timeouts_equal_the_timeouts_of_the_reference() -> None:
    settings = ManagerSettings()
    assert (settings.to_config_s, settings.to_release_s) == (10.0, 3.0)
    assert (settings.to_get_s, settings.to_set_s, settings.to_action_s) == (3.0, 3.0, 3.0)
