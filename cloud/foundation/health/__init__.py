"""`/health/live` and `/health/ready` of a process, and the watch of the database for damage."""

from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, routes=("routes:routes",), jobs="jobs:jobs")
