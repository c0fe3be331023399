"""The background work of schedules."""

from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.work.jobs import service_of
from cloud.work.schedules.starting import ScheduleStarter


def jobs(process: Process) -> Jobs:
    starter = ScheduleStarter(process.clock, process.shared(service_of))
    return Jobs(watches=[Chore("schedules", starter.start_next)])
