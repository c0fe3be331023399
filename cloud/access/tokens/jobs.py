"""The worker's work on keys: to seal values again under the current master key."""

from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.resealing import Resealer


def jobs(process: Process) -> Jobs:
    return Jobs(chores=[Chore("values sealed by a former master key", Resealer(process.master).work)])
