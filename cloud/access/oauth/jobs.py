"""Periodic job that deletes expired authorization codes."""

from cloud.access.oauth.redemption import sweep_codes
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(_process: Process) -> Jobs:
    return Jobs(chores=[Chore("authorization_codes", sweep_codes)])
