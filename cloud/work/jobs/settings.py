"""Settings of jobs."""

from typing import Annotated

from pydantic import Field

from cloud.foundation.settings import Section


class JobsSection(Section):
    """`[jobs]`: how many jobs a worker runs at a time, and how long results are kept."""

    slots: Annotated[int, Field(ge=1, le=64)] = 4
    """Jobs that one process with the worker role runs at a time. One tenant gets at most all slots but one, and so do
    jobs with long steps; the jobs with long steps of one tenant get all slots but two, and at least one."""
    result_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days for which the result of a job can be fetched. The record of the job stays."""
