"""The work that keeps the sums of indicators up to date."""

from cloud.clinical.acqi.marking import marking_step
from cloud.clinical.acqi.scoring import Scoring
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(_process: Process) -> Jobs:
    return Jobs(watches=[Chore("acqi_scores", Scoring().score_next)], steps=[marking_step()])
