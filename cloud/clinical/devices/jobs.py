"""Periodic job that reports devices which have not been seen for a while, and the retention of their history."""

from cloud.clinical.devices.settings import SilenceSection
from cloud.clinical.devices.silence import DeviceSilence
from cloud.clinical.devices.tables import device_descriptions
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.retention import AgedRows, Kind

KINDS = (
    Kind(
        name="device_history",
        meaning="changes in how devices describe themselves; the current description is kept with the device",
        default_days=None,  # a recall may concern a firmware of any age, and a device has a few changes in its life
        sweep=lambda: AgedRows(device_descriptions, device_descriptions.c.received_at_us),
    ),
)


def jobs(process: Process) -> Jobs:
    silence_us = process.settings.section(SilenceSection).device_us
    watch = DeviceSilence(process.ids, silence_us)
    return Jobs(watches=[Chore("silent_devices", watch.report, process.clock.now_us() + silence_us)])
