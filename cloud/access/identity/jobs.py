"""Periodic jobs that delete expired sessions and expired counts of failed sign-ins."""

from cloud.access.identity.lockout import FailureStore
from cloud.access.identity.sessions import SessionStore
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(_process: Process) -> Jobs:
    return Jobs(
        chores=[Chore("sign_in_sessions", SessionStore().sweep), Chore("sign_in_failures", FailureStore().sweep)]
    )
