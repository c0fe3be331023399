"""The chore that deletes expired missions."""

from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.vehicles.missions.store import MissionRows


def jobs(process: Process) -> Jobs:
    return Jobs(chores=[Chore("missions", MissionRows(process.clock).delete_expired)])
