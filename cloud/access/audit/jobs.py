"""Periodic job that deletes audit entries past their retention."""

from cloud.access.audit.store import Audit
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(process: Process) -> Jobs:
    return Jobs(chores=[Chore("audit_entries", Audit(process.clock).sweep)])
