"""Periodic job that reports devices which have not been seen for a while."""

from cloud.clinical.devices.settings import SilenceSection
from cloud.clinical.devices.silence import DeviceSilence
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(process: Process) -> Jobs:
    silence_us = process.settings.section(SilenceSection).device_us
    watch = DeviceSilence(process.ids, silence_us)
    return Jobs(watches=[Chore("silent_devices", watch.report, process.clock.now_us() + silence_us)])
